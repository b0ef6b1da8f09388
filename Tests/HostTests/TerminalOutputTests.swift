import Glibc
import Host
import Synchronization
import Testing

@Suite struct TerminalOutputTests {
    final class Losses: @unchecked Sendable {
        var errors: [HostError] = []
    }

    /// 1,000,000 bytes, with and without newlines, that tell where one is missing.
    static let text = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 / 251 &+ $0) }

    @Test func transmit_toASlowPipe_waitsAndLosesNothing() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        let output = try TerminalOutput(descriptor: pipe.writerNumber, loop: loop) { _ in }
        let looper = try Thread(name: "loop") { try? loop.run() }
        let guest = try Thread(name: "guest") {
            for byte in Self.text { output.transmit(byte) }
            output.finish()
            loop.stop()
        }
        usleep(50_000)
        let received = readAll(pipe.readerNumber, count: Self.text.count)
        guest.join()
        looper.join()
        #expect(received == Self.text)
        output.detach()
    }

    @Test func init_leavesTheCallersDescriptorBlocking() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        let terminal = try PseudoTerminal()
        for descriptor in [pipe.writerNumber, terminal.line] {
            let output = try TerminalOutput(descriptor: descriptor, loop: loop) { _ in }
            output.transmit(10)
            #expect(fcntl(descriptor, F_GETFL) & O_NONBLOCK == 0)
            output.detach()
        }
    }

    @Test func transmit_withoutANewline_arrivesSoonByTheTimer() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        let output = try TerminalOutput(descriptor: pipe.writerNumber, loop: loop) { _ in }
        let looper = try Thread(name: "loop") { try? loop.run() }
        for byte in "login: ".utf8 { output.transmit(byte) }
        #expect(readAll(pipe.readerNumber, count: 7) == Array("login: ".utf8))
        loop.stop()
        looper.join()
        output.detach()
    }

    @Test func transmit_aNewline_isThereAtOnceAndInOneWrite() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        let output = try TerminalOutput(descriptor: pipe.writerNumber, loop: loop) { _ in }
        for byte in "hello\n".utf8 { output.transmit(byte) }
        // The loop does not run: the bytes were written by transmit, and one read takes them all.
        var bytes = [UInt8](repeating: 0, count: 64)
        #expect(read(pipe.readerNumber, &bytes, 64) == 6)
        output.detach()
    }

    @Test func finish_writesTheRest_whetherTheLoopRanOrNot() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        let output = try TerminalOutput(descriptor: pipe.writerNumber, loop: loop) { _ in }
        for byte in "bye".utf8 { output.transmit(byte) }
        #expect(output.finish())
        #expect(readAll(pipe.readerNumber, count: 3) == Array("bye".utf8))
        output.detach()
    }

    @Test func finish_nobodyReads_endsAtItsLimit() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        let output = try TerminalOutput(descriptor: pipe.writerNumber, loop: loop) { _ in }
        // More than a pipe holds (64 KiB), less than pipe and buffer together.
        for _ in 0..<100_000 { output.transmit(65) }
        #expect(!output.finish(limit: 20))
        output.detach()
    }

    @Test func release_letsAWaitingGuestGo() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        let output = try TerminalOutput(descriptor: pipe.writerNumber, loop: loop) { _ in }
        let guest = try Thread(name: "guest") {
            for _ in 0..<1_000_000 { output.transmit(65) }
        }
        usleep(20_000)
        output.release()
        guest.join()
        output.detach()
    }

    @Test(arguments: [false, true])
    func transmit_afterTheReaderEnded_isReportedOnce(isTerminal: Bool) throws {
        let loop = try EventLoop()
        let losses = Losses()
        var ends: [Int32] = [-1, -1]
        #expect(Glibc.pipe(&ends) == 0)
        let terminal = try PseudoTerminal()
        let output = try TerminalOutput(descriptor: isTerminal ? terminal.line : ends[1], loop: loop) { error in
            losses.errors.append(error)
            loop.stop()
        }
        close(ends[0])
        terminal.hangUp()
        for byte in "a\nb\nc\n".utf8 { output.transmit(byte) }
        try loop.run()
        for byte in "d\n".utf8 { output.transmit(byte) }
        loop.stop()
        try loop.run()
        #expect(losses.errors.map(\.errorNumber) == [isTerminal ? EIO : EPIPE])
        #expect(!output.finish())
        output.detach()
        close(ends[1])
    }

    @Test func transmit_toAFullDisk_isReportedOnce() throws {
        let loop = try EventLoop()
        let losses = Losses()
        let full = OwnedDescriptor(owning: open("/dev/full", O_WRONLY))
        let output = try TerminalOutput(descriptor: full.rawValue, loop: loop) { losses.errors.append($0) }
        for byte in "a\nb\n".utf8 { output.transmit(byte) }
        loop.stop()
        try loop.run()
        #expect(losses.errors.map(\.errorNumber) == [ENOSPC])
        output.detach()
    }

    @Test func transmit_toASocket_worksWithoutTouchingItsFlags() throws {
        let loop = try EventLoop()
        var ends: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let output = try TerminalOutput(descriptor: ends[1], loop: loop) { _ in }
        let looper = try Thread(name: "loop") { try? loop.run() }
        let (reader, writer) = (ends[0], ends[1])
        let guest = try Thread(name: "guest") {
            for byte in Self.text { output.transmit(byte) }
            output.finish()
            loop.stop()
        }
        #expect(readAll(reader, count: Self.text.count) == Self.text)
        guest.join()
        looper.join()
        #expect(fcntl(writer, F_GETFL) & O_NONBLOCK == 0)
        output.detach()
        close(reader)
        close(writer)
    }
}
