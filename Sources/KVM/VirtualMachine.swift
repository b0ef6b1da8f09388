internal import CKVM
internal import Glibc

/// One virtual machine: memory slots, interrupt chips, clocks and the maker of vCPUs. It is closed when its
/// owner goes; the kernel keeps it for as long as one of its vCPUs is open.
///
/// Its methods may be called from any thread; the kernel locks.
public struct VirtualMachine: ~Copyable, Sendable {
    let descriptor: Descriptor
    private let vcpuMappingSize: Int

    init(_ descriptor: consuming Descriptor, vcpuMappingSize: Int) {
        self.descriptor = descriptor
        self.vcpuMappingSize = vcpuMappingSize
    }

    /// KVM_CHECK_EXTENSION on the machine (section 4.4), whose answer may differ from the system's.
    public borrowing func check(_ capability: Capability) -> Int {
        Int(max(0, ckvm_call(descriptor.number, Request.checkExtension.number, UInt(capability.rawValue))))
    }

    /// KVM_ENABLE_CAP (section 4.37; the capabilities are in sections 6 to 8).
    /// - Parameters:
    ///   - capability: what to switch on.
    ///   - argument: the first of the four arguments, whose meaning the capability defines.
    public borrowing func enable(_ capability: Capability, _ argument: UInt64 = 0) throws(KVMError) {
        var request = kvm_enable_cap()
        request.cap = UInt32(capability.rawValue)
        request.args.0 = argument
        try descriptor.set(.enableCapability, request, hint: Self.enableHint(capability, check(capability)))
    }

    /// KVM_CREATE_VCPU (section 4.7).
    /// - Parameter identifier: the vCPU's number, which becomes its local APIC id.
    public borrowing func makeVCPU(identifier: UInt32) throws(KVMError) -> VirtualCPU {
        let number = try descriptor.call(
            .createVCPU, UInt(identifier),
            hint: "vCPU number \(identifier) is taken, or not below KVM_CAP_MAX_VCPU_ID \(check(.maximumVCPUID)), or "
                + "the machine has KVM_CAP_MAX_VCPUS \(check(.maximumVCPUs)) already")
        return try VirtualCPU(
            Descriptor(owning: number), identifier: identifier, mappingSize: vcpuMappingSize,
            xsaveSize: check(.xsave2))
    }

    /// KVM_SET_BOOT_CPU_ID (section 4.41): which vCPU is the bootstrap processor; before any vCPU is made.
    public borrowing func setBootCPU(identifier: UInt32) throws(KVMError) {
        try descriptor.call(.setBootCPUID, UInt(identifier), hint: "it must be set before the first vCPU is made")
    }

    private static func enableHint(_ capability: Capability, _ answer: Int) -> String {
        answer > 0
            ? "\(capability.kernelName) is there, but does not take this argument, or not after the first vCPU"
            : "\(capability.kernelName) is not to be had here"
    }
}
