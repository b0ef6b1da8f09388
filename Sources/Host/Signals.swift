internal import CHost
internal import Glibc

/// Requests to end, taken from signals on the event loop: SIGTERM, SIGINT, SIGHUP and SIGQUIT (signalfd(2)).
///
/// Make it on the main thread before any other thread is started: the signals are blocked there, and threads
/// begin with the mask of the thread that makes them.
public final class Signals: @unchecked Sendable {
    // Unchecked: used on the loop's thread, as the type says.
    private let file: OwnedDescriptor
    private let loop: EventLoop
    private var source: EventLoop.Source?
    private var previousMask = sigset_t()

    /// The signals that ask a process to end, in the order of their manual page.
    public static let endRequests = [SIGHUP, SIGINT, SIGQUIT, SIGTERM]

    /// Whether one of them has come and is held back: for whoever waits for something else, and cannot hear it.
    public static var endIsPending: Bool {
        var pending = sigset_t()
        sigpending(&pending)
        return endRequests.contains { sigismember(&pending, $0) == 1 }
    }

    /// - Parameters:
    ///   - loop: outlives this object.
    ///   - onRequest: called on the loop's thread with the signal's number. Signals that were ignored when the
    ///     process was started (SIGHUP under nohup) go on being ignored.
    public init(loop: EventLoop, onRequest: @escaping (Int32) -> Void) throws(HostError) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in Signals.endRequests {
            var action = sigaction()
            _ = sigaction(signal, nil, &action)
            let handler = unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            if handler != unsafeBitCast(SIG_IGN, to: Int.self) { sigaddset(&set, signal) }
        }
        let number = signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK))
        guard number >= 0 else { throw HostError("watch", "signals", errno: errno) }
        file = OwnedDescriptor(owning: number)
        self.loop = loop
        source = try loop.add(number, .readable) { _ in
            var information = signalfd_siginfo()
            let size = MemoryLayout<signalfd_siginfo>.size
            while read(number, &information, size) == size { onRequest(Int32(information.ssi_signo)) }
        }
        pthread_sigmask(SIG_BLOCK, &set, &previousMask)
    }

    /// Leaves the loop and gives the calling thread its signal mask back; call it on the thread that made this.
    public func close() {
        if let source { loop.remove(source) }
        source = nil
        pthread_sigmask(SIG_SETMASK, &previousMask, nil)
    }
}
