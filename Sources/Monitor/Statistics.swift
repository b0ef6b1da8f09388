public import Machine
internal import Synchronization

/// Counts exits by reason and by port, address or MSR, and adds up the time in the guest and in the monitor.
///
/// Each vCPU's thread counts in its own table, without a lock and without allocating; any thread may read the sums
/// while guests run. The tables have a fixed size: a guest that touches more addresses finds them under "others".
public final class Statistics: ExitObserver {
    /// How many different ports, addresses and MSRs of each vCPU are counted one by one.
    public static let capacity = 256
    private let tables: [VCPUTable]

    /// - Parameter vcpus: how many vCPUs there are; exits of others are not counted.
    public init(vcpus: Int) {
        tables = (0..<max(0, vcpus)).map { _ in VCPUTable() }
    }

    /// Counts one exit.
    public func observe(_ record: ExitRecord) {
        guard Int(record.vcpu) < tables.count else { return }
        tables[Int(record.vcpu)].count(record)
    }

    /// The sums so far.
    public func summary() -> Summary {
        var summary = Summary()
        for (number, table) in tables.enumerated() { table.add(to: &summary, vcpu: number) }
        return summary
    }
}

extension Statistics {
    /// A number of exits and the time they took.
    public struct Tally: Equatable, Sendable {
        /// How many exits.
        public var exits: UInt64 = 0
        /// Nanoseconds in the guest before them.
        public var guestNanoseconds: UInt64 = 0
        /// Nanoseconds in the monitor, handling them.
        public var monitorNanoseconds: UInt64 = 0
    }

    /// What exits are counted under.
    public struct Place: Hashable, Sendable {
        /// The reason: port, MMIO or MSR, read or written.
        public var kind: ExitKind
        /// The port, guest-physical address or MSR number.
        public var address: UInt64
    }

    /// The sums at one moment.
    public struct Summary: Equatable, Sendable {
        /// By reason; reasons that did not occur are left out.
        public var kinds: [ExitKind: Tally] = [:]
        /// By port, address or MSR.
        public var places: [Place: Tally] = [:]
        /// Exits with a port, address or MSR for which the tables had no room.
        public var others = Tally()
        /// By vCPU, in order.
        public var vcpus: [Tally] = []
    }
}

extension Statistics.Tally {
    static func += (sum: inout Self, other: Self) {
        sum.exits &+= other.exits
        sum.guestNanoseconds &+= other.guestNanoseconds
        sum.monitorNanoseconds &+= other.monitorNanoseconds
    }
}

/// The counters of one vCPU. Only its thread writes, so an addition needs no read-modify-write of the bus; others read.
private final class VCPUTable: @unchecked Sendable {
    /// Counters of a row: exits, guest time, monitor time.
    private static let width = 3
    private static let kinds = ExitKind.allCases.count
    /// How far from its hash a place is looked for.
    private static let reach = 16
    /// Twice the capacity, so that a place is found near its hash.
    private static let slots = Statistics.capacity * 2

    private let kindCounters = Words(count: kinds * width)
    private let placeCounters = Words(count: slots * width)
    /// The kind plus one; 0 is a free slot. Written after the address.
    private let placeKinds = Words(count: slots)
    private let placeAddresses = Words(count: slots)
    private let otherCounters = Words(count: width)
    private var used = 0

    func count(_ record: ExitRecord) {
        add(record, kindCounters, Int(record.kind.rawValue))
        guard record.kind.hasAddress else { return }
        if let slot = slot(record) {
            add(record, placeCounters, slot)
        } else {
            add(record, otherCounters, 0)
        }
    }

    private func add(_ record: ExitRecord, _ words: Words, _ row: Int) {
        words.add(row * Self.width, 1)
        words.add(row * Self.width + 1, record.guestNanoseconds)
        words.add(row * Self.width + 2, record.monitorNanoseconds)
    }

    private func slot(_ record: ExitRecord) -> Int? {
        let tag = UInt64(record.kind.rawValue) + 1
        // Fibonacci hashing: the product's high bits depend on all of the address.
        let hash = (record.address ^ tag << 56) &* 0x9E37_79B9_7F4A_7C15
        let first = Int(hash >> 32) % Self.slots
        for step in 0..<Self.reach {
            let slot = (first + step) % Self.slots
            let found = placeKinds.load(slot)
            if found == tag, placeAddresses.load(slot) == record.address { return slot }
            if found == 0 {
                guard used < Statistics.capacity else { return nil }
                used += 1
                placeAddresses.store(slot, record.address)
                placeKinds.publish(slot, tag)
                return slot
            }
        }
        return nil
    }

    func add(to summary: inout Statistics.Summary, vcpu: Int) {
        var sum = Statistics.Tally()
        for kind in ExitKind.allCases {
            let tally = tally(kindCounters, Int(kind.rawValue))
            guard tally.exits > 0 else { continue }
            summary.kinds[kind, default: .init()] += tally
            sum += tally
        }
        for slot in 0..<Self.slots {
            let tag = placeKinds.loadPublished(slot)
            guard tag > 0, let kind = ExitKind(rawValue: UInt8(truncatingIfNeeded: tag - 1)) else { continue }
            let place = Statistics.Place(kind: kind, address: placeAddresses.load(slot))
            summary.places[place, default: .init()] += tally(placeCounters, slot)
        }
        summary.others += tally(otherCounters, 0)
        summary.vcpus.append(sum)
    }

    private func tally(_ words: Words, _ row: Int) -> Statistics.Tally {
        Statistics.Tally(
            exits: words.load(row * Self.width), guestNanoseconds: words.load(row * Self.width + 1),
            monitorNanoseconds: words.load(row * Self.width + 2))
    }
}

/// Words that one thread writes and others read.
private final class Words: @unchecked Sendable {
    private let words: UnsafeMutablePointer<Atomic<UInt64>>

    init(count: Int) {
        words = .allocate(capacity: count)
        for place in 0..<count { (words + place).initialize(to: Atomic(0)) }
    }

    deinit { words.deallocate() }

    func load(_ place: Int) -> UInt64 { words[place].load(ordering: .relaxed) }
    func loadPublished(_ place: Int) -> UInt64 { words[place].load(ordering: .acquiring) }
    func store(_ place: Int, _ value: UInt64) { words[place].store(value, ordering: .relaxed) }
    func publish(_ place: Int, _ value: UInt64) { words[place].store(value, ordering: .releasing) }
    func add(_ place: Int, _ value: UInt64) { store(place, load(place) &+ value) }
}
