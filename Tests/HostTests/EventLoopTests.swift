import Glibc
import Host
import Synchronization
import Testing

@Suite struct EventLoopTests {
    /// Counts on the loop's thread.
    final class Counter: @unchecked Sendable {
        var value = 0
        var log: [Int] = []
    }

    @Test func post_fromFourThreads_losesNothingAndKeepsEachThreadsOrder() throws {
        let loop = try EventLoop()
        let counters = (0..<4).map { _ in Counter() }
        let threads = try counters.map { counter in
            try Thread(name: "poster") {
                for number in 0..<25_000 {
                    loop.post {
                        if counter.value == number { counter.value += 1 }
                    }
                }
            }
        }
        let stopper = try Thread(name: "stopper") {
            for thread in threads { thread.join() }
            loop.stop()
        }
        try loop.run()
        stopper.join()
        #expect(counters.map(\.value) == [25_000, 25_000, 25_000, 25_000])
    }

    @Test func stop_beforeRun_returnsAfterWhatWasPosted() throws {
        let loop = try EventLoop()
        let counter = Counter()
        loop.post { counter.value += 1 }
        loop.stop()
        loop.post { counter.value += 1 }
        try loop.run()
        #expect(counter.value == 2)
    }

    @Test func add_pipe_isReadableThenHangsUp() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        let counter = Counter()
        var source: EventLoop.Source?
        source = try loop.add(pipe.reader.rawValue, .readable) { event in
            var byte: UInt8 = 0
            if event.contains(.readable) {
                #expect(read(pipe.readerNumber, &byte, 1) == 1)
                counter.log.append(Int(byte))
                if byte == 3 { pipe.closeWriter() }
            } else if event.contains(.hangUp) {
                if let source { loop.remove(source) }
                loop.stop()
            }
        }
        pipe.write([1, 2, 3])
        try loop.run()
        #expect(counter.log == [1, 2, 3])
    }

    @Test func remove_inTheSameRound_silencesAnEventAlreadyThere() throws {
        let loop = try EventLoop()
        let pipes = [try Pipe(), try Pipe()]
        let counter = Counter()
        var sources: [EventLoop.Source] = []
        for (index, pipe) in pipes.enumerated() {
            pipe.write([1])
            sources.append(
                try loop.add(pipe.readerNumber, .readable) { _ in
                    counter.log.append(index)
                    // Both are ready. The one called first removes both, and a third takes a freed slot.
                    for source in sources { loop.remove(source) }
                    loop.remove(sources[index])
                    _ = try? loop.add(pipes[index].writerNumber, []) { _ in counter.log.append(99) }
                    loop.stop()
                })
        }
        try loop.run()
        #expect(counter.log.count == 1 && counter.log != [99])
    }

    @Test func change_toNothing_pausesASource() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        let counter = Counter()
        var source: EventLoop.Source?
        source = try loop.add(pipe.readerNumber, .readable) { _ in
            counter.value += 1
            if let source { try? loop.change(source, to: []) }
        }
        pipe.write([1])
        let timer = try EventTimer(loop: loop) { loop.stop() }
        timer.arm(after: 20_000_000)
        try loop.run()
        #expect(counter.value == 1)
        timer.cancel()
    }

    @Test(arguments: ["/dev/null", "/proc/self/status"])
    func add_descriptorThatEpollRefuses_isAlwaysReady(path: String) throws {
        let loop = try EventLoop()
        let file = OwnedDescriptor(owning: open(path, O_RDONLY))
        let counter = Counter()
        var source: EventLoop.Source?
        source = try loop.add(file.rawValue, .readable) { event in
            #expect(event == .readable)
            counter.value += 1
            if counter.value == 3, let source { try? loop.change(source, to: []) }
        }
        let timer = try EventTimer(loop: loop) { loop.stop() }
        timer.arm(after: 20_000_000)
        try loop.run()
        #expect(counter.value == 3)
        timer.cancel()
    }

    @Test func add_closedDescriptor_isAnError() throws {
        let loop = try EventLoop()
        let error = #expect(throws: HostError.self) { try loop.add(-1, .readable) { _ in } }
        #expect(error?.errorNumber == EBADF)
    }

    @Test func timer_periodic_expiresAgainAndAgain() throws {
        let loop = try EventLoop()
        let counter = Counter()
        let timer = try EventTimer(loop: loop) {
            counter.value += 1
            if counter.value == 5 { loop.stop() }
        }
        timer.arm(after: 0, every: 1_000_000)
        try loop.run()
        #expect(counter.value == 5)
        timer.cancel()
    }

    @Test func timer_disarmed_staysSilent() throws {
        let loop = try EventLoop()
        let counter = Counter()
        let silent = try EventTimer(loop: loop) { counter.value += 1 }
        silent.arm(after: 1_000_000)
        silent.disarm()
        let end = try EventTimer(loop: loop) { loop.stop() }
        end.arm(after: 20_000_000)
        try loop.run()
        #expect(counter.value == 0)
        silent.cancel()
        end.cancel()
    }
}
