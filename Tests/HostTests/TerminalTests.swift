import Glibc
import Host
import Synchronization
import Testing

@Suite struct TerminalTests {
    /// A serial port with a FIFO of 16 bytes.
    final class Port: Sendable {
        private let fifo = Mutex<[UInt8]>([])

        var receiver: TerminalInput.Receiver {
            TerminalInput.Receiver(
                wantsInput: { self.fifo.withLock { 16 - $0.count } },
                receive: { bytes in
                    self.fifo.withLock { fifo in
                        let taken = min(bytes.count, 16 - fifo.count)
                        fifo += bytes.prefix(taken)
                        return taken
                    }
                })
        }

        /// What the guest reads: one byte.
        func take() -> UInt8? { fifo.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
        var waiting: [UInt8] { fifo.withLock { $0 } }
    }

    final class Events: Sendable {
        private let events = Mutex<[Terminal.Event]>([])
        func append(_ event: Terminal.Event) { events.withLock { $0.append(event) } }
        var all: [Terminal.Event] { events.withLock { $0 } }
    }

    static let paste = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 / 7 &+ $0) | 0x20 }

    @Test(arguments: [false, true])
    func input_pastedInBulk_reachesASlowGuestWhole(isTerminal: Bool) throws {
        let loop = try EventLoop()
        let port = Port()
        let pseudo = try PseudoTerminal()
        let pipe = try Pipe()
        let descriptor = isTerminal ? pseudo.line : pipe.readerNumber
        let terminal = try Terminal(input: descriptor, output: pseudo.line, loop: loop, receiver: port.receiver) { _ in
        }
        let looper = try Thread(name: "loop") { try? loop.run() }
        let typist = try Thread(name: "typist") {
            if isTerminal { pseudo.type(Self.paste) } else { pipe.write(Self.paste) }
        }
        var received: [UInt8] = []
        while received.count < Self.paste.count {
            if let byte = port.take() {
                received.append(byte)
                terminal.input.roomMayHaveGrown()
            } else {
                sched_yield()
            }
        }
        typist.join()
        loop.stop()
        looper.join()
        #expect(received == Self.paste)
        terminal.close()
    }

    @Test func input_pipe_isReadOnlyAsFarAsTheGuestHasRoom() throws {
        let loop = try EventLoop()
        let port = Port()
        let pipe = try Pipe()
        let sink = try Pipe()
        let terminal = try Terminal(
            input: pipe.readerNumber, output: sink.writerNumber, loop: loop, receiver: port.receiver
        ) { _ in }
        pipe.write(Array(0..<40))
        pipe.closeWriter()
        let timer = try EventTimer(loop: loop) { loop.stop() }
        timer.arm(after: 20_000_000)
        try loop.run()
        terminal.close()
        timer.cancel()
        #expect(port.waiting == Array(0..<16))
        // The rest is there for the next reader.
        #expect(readAll(pipe.readerNumber) == Array(16..<40))
    }

    @Test func input_pipeEnds_isReportedAfterTheGuestHasEverything() throws {
        let loop = try EventLoop()
        let port = Port()
        let events = Events()
        let pipe = try Pipe()
        let sink = try Pipe()
        let terminal = try Terminal(
            input: pipe.readerNumber, output: sink.writerNumber, loop: loop, receiver: port.receiver
        ) { event in
            events.append(event)
            loop.stop()
        }
        pipe.write(Array(0..<100))
        pipe.closeWriter()
        let looper = try Thread(name: "loop") { try? loop.run() }
        var received: [UInt8] = []
        while received.count < 100 {
            if let byte = port.take() {
                received.append(byte)
                if received.count < 84 { #expect(events.all.isEmpty) }
                terminal.input.roomMayHaveGrown()
            }
        }
        looper.join()
        #expect(received == Array(0..<100))
        #expect(events.all == [.inputEnded])
        #expect(!terminal.isInteractive)
        terminal.close()
    }

    @Test(arguments: ["/dev/null", "closed"])
    func input_nothingThere_endsAtOnce(path: String) throws {
        let loop = try EventLoop()
        let events = Events()
        let file = OwnedDescriptor(owning: open(path == "closed" ? "/dev/null" : path, O_RDONLY))
        let sink = try Pipe()
        let terminal = try Terminal(
            input: path == "closed" ? 999_999 : file.rawValue, output: sink.writerNumber, loop: loop,
            receiver: Port().receiver
        ) { event in
            events.append(event)
            loop.stop()
        }
        try loop.run()
        #expect(events.all == [.inputEnded])
        terminal.close()
    }

    @Test func input_file_isReadToItsEnd() throws {
        let loop = try EventLoop()
        let events = Events()
        let folder = TemporaryFolder()
        let path = try folder.write("no room for all of this at once\n")
        let file = OwnedDescriptor(owning: open(path, O_RDONLY))
        let sink = try Pipe()
        let received = Mutex<[UInt8]>([])
        let receiver = TerminalInput.Receiver(
            wantsInput: { 5 },
            receive: { bytes in
                received.withLock { $0 += bytes }; return bytes.count
            })
        let terminal = try Terminal(
            input: file.rawValue, output: sink.writerNumber, loop: loop, receiver: receiver
        ) { event in
            events.append(event)
            loop.stop()
        }
        try loop.run()
        #expect(received.withLock { $0 } == Array("no room for all of this at once\n".utf8))
        terminal.close()
    }

    @Test func input_terminalHangsUp_isReportedOnce() throws {
        let loop = try EventLoop()
        let events = Events()
        let pseudo = try PseudoTerminal()
        let terminal = try Terminal(
            input: pseudo.line, output: pseudo.line, loop: loop, receiver: Port().receiver
        ) { events.append($0) }
        let timer = try EventTimer(loop: loop) { loop.stop() }
        timer.arm(after: 50_000_000)
        pseudo.hangUp()
        try loop.run()
        let lost = HostError("write to", "the terminal", errno: EIO, hint: "the guest's output is lost")
        #expect(events.all.filter { $0 == .inputEnded }.count == 1)
        #expect(events.all.filter { $0 == .outputLost(lost) }.count == 1)
        #expect(events.all.count == 2)
        terminal.close()
        timer.cancel()
    }

    @Test func input_ctrlAx_isHeardEvenIfTheGuestReadsNothing() throws {
        let loop = try EventLoop()
        let port = Port()
        let events = Events()
        let pseudo = try PseudoTerminal()
        let terminal = try Terminal(input: pseudo.line, output: pseudo.line, loop: loop, receiver: port.receiver) {
            events.append($0)
            loop.stop()
        }
        pseudo.type([UInt8](repeating: 65, count: 2000) + [1, UInt8(ascii: "x")])
        try loop.run()
        #expect(events.all == [.command(.stop)])
        #expect(port.waiting == [UInt8](repeating: 65, count: 16))
        terminal.close()
    }

    @Test func close_restoresTheTerminal() throws {
        let loop = try EventLoop()
        let pseudo = try PseudoTerminal()
        #expect(pseudo.isCooked)
        let terminal = try Terminal(
            input: pseudo.line, output: pseudo.line, loop: loop, receiver: Port().receiver
        ) { _ in }
        #expect(terminal.isInteractive && !pseudo.isCooked)
        terminal.close()
        #expect(pseudo.isCooked)
    }

    @Test func rawMode_notATerminal_isRefused() throws {
        let pipe = try Pipe()
        let error = #expect(throws: HostError.self) { _ = try RawMode(descriptor: pipe.readerNumber) }
        #expect(error?.errorNumber == ENOTTY)
    }

    @Test func rawMode_processEndsBySIGTERM_restoresTheTerminal() async throws {
        let pseudo = try PseudoTerminal()
        let path = pseudo.path
        await #expect(processExitsWith: .signal(SIGTERM)) { [path = path as String] in
            let line = open(path, O_RDWR | O_NOCTTY)
            let mode = try RawMode(descriptor: line)
            withExtendedLifetime(mode) {
                _ = kill(getpid(), SIGTERM); sleep(10)
            }
        }
        #expect(pseudo.isCooked)
    }

    @Test func rawMode_processCrashes_restoresTheTerminal() async throws {
        let pseudo = try PseudoTerminal()
        let path = pseudo.path
        await #expect(processExitsWith: .failure) { [path = path as String] in
            let line = open(path, O_RDWR | O_NOCTTY)
            let mode = try RawMode(descriptor: line)
            withExtendedLifetime(mode) { _ = raise(SIGSEGV) }
        }
        #expect(pseudo.isCooked)
    }

    @Test func rawMode_processExits_restoresTheTerminal() async throws {
        let pseudo = try PseudoTerminal()
        let path = pseudo.path
        await #expect(processExitsWith: .exitCode(7)) { [path = path as String] in
            let line = open(path, O_RDWR | O_NOCTTY)
            let mode = try RawMode(descriptor: line)
            withExtendedLifetime(mode) { exit(7) }
        }
        #expect(pseudo.isCooked)
    }

    @Test func size_ofATerminal_isItsWindow() throws {
        let pseudo = try PseudoTerminal(columns: 132, rows: 43)
        let size = try #require(Terminal.size(of: pseudo.line))
        #expect(size.columns == 132 && size.rows == 43)
        #expect(Terminal.size(of: try Pipe().readerNumber) == nil)
    }
}
