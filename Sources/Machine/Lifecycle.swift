internal import Glibc

/// Whether the vCPUs run, pause or end: the one place where threads wait for each other.
///
/// A vCPU that is called out of KVM_RUN comes to ``checkpoint(_:)``, waits there while the machine is paused, and
/// leaves its loop when the machine has a reason to stop. The first reason counts.
final class Lifecycle: @unchecked Sendable {
    // Unchecked: everything below the lock is only touched while it is held.
    private var lock = pthread_mutex_t()
    private var changed = pthread_cond_t()
    private var pauses = 0
    private var parked = 0
    private var running = 0
    private var reason: StopReason?
    private var whenStopped: (@Sendable () -> Void)?

    init() {
        pthread_mutex_init(&lock, nil)
        pthread_cond_init(&changed, nil)
    }

    deinit {
        pthread_cond_destroy(&changed)
        pthread_mutex_destroy(&lock)
    }

    private func locked<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(&lock)
        defer { pthread_mutex_unlock(&lock) }
        return body()
    }

    /// A vCPU's thread is about to enter its loop.
    func enter() {
        locked { running += 1 }
    }

    /// What to call, on a vCPU's thread, when the last vCPU has left its loop.
    func onStop(_ body: @escaping @Sendable () -> Void) {
        locked { whenStopped = body }
    }

    /// A vCPU's thread has left its loop.
    func leave() {
        let whenStopped = locked {
            running -= 1
            pthread_cond_broadcast(&changed)
            return running == 0 && reason != nil ? self.whenStopped : nil
        }
        whenStopped?()
    }

    /// Where a vCPU comes when it was called out of the guest. It waits here while the machine is paused.
    /// - Parameter clear: takes the vCPU's exit request back; called while no new one can be made.
    /// - Returns: whether the vCPU goes on; false means that the machine ends.
    func checkpoint(_ clear: () -> Void) -> Bool {
        locked {
            parked += 1
            pthread_cond_broadcast(&changed)
            while pauses > 0, reason == nil { pthread_cond_wait(&changed, &lock) }
            parked -= 1
            // A stop leaves the request standing: nobody enters the guest again.
            guard reason == nil else { return false }
            clear()
            return true
        }
    }

    /// Ends the machine, unless something ended it already.
    /// - Parameter callOut: makes the exit requests; called while no vCPU can take one back.
    func stop(_ reason: StopReason, callOut: () -> Void) {
        locked {
            if self.reason == nil { self.reason = reason }
            callOut()
            pthread_cond_broadcast(&changed)
        }
    }

    /// Pauses and waits until every vCPU waits at its checkpoint (or has ended). Pauses add up.
    func pause(callOut: () -> Void) {
        locked {
            pauses += 1
            callOut()
            while parked < running, reason == nil { pthread_cond_wait(&changed, &lock) }
        }
    }

    /// Takes one pause back; the vCPUs go on when none is left.
    func resume() {
        locked {
            precondition(pauses > 0, "resume without pause")
            pauses -= 1
            pthread_cond_broadcast(&changed)
        }
    }

    /// Waits until every vCPU has left its loop.
    /// - Returns: why.
    func waitUntilStopped() -> StopReason {
        locked {
            while reason == nil || running > 0 { pthread_cond_wait(&changed, &lock) }
            return reason ?? .stopped
        }
    }

    /// Why the machine ends; nil while it runs.
    var stopReason: StopReason? { locked { reason } }
}
