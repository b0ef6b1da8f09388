public import Machine

/// Keeps the last exits of each vCPU, for the crash report. It takes no lock and allocates nothing per exit.
///
/// Each vCPU's thread writes its own ring; the rings are read when the vCPUs have stopped.
public final class ExitHistory: ExitObserver, @unchecked Sendable {
    /// How many exits of each vCPU are kept.
    public static let depth = 32

    private let records: UnsafeMutableBufferPointer<ExitRecord>
    private let counts: UnsafeMutableBufferPointer<Int>

    /// - Parameter vcpus: how many vCPUs there are; exits of others are not kept.
    public init(vcpus: Int) {
        records = .allocate(capacity: max(0, vcpus) * Self.depth)
        records.initialize(repeating: ExitRecord())
        counts = .allocate(capacity: max(0, vcpus))
        counts.initialize(repeating: 0)
    }

    deinit {
        records.deallocate()
        counts.deallocate()
    }

    /// Keeps one exit.
    public func observe(_ record: ExitRecord) {
        let vcpu = Int(record.vcpu)
        guard vcpu < counts.count else { return }
        records[vcpu * Self.depth + counts[vcpu] % Self.depth] = record
        counts[vcpu] &+= 1
    }

    /// The last exits of one vCPU, oldest first. Only while that vCPU is stopped.
    public func exits(ofVCPU vcpu: Int) -> [ExitRecord] {
        guard counts.indices.contains(vcpu) else { return [] }
        let count = counts[vcpu]
        return (max(0, count - Self.depth)..<count).map { records[vcpu * Self.depth + $0 % Self.depth] }
    }
}
