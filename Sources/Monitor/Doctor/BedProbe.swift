public import KVM

/// A quick look, before a guest is started, at what many a guest needs and this host's KVM may lack.
public struct BedProbe: Equatable, Sendable {
    /// Whose KVM it is.
    public let host: HostKVM
    /// Whether a guest can run with 32-bit paging.
    public let hasPaging32: Bool

    /// Looks. Only kvm_pvm is known to lack something, so nothing but it is tried with a guest.
    /// - Parameter host: whose KVM it is.
    public init(host: HostKVM = .current()) throws(KVMError) {
        self.host = host
        guard host == .pvm || host == .unknown else {
            hasPaging32 = true
            return
        }
        switch TinyGuest.paging32SetByMonitor.run(milliseconds: 1000) {
        // A host too busy to answer in time is no reason to refuse a guest.
        case .passed, .timedOut: hasPaging32 = true
        case .refused(let error) where error.operation.hasPrefix("open "): throw error
        default: hasPaging32 = false
        }
    }

    /// What to say before a guest that needs 32-bit paging is started, or nil when it can run.
    public var paging32Objection: String? {
        guard !hasPaging32 else { return nil }
        return "this guest uses 32-bit paging, which this host's KVM (\(host.rawValue)) cannot do; "
            + "run it under `scripts/box`, or see `minikvm doctor`"
    }
}
