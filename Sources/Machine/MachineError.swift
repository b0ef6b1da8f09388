public import Host
public import KVM

/// Why a machine could not be made or started. Its description is one line for the user.
public enum MachineError: Error, CustomStringConvertible {
    /// The configuration is wrong.
    case configuration(ConfigurationError)
    /// KVM refused.
    case kvm(KVMError)
    /// The host refused.
    case host(HostError)
    /// What was to be loaded is not fit for it: the file and the reason.
    case payload(path: String, reason: String)

    /// One line: what was tried, on what, what happened, what to do.
    public var description: String {
        switch self {
        case .configuration(let error): error.description
        case .kvm(let error): error.description
        case .host(let error): error.description
        case .payload(let path, let reason): "\(path): \(reason)"
        }
    }

    static func catching<Result: ~Copyable>(
        _ body: () throws(KVMError) -> Result
    ) throws(MachineError) -> Result {
        do throws(KVMError) { return try body() } catch { throw .kvm(error) }
    }

    static func catching<Result: ~Copyable>(
        _ body: () throws(HostError) -> Result
    ) throws(MachineError) -> Result {
        do throws(HostError) { return try body() } catch { throw .host(error) }
    }
}
