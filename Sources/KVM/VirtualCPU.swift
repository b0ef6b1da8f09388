internal import CKVM
internal import Glibc

/// One virtual CPU and the page that it shares with the kernel.
///
/// Its methods belong to the thread that runs it, apart from ``exitRequest``, which is for any thread.
public struct VirtualCPU: ~Copyable {
    let descriptor: Descriptor
    let shared: UnsafeMutablePointer<kvm_run>
    private let mappingSize: Int
    /// The number given at creation, which is also the initial local APIC id.
    public let identifier: UInt32

    init(_ descriptor: consuming Descriptor, identifier: UInt32, mappingSize: Int) throws(KVMError) {
        guard
            mappingSize >= MemoryLayout<kvm_run>.size,
            let mapping = mmap(nil, mappingSize, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.number, 0),
            mapping != MAP_FAILED
        else { throw KVMError(operation: "mmap of a vCPU's kvm_run", errno: errno) }
        shared = mapping.bindMemory(to: kvm_run.self, capacity: 1)
        self.mappingSize = mappingSize
        self.identifier = identifier
        self.descriptor = descriptor
    }

    deinit {
        munmap(shared, mappingSize)
    }

    /// KVM_RUN: enters the guest until something needs the monitor.
    ///
    /// The answer to a read (`portIO` in, `mmio` read, `readMSR`) is put into the memory that the exit names; the
    /// next `run` hands it to the guest.
    /// - Returns: why it left; ``VMExit/interrupted`` when a signal or ``exitRequest`` called.
    public borrowing func run() throws(KVMError) -> VMExit {
        let result = ckvm_run(descriptor.number)
        if result == 0 { return decodeExit() }
        // EAGAIN: an application processor was kicked while it waited for its SIPI.
        if result == -EINTR || result == -EAGAIN { return .interrupted }
        // EFAULT comes with an exit reason where KVM knows the address (KVM_CAP_MEMORY_FAULT_INFO).
        if result == -EFAULT, shared.pointee.exit_reason == UInt32(KVM_EXIT_MEMORY_FAULT) { return decodeExit() }
        throw Request.run.error(result, hint: result == -EFAULT ? "the guest's memory is not mapped in the host" : "")
    }

    /// A handle by which another thread makes `run` return, now or at its next call.
    public var exitRequest: ExitRequest { ExitRequest(shared: shared) }

    /// RFLAGS.IF as it was at the last exit.
    public var interruptsEnabled: Bool { shared.pointee.if_flag != 0 }

    /// Whether KVM_INTERRUPT would be taken now (without an interrupt chip in the kernel).
    public var readyForInterrupt: Bool { shared.pointee.ready_for_interrupt_injection != 0 }

    /// Asks for ``VMExit/interruptWindow`` as soon as the guest can take an interrupt.
    public borrowing func requestInterruptWindow(_ wanted: Bool) {
        shared.pointee.request_interrupt_window = wanted ? 1 : 0
    }

    /// KVM_CAP_COALESCED_MMIO and _PIO: takes the writes that were gathered since the last call, oldest first.
    public borrowing func takeCoalescedWrites(_ take: (CoalescedWrite) -> Void) {
        // The ring lies two pages behind kvm_run (KVM_COALESCED_MMIO_PAGE_OFFSET on x86).
        let pageSize = 4096
        let offset = Int(KVM_COALESCED_MMIO_PAGE_OFFSET) * pageSize
        guard mappingSize >= offset + pageSize else { return }
        let ring = (UnsafeMutableRawPointer(shared) + offset).assumingMemoryBound(to: kvm_coalesced_mmio_ring.self)
        let room = UInt32(
            (pageSize - MemoryLayout<kvm_coalesced_mmio_ring>.size) / MemoryLayout<kvm_coalesced_mmio>.stride)
        var first = ring.pointee.first
        let last = ckvm_load_acquire(&ring.pointee.last)
        while first != last, first < room {
            let entry = ckvm_coalesced_entries(ring)[Int(first)]
            let value = withUnsafeBytes(of: entry.data) { $0.load(as: UInt64.self) }
            let width = min(Int(entry.len), 8)
            take(
                CoalescedWrite(
                    address: entry.phys_addr, width: width,
                    value: width == 8 ? value : value & ((1 << (8 * UInt64(width))) - 1),
                    isPort: entry.pio != 0))
            first = (first + 1) % room
            ckvm_store_release(&ring.pointee.first, first)
        }
    }
}

/// A write that KVM gathered instead of leaving KVM_RUN.
public struct CoalescedWrite: Equatable, Sendable {
    /// Guest-physical address or port.
    public let address: UInt64
    /// Bytes: 1, 2, 4 or 8.
    public let width: Int
    /// The value in the low `width` bytes.
    public let value: UInt64
    /// Whether `address` is a port.
    public let isPort: Bool
}

/// Makes a vCPU's `run` return at once (KVM_CAP_IMMEDIATE_EXIT). It must not outlive the vCPU.
///
/// The flag alone is seen when KVM_RUN is entered; to call a vCPU out of the guest, set it and then signal the
/// vCPU's thread.
public struct ExitRequest: @unchecked Sendable {
    let shared: UnsafeMutablePointer<kvm_run>

    /// From now on `run` returns ``VMExit/interrupted`` without entering the guest.
    public func set() { ckvm_set_immediate_exit(shared, 1) }
    /// `run` enters the guest again.
    public func clear() { ckvm_set_immediate_exit(shared, 0) }
}
