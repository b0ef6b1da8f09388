import Glibc
import Host
import Testing

@Suite struct SignalsTests {
    @Test(arguments: Signals.endRequests)
    func signal_endRequest_arrivesOnTheLoop(number: Int32) async throws {
        // In a process of its own: the tests' other threads would take the signal.
        await #expect(processExitsWith: .exitCode(42)) { [number = number as Int32] in
            let thread = try Thread(name: "loop") {
                // This thread alone is signalled, so the others' masks do not matter.
                guard let loop = try? EventLoop() else { exit(1) }
                let signals = try? Signals(loop: loop) { received in exit(received == number ? 42 : 2) }
                pthread_kill(pthread_self(), number)
                withExtendedLifetime(signals) { try? loop.run() }
            }
            thread.join()
        }
    }

    @Test func close_givesTheMaskBack() throws {
        let loop = try EventLoop()
        var before = sigset_t()
        var after = sigset_t()
        pthread_sigmask(SIG_BLOCK, nil, &before)
        let signals = try Signals(loop: loop) { _ in }
        pthread_sigmask(SIG_BLOCK, nil, &after)
        #expect(sigismember(&after, SIGTERM) == 1)
        signals.close()
        pthread_sigmask(SIG_BLOCK, nil, &after)
        #expect(sigismember(&after, SIGTERM) == sigismember(&before, SIGTERM))
    }
}
