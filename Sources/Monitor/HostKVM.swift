internal import Glibc

/// Which module gives this host its KVM.
public enum HostKVM: String, Sendable, CaseIterable {
    /// Intel VT-x.
    case intel = "kvm_intel"
    /// AMD-V.
    case amd = "kvm_amd"
    /// Pagetable-based virtual machines: KVM without the processor's virtualization.
    case pvm = "kvm_pvm"
    /// None of those, or built into the kernel without a name.
    case unknown = "unknown"

    /// The module that /sys/module names on this host.
    /// - Parameter modules: the folder to look into; other folders serve tests.
    public static func current(modules: String = "/sys/module") -> HostKVM {
        // A built-in kvm_intel and kvm_amd may both be there; the one that runs has parameters or holders, and the
        // processor's maker decides which it is.
        let present = allCases.filter { $0 != .unknown && access("\(modules)/\($0.rawValue)", F_OK) == 0 }
        if present.contains(.pvm) { return .pvm }
        guard present.count > 1 else { return present.first ?? .unknown }
        return HostProcessor().isAMD ? .amd : .intel
    }
}
