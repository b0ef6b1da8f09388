import Glibc
import Host
import Synchronization
import Testing

@Suite struct ThreadTests {
    @Test func kick_duringABlockingRead_interruptsIt() throws {
        try KickSignal.install()
        let pipe = try Pipe()
        let result = Atomic<Int32>(0)
        let isDone = Atomic<Bool>(false)
        try withExtendedLifetime(pipe) {
            let thread = try Thread(name: "blocked") {
                var byte: UInt8 = 0
                if read(pipe.readerNumber, &byte, 1) == -1 { result.store(errno, ordering: .relaxed) }
                isDone.store(true, ordering: .releasing)
            }
            // A kick before the read begins is lost by design; vCPUs close that gap by immediate_exit.
            while !isDone.load(ordering: .acquiring) {
                thread.kick()
                usleep(1000)
            }
            thread.join()
            thread.join()
            #expect(!thread.kick())
        }
        #expect(result.load(ordering: .relaxed) == EINTR)
    }

    @Test func kick_whileSomeoneJoins_stillArrives() throws {
        try KickSignal.install()
        let thread = try Thread(name: "paused") { pause() }
        let joiner = try Thread(name: "joiner") { thread.join() }
        while thread.kick() { usleep(1000) }
        joiner.join()
    }

    @Test func init_blocksWhatIsNotItsOwn() throws {
        let blocked = Mutex<[Int32]>([])
        let thread = try Thread(name: "masked") {
            var set = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &set)
            let members = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGWINCH, SIGUSR1, SIGSEGV, SIGBUS]
                .filter { sigismember(&set, $0) == 1 }
            blocked.withLock { $0 = members }
        }
        thread.join()
        #expect(blocked.withLock { $0 } == [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGWINCH])
    }

    @Test func init_name_isSeenByTheKernel() throws {
        let name = Mutex("")
        let thread = try Thread(name: "a name too long for it") {
            let file = try? MappedFile(path: "/proc/thread-self/comm")
            name.withLock { $0 = file.map { String(decoding: $0.bytes, as: UTF8.self) } ?? "" }
        }
        thread.join()
        #expect(name.withLock { $0 } == "a name too long\n")
    }

    @Test func monotonicClock_neverGoesBack() {
        let clock = MonotonicClock()
        let first = clock.nanoseconds
        #expect(clock.nanoseconds >= first)
        #expect(abs(Int(clock.secondsSince1970) - time(nil)) <= 1)
    }
}
