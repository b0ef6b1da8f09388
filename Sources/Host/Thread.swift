internal import CHost
internal import Glibc
internal import Synchronization

/// A thread of the monitor (pthread): one per vCPU, one for the event loop.
///
/// Every signal is blocked in it but the kick signal and those that report a fault of the thread itself, so that
/// a SIGTERM goes to the event loop's signalfd and not into the middle of KVM_RUN.
public final class Thread: Sendable {
    /// The name, as debuggers and /proc show it: the first 15 bytes.
    public let name: String
    private let identifier: pthread_t
    /// Shared with the thread itself, which says in it that it is about to end.
    private let life: Life
    /// True once the thread has been joined: from then on its identifier means nothing.
    private let isJoined = Mutex(false)

    /// Bytes of a thread's stack; below 2 MiB, so that no huge page backs it.
    private static let stackSize = 512 << 10

    /// Starts a thread.
    /// - Parameters:
    ///   - name: shown by debuggers; only the first 15 bytes are kept.
    ///   - body: what the thread does; the thread ends when it returns.
    public init(name: String, _ body: @escaping @Sendable () -> Void) throws(HostError) {
        self.name = name
        let life = Life()
        let argument = Unmanaged.passRetained(Start(name: name, life: life, body: body))
        // Blocked before the thread exists, so that there is no moment in which it would take a signal.
        var blocked = Thread.blockedSignals()
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, &blocked, &before)
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        // The C library's usual 8 MiB would be backed by a huge page at the first touch: 2 MiB for a few KiB in use.
        pthread_attr_setstacksize(&attributes, Thread.stackSize)
        var identifier = pthread_t()
        let result = pthread_create(
            &identifier, &attributes,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                start.name.withCString { chost_set_thread_name($0) }
                var kick = sigset_t()
                sigemptyset(&kick)
                sigaddset(&kick, KickSignal.number)
                pthread_sigmask(SIG_UNBLOCK, &kick, nil)
                start.body()
                start.life.hasEnded.withLock { $0 = true }
                return nil
            }, argument.toOpaque())
        pthread_attr_destroy(&attributes)
        pthread_sigmask(SIG_SETMASK, &before, nil)
        guard result == 0 else {
            argument.release()
            throw HostError(
                "start", "thread '\(name)'", errno: result, hint: "raise the limit of processes (ulimit -u)")
        }
        self.identifier = identifier
        self.life = life
    }

    deinit {
        if !isJoined.withLock({ $0 }) { pthread_detach(identifier) }
    }

    /// Waits until the thread has ended. A second caller waits for the first.
    public func join() {
        isJoined.withLock { isJoined in
            if !isJoined { pthread_join(identifier, nil) }
            isJoined = true
        }
    }

    /// Sends a signal to the thread, also while someone is waiting for it in `join`.
    /// - Returns: false once the thread's body has returned.
    @discardableResult
    public func kill(_ signal: Int32) -> Bool {
        // While the lock is held and the thread has not marked its end, it exists, and so does its identifier.
        life.hasEnded.withLock { hasEnded in !hasEnded && pthread_kill(identifier, signal) == 0 }
    }

    /// Makes the thread leave KVM_RUN, or any other blocking call, with EINTR.
    @discardableResult
    public func kick() -> Bool {
        kill(KickSignal.number)
    }

    /// Whether the calling thread is this one.
    public var isCurrent: Bool { pthread_equal(pthread_self(), identifier) != 0 }

    /// All but those that the thread causes itself.
    private static func blockedSignals() -> sigset_t {
        var set = sigset_t()
        sigfillset(&set)
        for fault in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS] { sigdelset(&set, fault) }
        return set
    }

    private final class Life: Sendable {
        let hasEnded = Mutex(false)
    }

    /// What the new thread is given. It alone keeps it, so that what the body holds is freed when it ends.
    private final class Start: Sendable {
        let name: String
        let life: Life
        let body: @Sendable () -> Void
        init(name: String, life: Life, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.life = life
            self.body = body
        }
    }
}

/// The signal that takes a vCPU thread out of KVM_RUN: SIGUSR1, with a handler that does nothing.
public enum KickSignal {
    /// The signal's number.
    public static let number = SIGUSR1

    /// Installs the handler, for the whole process. Without SA_RESTART, so that KVM_RUN returns with EINTR
    /// instead of going on. Harmless to repeat.
    public static func install() throws(HostError) {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in }
        sigemptyset(&action.sa_mask)
        action.sa_flags = 0
        guard sigaction(number, &action, nil) == 0 else {
            throw HostError("install", "the handler of SIGUSR1", errno: errno)
        }
    }
}
