import Foundation
import Testing

/// The guest's serial port and the user: pipes, terminals, keys, signals, and a user who goes away.
@Suite struct ConsoleTests {
    private static func start(
        _ program: [UInt8], in folder: TestFolder, _ options: [String] = [], input: Child.Input = .nothing,
        output: Child.Output = .pipe
    ) throws -> Child {
        let file = try folder.file("program", program)
        return try MiniKVM.start(
            ["run", "--flat", file, "--at", TinyProgram.address] + options, input: input, output: output)
    }

    /// 100 kB of every byte but Ctrl-D, which ends the guest: also Ctrl-A, Ctrl-C and zeros.
    private static func paste(without excluded: Set<UInt8>) -> [UInt8] {
        let alphabet = (UInt8.min...UInt8.max).filter { !excluded.contains($0) }
        // Each byte is four exits, of 100 µs each and more in the box: there, a tenth of it.
        return (0..<(Bed.current == .box ? 10_000 : 100_000)).map { alphabet[($0 &* 7 &+ $0 / 251) % alphabet.count] }
    }

    // MARK: Input

    @Test func input_pastedThroughAPipe_allComesBackInOrder() throws {
        let folder = try TestFolder()
        let bytes = Self.paste(without: [4])
        let child = try Self.start(TinyProgram.bufferedEcho, in: folder, input: .pipe)
        child.send(bytes)
        child.closeInput()
        let outcome = child.finish()
        outcome.expect(status: 0)
        #expect(child.output == Array(">".utf8) + bytes, "\(child.output.count) of \(bytes.count + 1) bytes came back")
    }

    @Test func input_pastedThroughATerminal_allComesBackInOrder() throws {
        let folder = try TestFolder()
        // Ctrl-A is the monitor's; a newline comes back as two characters.
        let bytes = Self.paste(without: [1, 4, 10])
        let child = try Self.start(TinyProgram.bufferedEcho, in: folder, input: .terminal, output: .terminal)
        try child.waitFor(">")
        child.send(bytes + [4])
        let outcome = child.finish()
        outcome.expect(status: 0)
        #expect(child.output == Array(">".utf8) + bytes, "\(child.output.count) of \(bytes.count + 1) bytes came back")
    }

    /// The lesson asks for each byte without a FIFO.
    @Test func echo_manyLinesThroughAPipe_allComesBack() throws {
        let line = String(repeating: "The quick brown fox jumps over it. ", count: 2) + "\n"
        let text = String(repeating: line, count: Bed.current == .box ? 28 : 140)
        let outcome = try MiniKVM.run(["run", "echo"], sending: Array(text.utf8))
        outcome.expect(status: 0)
        #expect(outcome.output.hasPrefix("echo: type something; Ctrl-D ends\n" + text), "\(outcome.text)")
        let digits = String(text.utf8.count, radix: 16, uppercase: true)
        let count = "0x" + String(repeating: "0", count: 8 - digits.count) + digits
        #expect(outcome.output.hasSuffix("echo: bytes received: \(count)\n"), "\(outcome.output.suffix(80))")
    }

    @Test func input_atItsEnd_isACtrlDToTheGuest() throws {
        let folder = try TestFolder()
        let child = try Self.start(TinyProgram.bufferedEcho, in: folder, input: .nothing)
        child.finish().expect(status: 0)
        #expect(child.output == Array(">".utf8))
    }

    @Test func input_ofAFile_isRead() throws {
        let folder = try TestFolder()
        let text = try folder.file("text", Array("from a file\n".utf8))
        let child = try Self.start(TinyProgram.bufferedEcho, in: folder, input: .file(text))
        child.finish().expect(status: 0)
        #expect(child.output == Array(">from a file\n".utf8))
    }

    // MARK: Keys

    @Test(arguments: [TinyProgram.endlessLoop, TinyProgram.endlessOutput])
    func ctrlAX_onATerminal_stopsTheMachineAndGivesTheTerminalBack(program: [UInt8]) throws {
        let folder = try TestFolder()
        let child = try Self.start(program, in: folder, input: .terminal, output: .terminal)
        #expect(child.terminalIsCooked)
        try child.waitFor(program == TinyProgram.endlessLoop ? "h" : "x")
        #expect(!child.terminalIsCooked)
        child.send("\u{1}x")
        child.waitForEnd()
        #expect(child.terminalIsCooked)
        let outcome = child.finish()
        outcome.expect(status: 0)
        #expect(outcome.errors.isEmpty, "\(outcome.text)")
    }

    @Test func ctrlAX_whenTheGuestSleepsInTheKernel_stopsIt() throws {
        let folder = try TestFolder()
        let child = try Self.start(
            TinyProgram.endlessSleep, in: folder, ["--irqchip", "kernel", "--cpus", "2"], input: .terminal,
            output: .terminal)
        try child.waitFor("h")
        child.send("\u{1}x")
        child.finish().expect(status: 0)
    }

    @Test func ctrlAH_onATerminal_listsTheKeysAndTheGuestGoesOn() throws {
        let folder = try TestFolder()
        let child = try Self.start(TinyProgram.bufferedEcho, in: folder, input: .terminal, output: .terminal)
        try child.waitFor(">")
        child.send("\u{1}h")
        try child.waitFor("Ctrl-A h  show this help (so does Ctrl-A ?)", inErrors: true)
        child.send("\u{1}?")
        try child.waitFor("Ctrl-A h  show this help (so does Ctrl-A ?)", count: 2, inErrors: true)
        child.send("abc")
        try child.waitFor("abc")
        // Ctrl-A twice is one for the guest.
        child.send("\u{1}\u{1}\u{4}")
        let outcome = child.finish()
        outcome.expect(status: 0)
        #expect(child.output == Array(">abc\u{1}".utf8), "\(outcome.text)")
        #expect(outcome.errors.contains("Ctrl-A x  stop the machine"))
    }

    /// Raw mode hands the keys of a terminal's signals to the guest.
    @Test func ctrlC_onATerminal_isTheGuests() throws {
        let folder = try TestFolder()
        let child = try Self.start(TinyProgram.bufferedEcho, in: folder, input: .terminal, output: .terminal)
        try child.waitFor(">")
        child.send("a\u{3}\u{1A}\u{1C}z\u{4}")
        child.finish().expect(status: 0)
        #expect(child.output == Array(">a\u{3}\u{1A}\u{1C}z".utf8))
    }

    // MARK: Signals

    @Test(arguments: [(SIGTERM, 143), (SIGINT, 130), (SIGHUP, 129), (SIGQUIT, 131)] as [(Int32, Int32)])
    func signal_thatAsksToEnd_givesStatus128More(signal: Int32, status: Int32) throws {
        let folder = try TestFolder()
        let child = try Self.start(TinyProgram.endlessLoop, in: folder)
        try child.waitFor("h")
        child.signal(signal)
        let outcome = child.finish()
        outcome.expect(status: status)
        #expect(outcome.errors.isEmpty, "\(outcome.text)")
    }

    @Test func sigterm_whenAllCPUsSleepInTheKernel_ends() throws {
        let folder = try TestFolder()
        let child = try Self.start(TinyProgram.endlessSleep, in: folder, ["--irqchip", "kernel", "--cpus", "4"])
        try child.waitFor("h")
        child.signal(SIGTERM)
        child.finish().expect(status: 143)
    }

    @Test func sigterm_onATerminal_givesItBack() throws {
        let folder = try TestFolder()
        let child = try Self.start(TinyProgram.endlessLoop, in: folder, input: .terminal, output: .terminal)
        try child.waitFor("h")
        #expect(!child.terminalIsCooked)
        child.signal(SIGTERM)
        child.waitForEnd()
        #expect(child.terminalIsCooked)
        child.finish().expect(status: 143)
    }

    /// The guest waits for room in a full pipe that nobody reads, and has to be let out of there.
    @Test func sigterm_whenNobodyReadsTheOutput_ends() throws {
        let folder = try TestFolder()
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let child = try Self.start(TinyProgram.endlessOutput, in: folder, output: .descriptor(ends[1]))
        // Until pipe and buffer are full: then it uses no more processor time.
        var before = -1
        for _ in 0..<600 where !child.hasEnded {
            child.wait(seconds: 0.1)
            let now = child.processorTicks
            if now == before, now > 0 { break }
            before = now
        }
        child.signal(SIGTERM)
        child.finish().expect(status: 143)
    }

    // MARK: A user who goes away

    @Test func terminal_thatGoesAway_endsIt() throws {
        let folder = try TestFolder()
        let child = try Self.start(TinyProgram.endlessLoop, in: folder, input: .terminal, output: .terminal)
        try child.waitFor("h")
        child.hangUp()
        let outcome = child.finish()
        // Both the hang-up of the terminal and its signal tell, and either may come first.
        #expect([1, 129].contains(outcome.status) && outcome.signal == nil && !outcome.isLate, "\(outcome.text)")
    }

    @Test func output_toAPipeWhoseReaderIsGone_endsWithAMessage() throws {
        let folder = try TestFolder()
        let child = try Self.start(TinyProgram.endlessOutput, in: folder)
        try child.waitFor("x")
        child.closeOutput()
        let outcome = child.finish()
        outcome.expect(status: 1)
        #expect(
            outcome.errors
                == "minikvm: cannot write to the terminal: broken pipe; the guest's output is lost\n", "\(outcome.text)"
        )
    }

    @Test func output_toAFullDevice_endsWithAMessage() throws {
        let folder = try TestFolder()
        let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
        try #require(full >= 0)
        defer { close(full) }
        let outcome = try Self.start(TinyProgram.endlessOutput, in: folder, output: .descriptor(full)).finish()
        outcome.expect(status: 1)
        #expect(
            outcome.errors == "minikvm: cannot write to the terminal: no space left on device; "
                + "the guest's output is lost\n", "\(outcome.text)")
    }
}
