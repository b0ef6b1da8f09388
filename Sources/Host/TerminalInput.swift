internal import CHost
internal import Glibc
internal import Synchronization

/// What the user types, or what a pipe or file holds, on its way to the guest: as fast as the guest takes it.
///
/// Nothing is lost when much is pasted at once: bytes are handed over as far as the guest's serial port has room.
/// From a pipe or file no byte more is read than that, so that the rest is there for whoever reads on. From a
/// terminal up to 64 KiB are read ahead, so that Ctrl-A x works even if the guest reads nothing.
public final class TerminalInput: @unchecked Sendable {
    // Unchecked: everything but `isStarved` and the constants belongs to the loop's thread.

    /// What happens on the input.
    public enum Event: Equatable, Sendable {
        /// The user asks for something.
        case command(EscapeFilter.Command)
        /// There is no more input, and the guest has taken all there was: the pipe or file ended, the terminal
        /// went away. Comes once.
        case ended
    }

    /// The receiving end of a serial port, called on the loop's thread.
    public struct Receiver {
        /// How many bytes the guest has room for now.
        public let wantsInput: () -> Int
        /// Hands bytes over, not more than `wantsInput` gave; returns how many were taken. The others come again.
        public let receive: (UnsafeRawBufferPointer) -> Int

        /// - Parameters:
        ///   - wantsInput: how many bytes there is room for now.
        ///   - receive: takes bytes and returns how many it took.
        public init(wantsInput: @escaping () -> Int, receive: @escaping (UnsafeRawBufferPointer) -> Int) {
            self.wantsInput = wantsInput
            self.receive = receive
        }
    }

    /// Bytes read ahead from a terminal.
    public static let capacity = 64 << 10
    private static let chunkSize = 4096

    private let file: OwnedDescriptor
    private let loop: EventLoop
    private let receiver: Receiver
    private let onEvent: (Event) -> Void
    private var filter: EscapeFilter?
    private let queue = ByteQueue(capacity: capacity)
    private let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkSize, alignment: 16)
    private var source: EventLoop.Source?
    private var handler: ((EventLoop.Event) -> Void)?
    private var pump: (@Sendable () -> Void)?
    /// The descriptor has no more to give.
    private var isAtEnd = false
    private var isEndReported = false
    /// The guest had no room when it was last asked.
    private let isStarved = Atomic<Bool>(false)

    /// Begins to read when the loop runs.
    /// - Parameters:
    ///   - descriptor: where to read; duplicated, so it may be closed afterwards. One that is not open, or cannot
    ///     be read, is an input that has ended.
    ///   - loop: outlives the input.
    ///   - filtersEscapes: whether Ctrl-A begins a command; for terminals.
    ///   - receiver: the guest's serial port.
    ///   - onEvent: called on the loop's thread.
    public init(
        descriptor: Int32, loop: EventLoop, filtersEscapes: Bool, receiver: Receiver,
        onEvent: @escaping (Event) -> Void
    ) throws(HostError) {
        self.loop = loop
        self.receiver = receiver
        self.onEvent = onEvent
        filter = filtersEscapes ? EscapeFilter() : nil
        var own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        // /dev/null ends at the first read, as a descriptor that is not there should.
        if own < 0 { own = open("/dev/null", O_RDONLY | O_CLOEXEC) }
        guard own >= 0 else { throw HostError("read from", "descriptor \(descriptor)", errno: errno) }
        file = OwnedDescriptor(owning: own)
        handler = { [weak self] _ in
            self?.readOnce()
            self?.deliver()
        }
        pump = { [weak self] in self?.deliver() }
        loop.post { [weak self] in self?.deliver() }
    }

    deinit {
        chunk.deallocate()
    }

    /// Tells that the guest has taken bytes out of its serial port, or may want some for another reason. Cheap
    /// when nothing waits; call it from any thread.
    public func roomMayHaveGrown() {
        if isStarved.exchange(false, ordering: .acquiringAndReleasing), let pump { loop.post(pump) }
    }

    /// Stops reading: call it when the loop has ended, or on its thread.
    public func detach() {
        if let source { loop.remove(source) }
        source = nil
        handler = nil
        isAtEnd = true
        isEndReported = true
    }

    // MARK: On the loop's thread

    /// Reads what there is, once, as far as there is room for it.
    private func readOnce() {
        let limit = min(readingRoom, chunk.count)
        guard limit > 0 else { return }
        let count = read(file.rawValue, chunk.baseAddress, limit)
        if count < 0, errno == EINTR || errno == EAGAIN { return }
        // EIO says that the terminal is gone; every other error ends the input just as well.
        guard count > 0 else {
            isAtEnd = true
            return
        }
        for byte in chunk.prefix(count) {
            switch filter?.take(byte) ?? .pass(byte) {
            case .pass(let byte): queue.append(byte)
            case .command(let command): onEvent(.command(command))
            case .pending: break
            }
        }
    }

    /// How many bytes may be read now.
    private var readingRoom: Int {
        filter != nil ? queue.room : queue.isEmpty ? min(max(receiver.wantsInput(), 0), queue.room) : 0
    }

    /// Hands over what the guest takes, then waits for what is missing: input, room, or nothing more.
    private func deliver() {
        while true {
            let isRefused = !handOver()
            if queue.isEmpty, isAtEnd { return end() }
            watch(!isAtEnd && readingRoom > 0)
            let waitsForRoom = !queue.isEmpty || (filter == nil && !isAtEnd && source == nil)
            isStarved.store(waitsForRoom, ordering: .sequentiallyConsistent)
            // The guest may have made room before the mark stood there, and have told nobody.
            guard waitsForRoom, !isRefused, receiver.wantsInput() > 0 else { return }
        }
    }

    /// - Returns: false if the guest took nothing although it had said that there was room.
    private func handOver() -> Bool {
        while !queue.isEmpty {
            let bytes = queue.first.prefix(max(receiver.wantsInput(), 0))
            guard !bytes.isEmpty else { return true }
            let taken = receiver.receive(UnsafeRawBufferPointer(rebasing: bytes))
            guard taken > 0 else { return false }
            queue.removeFirst(min(taken, bytes.count))
        }
        return true
    }

    private func end() {
        watch(false)
        guard !isEndReported else { return }
        isEndReported = true
        onEvent(.ended)
    }

    /// Waits for input or not. Not waiting means to leave the loop: a source without interest still hears of a
    /// hang-up, which would come round after round while the guest has no room for the rest.
    private func watch(_ isWanted: Bool) {
        if !isWanted {
            if let source { loop.remove(source) }
            source = nil
        } else if source == nil, let handler {
            do throws(HostError) {
                source = try loop.add(file.rawValue, .readable, handler: handler)
            } catch {
                isAtEnd = true
                end()
            }
        }
    }
}
