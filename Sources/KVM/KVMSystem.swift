internal import CKVM
internal import Glibc

/// `/dev/kvm`: what this host's KVM can do, and the maker of virtual machines.
///
/// Kernel document: Documentation/virt/kvm/api.rst, section 4, "system ioctls".
public struct KVMSystem: ~Copyable {
    let descriptor: Descriptor
    /// Bytes of each vCPU's shared `kvm_run` mapping (KVM_GET_VCPU_MMAP_SIZE, section 4.5).
    public let vcpuMappingSize: Int

    /// The API version that this module speaks; every kernel since 2.6.22 answers it.
    public static let apiVersion: Int32 = 12

    /// Opens KVM and checks its API version.
    /// - Parameter path: the device; other paths serve tests.
    public init(path: String = "/dev/kvm") throws(KVMError) {
        let number = open(path, O_RDWR | O_CLOEXEC)
        guard number >= 0 else { throw Self.openError(path, errno) }
        let descriptor = Descriptor(owning: number)
        // A file that is not KVM answers ENOTTY here.
        let version = ckvm_call(descriptor.number, Request.getAPIVersion.number, 0)
        guard version >= 0 else {
            throw KVMError(
                operation: "KVM_GET_API_VERSION", errno: -version, hint: "\(path) is not the KVM device")
        }
        guard version == Self.apiVersion else {
            throw KVMError(
                operation: "KVM_GET_API_VERSION", errno: ENOTSUP,
                hint: "the kernel answers version \(version); this program needs \(Self.apiVersion)")
        }
        vcpuMappingSize = Int(try descriptor.call(.getVCPUMappingSize))
        self.descriptor = descriptor
    }

    private static func openError(_ path: String, _ errno: Int32) -> KVMError {
        let hint =
            switch errno {
            case ENOENT:
                "there is no KVM here: load kvm_intel or kvm_amd, switch virtualization on in the firmware, or "
                    + "run under `scripts/box`"
            case EACCES, EPERM: "join the group `kvm` (usermod -aG kvm $USER, then log in again), or run as root"
            case ENODEV, ENXIO: "the module is loaded but the CPU's virtualization extension is off or in use"
            default: ""
            }
        return KVMError(operation: "open \(path)", errno: errno, hint: hint)
    }

    /// KVM_CHECK_EXTENSION (section 4.4): 0 when it is missing, else a positive number whose meaning depends on the capability.
    public borrowing func check(_ capability: Capability) -> Int {
        Int(max(0, ckvm_call(descriptor.number, Request.checkExtension.number, UInt(capability.rawValue))))
    }

    /// KVM_CREATE_VM (section 4.2). It is repeated when a signal interrupts it, as the kernel may answer EINTR.
    public borrowing func makeVirtualMachine() throws(KVMError) -> VirtualMachine {
        while true {
            let result = ckvm_call(descriptor.number, Request.createVM.number, 0)
            if result == -EINTR { continue }
            guard result >= 0 else {
                throw Request.createVM.error(
                    result,
                    hint: result == -EBUSY
                        ? "another virtual machine monitor keeps the CPU's virtualization extension" : "")
            }
            return VirtualMachine(Descriptor(owning: result), vcpuMappingSize: vcpuMappingSize)
        }
    }

    /// KVM_GET_SUPPORTED_CPUID (section 4.46): what the hardware and KVM together can give a guest.
    public borrowing func supportedCPUID() throws(KVMError) -> [CPUIDEntry] {
        try cpuid(.getSupportedCPUID)
    }

    /// KVM_GET_EMULATED_CPUID (section 4.88): what KVM can emulate although the hardware lacks it.
    public borrowing func emulatedCPUID() throws(KVMError) -> [CPUIDEntry] {
        try cpuid(.getEmulatedCPUID)
    }

    private borrowing func cpuid(_ request: Request) throws(KVMError) -> [CPUIDEntry] {
        var room = 128
        while true {
            let table = CPUIDTable(room: room)
            let result = ckvm_call_with(descriptor.number, request.number, table.pointer)
            if result == -E2BIG, room < 4096 {
                room *= 2
                continue
            }
            guard result >= 0 else { throw request.error(result) }
            return table.entries
        }
    }

    /// KVM_GET_MSR_INDEX_LIST (section 4.3): the MSRs that KVM_GET_MSRS and KVM_SET_MSRS know for a guest.
    public borrowing func msrIndices() throws(KVMError) -> [UInt32] {
        try msrList(.getMSRIndexList)
    }

    /// KVM_GET_MSR_FEATURE_INDEX_LIST (section 4.3): the MSRs that describe features (such as IA32_ARCH_CAPABILITIES).
    public borrowing func msrFeatureIndices() throws(KVMError) -> [UInt32] {
        try msrList(.getMSRFeatureIndexList)
    }

    /// KVM_GET_MSRS on the system (section 4.18): the values of feature MSRs.
    /// - Returns: the values, in order; it ends before the first MSR that KVM cannot read.
    public borrowing func featureMSRs(_ indices: [UInt32]) throws(KVMError) -> [MSREntry] {
        try descriptor.readMSRs(indices)
    }

    private borrowing func msrList(_ request: Request) throws(KVMError) -> [UInt32] {
        var room = 512
        while true {
            let bytes = MemoryLayout<kvm_msr_list>.size + room * MemoryLayout<UInt32>.size
            let pointer = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 8)
            defer { pointer.deallocate() }
            let list = pointer.bindMemory(to: kvm_msr_list.self, capacity: 1)
            list.pointee.nmsrs = UInt32(room)
            let result = ckvm_call_with(descriptor.number, request.number, pointer)
            if result == -E2BIG, Int(list.pointee.nmsrs) > room, room < 65536 {
                room = min(Int(list.pointee.nmsrs), 65536)
                continue
            }
            guard result >= 0 else { throw request.error(result) }
            let count = min(Int(list.pointee.nmsrs), room)
            return Array(UnsafeBufferPointer(start: ckvm_msr_indices(list), count: count))
        }
    }
}
