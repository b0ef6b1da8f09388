public import GuestMemory
public import Machine
internal import KVM

/// What is known of a guest that died: why, the registers of every vCPU, and what the registers point at.
///
/// It reads guest memory once, when it is rendered; make the text while the guest is stopped.
public struct CrashReport: CustomStringConvertible {
    /// Why the guest could not go on.
    public var reason: Crash.Cause
    /// The registers of every vCPU.
    public var vcpus: [VCPUSnapshot]
    /// The place in `vcpus` of the one that could not go on.
    public var failed: Int
    /// The guest's memory.
    public var memory: GuestMemory
    /// Whose KVM it is.
    public var host: HostKVM
    /// Exits of any vCPU, oldest first; the last ``exitCount`` of each are shown.
    public var exits: [ExitRecord]
    /// The last lines of the guest's console, as it wrote them.
    public var console: [String]
    /// What the guest wrote to port 0x80, oldest first.
    public var postCodes: [UInt8]

    /// - Parameters:
    ///   - reason: why the guest could not go on.
    ///   - vcpus: the registers of every vCPU.
    ///   - failed: the place in `vcpus` of the one that could not go on.
    ///   - memory: the guest's memory.
    ///   - host: whose KVM it is.
    ///   - exits: exits of any vCPU, oldest first.
    ///   - console: the last lines of the guest's console.
    ///   - postCodes: what the guest wrote to port 0x80, oldest first.
    public init(
        reason: Crash.Cause, vcpus: [VCPUSnapshot], failed: Int = 0, memory: GuestMemory,
        host: HostKVM = .current(), exits: [ExitRecord] = [], console: [String] = [], postCodes: [UInt8] = []
    ) {
        self.reason = reason
        self.vcpus = vcpus
        self.failed = failed
        self.memory = memory
        self.host = host
        self.exits = exits
        self.console = console
        self.postCodes = postCodes
    }

    /// What probably happened; nil without a vCPU that failed.
    public var diagnosis: Diagnosis? {
        guard vcpus.indices.contains(failed) else { return nil }
        let vcpu = vcpus[failed]
        return Diagnosis(
            reason: reason, vcpu: vcpu, memory: memory, host: host, exits: exits(of: vcpu))
    }

    /// How many exits of the vCPU that died are shown.
    static let exitCount = 32

    /// The last exits of one vCPU.
    func exits(of vcpu: VCPUSnapshot) -> [ExitRecord] {
        exits.filter { $0.vcpu == vcpu.identifier }.suffix(Self.exitCount)
    }

    /// The whole report, for a terminal of 80 columns.
    public var description: String { render() }
}
