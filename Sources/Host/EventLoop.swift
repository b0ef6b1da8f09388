internal import CHost
internal import Glibc
internal import Synchronization

/// One thread's wait for everything slow: terminals, timers, signals, blocks from other threads (epoll(7)).
///
/// Sources are added, changed and removed on the loop's own thread, or before `run` is called; `post`, `stop`
/// and arming a timer work from any thread. Handlers run one at a time on the loop's thread. Once its sources
/// are there, the loop allocates nothing per event.
public final class EventLoop: @unchecked Sendable {
    // Unchecked: `sources`, `events` and `running` belong to the loop's thread; `shared` has its lock.

    /// What a source is waited on for.
    public struct Interest: OptionSet, Sendable {
        /// The bits.
        public let rawValue: UInt32
        /// - Parameter rawValue: the bits.
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// There is something to read, or the end of it.
        public static let readable = Interest(rawValue: EPOLLIN.rawValue)
        /// There is room to write.
        public static let writable = Interest(rawValue: EPOLLOUT.rawValue)
    }

    /// What happened to a source.
    public struct Event: OptionSet, Sendable {
        /// The bits.
        public let rawValue: UInt32
        /// - Parameter rawValue: the bits.
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// There is something to read, or the end of it.
        public static let readable = Event(rawValue: EPOLLIN.rawValue)
        /// There is room to write.
        public static let writable = Event(rawValue: EPOLLOUT.rawValue)
        /// The other side is gone, or the descriptor is in error. Reported whether asked for or not; read first,
        /// as there may be bytes left.
        public static let hangUp = Event(rawValue: EPOLLHUP.rawValue)
    }

    /// Names a source of one loop, until it is removed.
    public struct Source: Equatable, Sendable {
        let index: Int
        let generation: UInt32
    }

    struct Slot {
        var descriptor: Int32
        /// Counts the uses of this slot, so that an event fetched for its last user does not reach the next one.
        var generation: UInt32
        var interest: Interest
        /// Regular files and /dev/null are always ready, and epoll refuses them: the loop calls these in turn.
        var isAlwaysReady: Bool
        var handler: ((Event) -> Void)?
    }

    private struct Shared {
        var posted: [@Sendable () -> Void] = []
        var isStopped = false
    }

    let epoll: OwnedDescriptor
    private let wakeUp: OwnedDescriptor
    private let shared = Mutex(Shared())
    private var running: [@Sendable () -> Void] = []
    private let events: UnsafeMutableBufferPointer<epoll_event>
    var slots: [Slot] = []
    var freeSlots: [Int] = []
    var alwaysReadyCount = 0

    /// The `data` of the eventfd by which other threads end a wait; no slot has this number.
    private static let wakeUpMark = UInt64.max

    /// Makes a loop without sources.
    public init() throws(HostError) {
        let epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw HostError("create", "an event loop", errno: errno) }
        self.epoll = OwnedDescriptor(owning: epoll)
        let wakeUp = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        guard wakeUp >= 0 else { throw HostError("create", "an event descriptor", errno: errno) }
        self.wakeUp = OwnedDescriptor(owning: wakeUp)
        events = .allocate(capacity: 32)
        events.initialize(repeating: epoll_event())
        var event = epoll_event()
        event.events = EPOLLIN.rawValue
        event.data.u64 = EventLoop.wakeUpMark
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, wakeUp, &event) == 0 else {
            throw HostError("watch", "an event descriptor", errno: errno)
        }
    }

    deinit {
        events.deallocate()
    }

    // MARK: From any thread

    /// Runs a block on the loop's thread, after those posted before it. Blocks posted after `stop` run too, until
    /// `run` returns; those left over then run when `run` is called again.
    public func post(_ block: @escaping @Sendable () -> Void) {
        let wasEmpty = shared.withLock { shared in
            shared.posted.append(block)
            return shared.posted.count == 1
        }
        if wasEmpty { wake() }
    }

    /// Lets `run` return after the handlers that are due now.
    public func stop() {
        shared.withLock { $0.isStopped = true }
        wake()
    }

    /// Ends the current wait, or the next one.
    public func wake() {
        // An eventfd write only fails when 2^64 - 2 wake-ups are unread: then the wait ends anyway.
        _ = eventfd_write(wakeUp.rawValue, 1)
    }

    // MARK: On the loop's thread

    /// Handles events on the calling thread until `stop` is called.
    public func run() throws(HostError) {
        while true {
            // Drained first, so that what is posted before `run` or together with `stop` is not lost.
            let isStopped = runPosted()
            if isStopped { return }
            try waitOnce()
            callAlwaysReady()
        }
    }

    /// Runs what other threads posted.
    /// - Returns: whether `stop` was called; true only once per call of it.
    private func runPosted() -> Bool {
        let isStopped = shared.withLock { shared in
            // Swapped rather than copied: both arrays keep their storage from round to round.
            swap(&shared.posted, &running)
            let isStopped = shared.isStopped
            shared.isStopped = false
            return isStopped
        }
        for block in running { block() }
        running.removeAll(keepingCapacity: true)
        return isStopped
    }

    private func waitOnce() throws(HostError) {
        let timeout: Int32 = alwaysReadyCount > 0 ? 0 : -1
        let count = epoll_wait(epoll.rawValue, events.baseAddress, Int32(events.count), timeout)
        guard count >= 0 else {
            if errno == EINTR { return }
            throw HostError("wait for", "events", errno: errno)
        }
        for event in events.prefix(Int(count)) {
            let mark = event.data.u64
            if mark == EventLoop.wakeUpMark {
                var value: eventfd_t = 0
                _ = eventfd_read(wakeUp.rawValue, &value)
                continue
            }
            let index = Int(mark & 0xFFFF_FFFF)
            // An earlier handler of this round may have removed this source, and a new one may have its slot.
            guard slots[index].generation == UInt32(mark >> 32), let handler = slots[index].handler else { continue }
            // An error on a descriptor ends it just as a hang-up does: one bit is enough for both.
            let isInError = event.events & EPOLLERR.rawValue != 0
            handler(Event(rawValue: event.events | (isInError ? EPOLLHUP.rawValue : 0)))
        }
    }

    private func callAlwaysReady() {
        guard alwaysReadyCount > 0 else { return }
        for index in slots.indices {
            let slot = slots[index]
            guard slot.isAlwaysReady, !slot.interest.isEmpty, let handler = slot.handler else { continue }
            handler(Event(rawValue: slot.interest.rawValue))
        }
    }
}
