internal import CKVM
internal import Glibc

/// One virtual CPU and the page that it shares with the kernel (Documentation/virt/kvm/api.rst, section 5).
///
/// Its methods belong to the thread that runs it, apart from ``exitRequest``, which is for any thread.
public struct VirtualCPU: ~Copyable {
    let descriptor: Descriptor
    let shared: UnsafeMutablePointer<kvm_run>
    let mappingSize: Int
    /// Bytes of the XSAVE area that KVM reads and writes (KVM_CAP_XSAVE2 of the machine), at least 4096.
    let xsaveSize: Int
    /// The number given at creation, which is also the initial local APIC id.
    public let identifier: UInt32

    init(
        _ descriptor: consuming Descriptor, identifier: UInt32, mappingSize: Int, xsaveSize: Int = 4096
    ) throws(KVMError) {
        let operation = "mmap of a vCPU's kvm_run"
        guard mappingSize >= MemoryLayout<kvm_run>.size else {
            throw KVMError(
                operation: operation, errno: EINVAL, hint: "the kernel's kvm_run has only \(mappingSize) bytes")
        }
        guard
            let mapping = mmap(nil, mappingSize, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.number, 0),
            mapping != MAP_FAILED
        else { throw KVMError(operation: operation, errno: errno) }
        shared = mapping.bindMemory(to: kvm_run.self, capacity: 1)
        self.mappingSize = mappingSize
        self.xsaveSize = max(xsaveSize, 4096)
        self.identifier = identifier
        self.descriptor = descriptor
    }

    deinit {
        munmap(shared, mappingSize)
    }

    /// KVM_RUN (section 4.10): enters the guest until something needs the monitor.
    ///
    /// The answer to a read (`portIO` in, `mmio` read, `readMSR`) is put into the memory that the exit names; the
    /// next `run` hands it to the guest. Until then the guest's registers are those from before the access.
    /// - Returns: why it left; ``VMExit/interrupted`` when a signal or ``exitRequest`` called, and also when an
    ///   application processor had its INIT or SIPI: nothing is to be done then but to call again.
    public borrowing func run() throws(KVMError) -> VMExit {
        let result = ckvm_run(descriptor.number)
        if result == 0 { return decodeExit() }
        // EAGAIN: an application processor was kicked while it waited for its SIPI.
        if result == -EINTR || result == -EAGAIN { return .interrupted }
        // This one exit reason comes with an error, EFAULT or EHWPOISON (KVM_CAP_MEMORY_FAULT_INFO).
        if result == -EFAULT || result == -EHWPOISON, shared.pointee.exit_reason == UInt32(KVM_EXIT_MEMORY_FAULT) {
            return decodeExit()
        }
        throw Request.run.error(result, hint: result == -EFAULT ? "the guest's memory is not mapped in the host" : "")
    }

    /// A handle by which another thread makes `run` return, now or at its next call.
    public var exitRequest: ExitRequest { ExitRequest(shared: shared) }

    /// RFLAGS.IF as it was at the last exit (`if_flag`); only without a local APIC in the kernel.
    public var interruptsEnabled: Bool { shared.pointee.if_flag != 0 }

    /// Whether KVM_INTERRUPT would be taken now, without a local APIC in the kernel
    /// (`ready_for_interrupt_injection`).
    public var readyForInterrupt: Bool { shared.pointee.ready_for_interrupt_injection != 0 }

    /// Asks for ``VMExit/interruptWindow`` as soon as the guest can take an interrupt (`request_interrupt_window`).
    public borrowing func requestInterruptWindow(_ wanted: Bool) {
        shared.pointee.request_interrupt_window = wanted ? 1 : 0
    }

    /// CR8 at the last exit, and what the next `run` gives the guest (`cr8`); only without a local APIC in the
    /// kernel, and then in place of the `cr8` of ``setSpecialRegisters(_:)``.
    public var taskPriority: UInt64 {
        get { shared.pointee.cr8 }
        nonmutating set { shared.pointee.cr8 = newValue }
    }

    /// Whether the guest was in system management mode at the last exit (`flags`, KVM_RUN_X86_SMM).
    public var inSystemManagementMode: Bool { shared.pointee.flags & UInt16(KVM_RUN_X86_SMM) != 0 }
}

/// Makes a vCPU's `run` return at once (`immediate_exit`, KVM_CAP_IMMEDIATE_EXIT). It must not outlive the vCPU.
///
/// The flag alone is seen when KVM_RUN is entered; to call a vCPU out of the guest, set it and then signal the
/// vCPU's thread.
public struct ExitRequest: @unchecked Sendable {
    let shared: UnsafeMutablePointer<kvm_run>

    /// From now on `run` returns ``VMExit/interrupted`` without entering the guest. What is pending of the last
    /// exit, such as the answer to a read, is completed first.
    public func set() { ckvm_set_immediate_exit(shared, 1) }
    /// `run` enters the guest again.
    public func clear() { ckvm_set_immediate_exit(shared, 0) }
}
