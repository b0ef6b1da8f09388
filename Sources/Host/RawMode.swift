internal import CHost
internal import Glibc
internal import Synchronization

/// A terminal in raw mode, for as long as this object lives: each key goes to the guest as it is pressed.
///
/// The terminal gets its settings back in `restore`, in deinit, when the process exits, and when a signal ends it;
/// only SIGKILL gives no chance to.
public final class RawMode: @unchecked Sendable {
    // Unchecked: `isActive` has its lock, the rest is constant.

    /// What a signal handler needs. It is never freed: a handler on another thread may be reading it.
    struct RestorePoint {
        var descriptor: Int32
        var settings: termios
        /// The actions that were in place before, by signal number.
        var previous: UnsafeMutablePointer<sigaction>
    }

    private let point: UnsafeMutablePointer<RestorePoint>
    private let isActive = Mutex(true)

    /// The terminal to restore from a signal handler or at exit: the address of a `RestorePoint`, or 0.
    /// Process-wide, as signal handlers have no argument to bring it in; the first terminal of several has it.
    private static let current = Atomic<UInt>(0)
    private static let atExit: Void = { _ = atexit { RawMode.restoreCurrent() } }()

    /// The signals that end a process, by a fault of its own or on request.
    private static let endings = [
        SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS, SIGTERM, SIGINT, SIGHUP, SIGQUIT,
    ]

    /// Puts a terminal into raw mode. What has been typed already stays to be read.
    /// - Parameter descriptor: a terminal; stays open for as long as this object lives.
    public init(descriptor: Int32) throws(HostError) {
        var settings = termios()
        guard tcgetattr(descriptor, &settings) == 0 else {
            throw HostError("read the settings of", "the terminal", errno: errno)
        }
        var raw = settings
        let input = IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON
        raw.c_iflag &= ~tcflag_t(input)
        raw.c_lflag &= ~tcflag_t(ECHO | ECHONL | ICANON | ISIG | IEXTEN)
        // OPOST stays: a bare newline, from a small guest or from the monitor, still begins a line at its start.
        raw.c_cflag &= ~tcflag_t(CSIZE | PARENB)
        raw.c_cflag |= tcflag_t(CS8)
        withUnsafeMutableBytes(of: &raw.c_cc) { characters in
            characters[Int(VMIN)] = 1
            characters[Int(VTIME)] = 0
        }
        point = .allocate(capacity: 1)
        let previous = UnsafeMutablePointer<sigaction>.allocate(capacity: 65)
        previous.initialize(repeating: sigaction(), count: 65)
        point.initialize(to: RestorePoint(descriptor: descriptor, settings: settings, previous: previous))
        _ = RawMode.atExit
        let isFirst = RawMode.current.compareExchange(
            expected: 0, desired: UInt(bitPattern: point), ordering: .sequentiallyConsistent
        ).exchanged
        if isFirst { installHandlers() }
        guard tcsetattr(descriptor, TCSANOW, &raw) == 0 else {
            let reason = errno
            restore()
            throw HostError("set", "the terminal to raw mode", errno: reason)
        }
    }

    deinit {
        restore()
    }

    /// Gives the terminal its settings back. Harmless to repeat.
    public func restore() {
        isActive.withLock { isActive in
            guard isActive else { return }
            isActive = false
            RawMode.apply(point)
            let isCurrent = RawMode.current.compareExchange(
                expected: UInt(bitPattern: point), desired: 0, ordering: .sequentiallyConsistent
            ).exchanged
            guard isCurrent else { return }
            for signal in RawMode.endings { _ = sigaction(signal, &point.pointee.previous[Int(signal)], nil) }
        }
    }

    private func installHandlers() {
        for signal in RawMode.endings {
            var action = sigaction()
            guard sigaction(signal, nil, &action) == 0 else { continue }
            point.pointee.previous[Int(signal)] = action
            // What the user has told us to ignore (nohup) goes on being ignored.
            if unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
                == unsafeBitCast(SIG_IGN, to: Int.self)
            {
                continue
            }
            action.__sigaction_handler.sa_handler = { signal in
                // Then the process ends as it would have without this handler: the signal stays blocked until
                // the handler returns, and comes again to the action put back here.
                var action = sigaction()
                if let point = RawMode.restoreCurrent() { action = point.pointee.previous[Int(signal)] }
                _ = sigaction(signal, &action, nil)
                _ = raise(signal)
            }
            action.sa_flags = 0
            sigemptyset(&action.sa_mask)
            _ = sigaction(signal, &action, nil)
        }
    }

    /// Safe in a signal handler: an atomic load and tcsetattr(3).
    @discardableResult
    private static func restoreCurrent() -> UnsafeMutablePointer<RestorePoint>? {
        let address = current.load(ordering: .sequentiallyConsistent)
        guard let point = UnsafeMutablePointer<RestorePoint>(bitPattern: address) else { return nil }
        apply(point)
        return point
    }

    private static func apply(_ point: UnsafeMutablePointer<RestorePoint>) {
        // A process in the background would be stopped for touching the terminal; this one is ending.
        var stop = sigset_t()
        sigemptyset(&stop)
        sigaddset(&stop, SIGTTOU)
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, &stop, &before)
        _ = tcsetattr(point.pointee.descriptor, TCSANOW, &point.pointee.settings)
        pthread_sigmask(SIG_SETMASK, &before, nil)
    }
}
