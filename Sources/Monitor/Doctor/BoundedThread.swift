internal import Glibc
internal import KVM
internal import Synchronization

/// Runs vCPUs on threads of their own for at most a given time, as a broken KVM may spin or sleep for ever.
///
/// When the time is over, every vCPU is called out of the guest: the flag that KVM_RUN looks at when it begins, and a
/// signal for one that has begun.
final class BoundedThread: Sendable {
    /// What the body is given: whether it shall end, and where it puts its vCPU's exit request.
    final class Control: Sendable {
        private struct State {
            var request: ExitRequest?
            var isOver = false
        }

        private let state = Mutex(State())

        /// Whether the time is over.
        var isOver: Bool { state.withLock { $0.isOver } }

        /// Makes this vCPU the one to call out of the guest; nil before it is closed.
        func watch(_ request: ExitRequest?) {
            state.withLock {
                $0.request = request
                if $0.isOver { request?.set() }
            }
        }

        fileprivate func end() {
            state.withLock {
                $0.isOver = true
                $0.request?.set()
            }
        }
    }

    private let control = Control()
    private let body: @Sendable (Control) -> Void
    /// A pipe whose writing end is closed when the body has ended.
    private let done: Int32
    private let ending: Int32

    private init(_ body: @escaping @Sendable (Control) -> Void) {
        self.body = body
        var ends: [Int32] = [-1, -1]
        // Without a pipe, poll waits for nothing but the end of the time.
        if pipe(&ends) == 0 { for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) } }
        done = ends[0]
        ending = ends[1]
    }

    deinit { close(done) }

    /// Runs all bodies at the same time, each on its own thread.
    /// - Parameters:
    ///   - milliseconds: when they are called to end.
    ///   - until: the bodies whose end ends all others; nil to wait for each of them.
    /// - Returns: whether they ended by themselves. One that does not even end when called is left behind.
    @discardableResult
    static func run(
        milliseconds: Int32, until first: Int? = nil, _ bodies: [@Sendable (Control) -> Void]
    ) -> Bool {
        let threads = bodies.map { BoundedThread($0) }
        let restored = installWakeUp()
        let started = threads.compactMap { thread in thread.start().map { (thread, $0) } }
        var inTime = started.count == threads.count
        if let first, threads.indices.contains(first) {
            inTime = threads[first].wait(milliseconds) && inTime
        } else {
            for thread in threads { inTime = thread.wait(milliseconds) && inTime }
        }
        var allEnded = true
        for (thread, handle) in started { allEnded = thread.end(handle) && allEnded }
        // A thread that is left behind may still be hit by the signal.
        if allEnded { restore(restored) }
        return inTime
    }

    private func start() -> pthread_t? {
        var handle = pthread_t()
        let box = Unmanaged.passRetained(self)
        let result = pthread_create(
            &handle, nil,
            { box in
                guard let box else { return nil }
                let thread = Unmanaged<BoundedThread>.fromOpaque(box).takeRetainedValue()
                thread.body(thread.control)
                close(thread.ending)
                return nil
            }, box.toOpaque())
        guard result == 0 else {
            box.release()
            close(ending)
            return nil
        }
        return handle
    }

    private func wait(_ milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: done, events: Int16(POLLIN | POLLHUP), revents: 0)
        while true {
            let result = poll(&entry, 1, milliseconds)
            if result >= 0 || errno != EINTR { return result > 0 }
        }
    }

    /// Calls the body to end, for at most a second, and waits for its thread.
    private func end(_ handle: pthread_t) -> Bool {
        control.end()
        for _ in 0..<1000 {
            if wait(0) { return pthread_join(handle, nil) == 0 }
            pthread_kill(handle, Self.wakeUp)
            if wait(1) { return pthread_join(handle, nil) == 0 }
        }
        pthread_detach(handle)
        return false
    }

    /// The last but one of the real-time signals, which nothing else here uses.
    private static var wakeUp: Int32 { __libc_current_sigrtmax() - 1 }

    private static func installWakeUp() -> sigaction {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in }
        var old = sigaction()
        sigaction(wakeUp, &action, &old)
        return old
    }

    private static func restore(_ old: sigaction) {
        var old = old
        sigaction(wakeUp, &old, nil)
    }
}
