internal import CHost
public import Devices
internal import Glibc

/// The characters a guest sends, gathered and written to a terminal, pipe or file in few calls.
///
/// They go out at a newline, when 4 KiB have gathered, or 2 ms after the first of them, whichever comes first. No
/// write blocks: what the other side does not take stays in a buffer of 64 KiB that the event loop empties, and
/// only when that is full does `transmit` wait. `finish` writes out the rest before the process ends.
///
/// O_NONBLOCK belongs to the open file, which the shell that started us shares. So a terminal or pipe is opened
/// once more by its name under /proc and the flag set on that; where that is refused, each write is small and
/// made only when poll(2) sees room. Sockets have a flag for a single call, and files do not block.
public final class TerminalOutput: CharacterPort, @unchecked Sendable {
    // Unchecked: `queue` and the flags belong to `lock`, `source` to the loop's thread.

    /// Bytes that wait for a slow reader before `transmit` does.
    public static let capacity = 64 << 10
    /// Bytes that are written without waiting for the 2 ms to pass.
    private static let threshold = 4 << 10
    /// Nanoseconds that a byte may wait for others to go with it.
    private static let patience: UInt64 = 2_000_000
    /// Bytes that a write may have where it could block: a pipe with room takes 4096 (PIPE_BUF), a terminal
    /// promises nothing, so it gets few.
    private static let cautiousSize = 256

    private enum Kind {
        case free, cautious, socket
    }

    private let file: OwnedDescriptor
    private let kind: Kind
    /// Asked once: a terminal that has hung up no longer says that it is one.
    private let isTerminal: Bool
    private let name: String
    private let loop: EventLoop
    private let onLost: (HostError) -> Void
    private let lock = ConditionLock()
    private let queue = ByteQueue(capacity: capacity)
    private var timer: EventTimer?
    private var source: EventLoop.Source?
    /// The other side takes nothing at the moment; the loop waits for it.
    private var isBlocked = false
    private var loss: HostError?
    private var isLost: Bool { loss != nil }
    private var isReleased = false

    /// - Parameters:
    ///   - descriptor: where to write; duplicated, so it may be closed afterwards.
    ///   - name: what it is to the user, for messages.
    ///   - loop: writes what is left over; the timer and the source live in it until `finish`.
    ///   - onLost: called once, on the loop's thread, when nothing more can be written: the terminal is gone, the
    ///     pipe's reader has ended, the disk is full. What the guest sends after that is dropped.
    public init(
        descriptor: Int32, name: String = "the terminal", loop: EventLoop, onLost: @escaping (HostError) -> Void
    ) throws(HostError) {
        // Without this a reader that ends would end the monitor too, instead of an EPIPE.
        _ = signal(SIGPIPE, SIG_IGN)
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw HostError("write to", "descriptor \(descriptor)", errno: errno, hint: "give it a terminal or a file")
        }
        let type = status.st_mode & S_IFMT
        isTerminal = isatty(descriptor) == 1
        let canBlock = type == S_IFIFO || isTerminal
        var own: Int32 = -1
        if canBlock {
            own = open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        }
        if own >= 0 {
            kind = .free
        } else {
            kind = type == S_IFSOCK ? .socket : canBlock ? .cautious : .free
            own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
            guard own >= 0 else { throw HostError("duplicate", "descriptor \(descriptor)", errno: errno) }
        }
        file = OwnedDescriptor(owning: own)
        self.name = name
        self.loop = loop
        self.onLost = onLost
        timer = try EventTimer(loop: loop) { [weak self] in self?.drain() }
        source = try loop.add(own, []) { [weak self] event in
            if event.contains(.hangUp) { self?.noticeHangUp() }
            self?.drain()
        }
    }

    // MARK: From any thread

    /// Takes one character. Waits while the buffer is full and the reader slow, until `release`.
    public func transmit(_ byte: UInt8) {
        lock.lock()
        defer { lock.unlock() }
        while queue.room == 0, !isLost, !isReleased { lock.wait() }
        guard !isLost, queue.append(byte), !isBlocked else { return }
        if byte == UInt8(ascii: "\n") || queue.count >= TerminalOutput.threshold {
            writeOut()
            if isBlocked { timer?.arm(after: 0) }
        } else if queue.count == 1 {
            timer?.arm(after: TerminalOutput.patience)
        }
    }

    /// Takes a whole text, if there is room for it, and writes it as far as that goes without waiting.
    /// - Returns: whether there was room.
    @discardableResult
    public func offer(_ text: String) -> Bool {
        lock.lock()
        defer { lock.unlock() }
        guard !isLost, queue.room >= text.utf8.count else { return false }
        for byte in text.utf8 { _ = queue.append(byte) }
        if !isBlocked {
            writeOut()
            if isBlocked { timer?.arm(after: 0) }
        }
        return true
    }

    /// Writes what has gathered, as far as it is taken without waiting.
    public func flush() {
        lock.lock()
        defer { lock.unlock() }
        guard !isBlocked else { return }
        writeOut()
        if isBlocked { timer?.arm(after: 0) }
    }

    /// Lets every waiting `transmit` return, and no more wait: for a machine that is to stop while nobody reads.
    /// What does not fit the buffer is dropped from now on.
    public func release() {
        lock.lock()
        isReleased = true
        lock.wakeAll()
        lock.unlock()
    }

    /// Writes out everything before the process ends, waiting for a slow reader.
    /// - Parameter limit: milliseconds to wait in all; nil for as long as the reader takes.
    /// - Returns: whether everything was written.
    @discardableResult
    public func finish(limit: Int32? = nil) -> Bool {
        let clock = MonotonicClock()
        let end = limit.map { clock.nanoseconds + UInt64(max($0, 0)) * 1_000_000 }
        while true {
            lock.lock()
            isBlocked = false
            writeOut()
            let isDone = queue.isEmpty || isLost
            let isWritten = !isLost
            lock.unlock()
            if isDone { return isWritten }
            let now = clock.nanoseconds
            if let end, now >= end { return false }
            var target = pollfd(fd: file.rawValue, events: Int16(POLLOUT), revents: 0)
            _ = poll(&target, 1, end.map { Int32(clamping: ($0 - now) / 1_000_000 + 1) } ?? -1)
        }
    }

    /// Why nothing more can be written; nil while it can. `onLost` is told so, too, where the loop still runs.
    public var lossError: HostError? {
        lock.lock()
        defer { lock.unlock() }
        return loss
    }

    // MARK: On the loop's thread

    /// Takes the output out of its loop: call it when the loop has ended, or on its thread.
    public func detach() {
        timer?.cancel()
        if let source { loop.remove(source) }
        source = nil
    }

    private func drain() {
        lock.lock()
        isBlocked = false
        writeOut()
        let interest: EventLoop.Interest = isBlocked ? .writable : []
        lock.unlock()
        guard let source else { return }
        // It was watched a moment ago; should the loop refuse now, the next byte arms the timer again.
        try? loop.change(source, to: interest)
    }

    private func noticeHangUp() {
        // A hang-up lasts, so the source would be called again and again.
        if let source { loop.remove(source) }
        source = nil
        lock.lock()
        if !isLost { lose(isTerminal ? EIO : EPIPE) }
        lock.unlock()
    }

    // MARK: Under the lock

    /// Writes until the queue is empty, or sets `isBlocked` or `isLost`.
    private func writeOut() {
        let before = queue.count
        while !queue.isEmpty, !isLost, !isBlocked {
            let written = writeOnce(queue.first)
            if written > 0 {
                queue.removeFirst(written)
            } else if written == 0 || errno == EAGAIN {
                isBlocked = true
            } else if errno != EINTR {
                lose(errno)
            }
        }
        if queue.count < before { lock.wakeAll() }
    }

    private func writeOnce(_ bytes: UnsafeRawBufferPointer) -> Int {
        switch kind {
        case .free: return write(file.rawValue, bytes.baseAddress, bytes.count)
        case .socket:
            let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
            return send(file.rawValue, bytes.baseAddress, bytes.count, flags)
        case .cautious:
            var target = pollfd(fd: file.rawValue, events: Int16(POLLOUT), revents: 0)
            guard poll(&target, 1, 0) > 0 else { return 0 }
            return write(file.rawValue, bytes.baseAddress, min(bytes.count, TerminalOutput.cautiousSize))
        }
    }

    private func lose(_ errorNumber: Int32) {
        let error = HostError("write to", name, errno: errorNumber, hint: "the guest's output is lost")
        loss = error
        queue.removeAll()
        lock.wakeAll()
        loop.post { [self] in onLost(error) }
    }
}
