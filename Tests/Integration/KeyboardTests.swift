import Foundation
import Glibc
import Testing

/// What is typed, as the guest's keyboard sends it.
@Suite struct KeyboardTests {
    /// A boot sector that prints "?" on the serial port and then each code that the keyboard controller gives, as two
    /// digits, until Esc is let go.
    static let codePrinter: [UInt8] = {
        let program: [UInt8] = [
            0x31, 0xC0,  // xorw %ax, %ax
            0x8E, 0xD8,  // movw %ax, %ds
            0x8E, 0xD0,  // movw %ax, %ss
            0xBC, 0x00, 0x7C,  // movw $0x7C00, %sp
            0xBA, 0xF8, 0x03,  // movw $0x3F8, %dx
            0xB0, 0x3F,  // movb $'?', %al
            0xEE,  // outb %al, %dx
            0xE4, 0x64,  // 1: inb $0x64, %al
            0xA8, 0x01,  // testb $1, %al
            0x74, 0xFA,  // jz 1b
            0xE4, 0x60,  // inb $0x60, %al
            0x88, 0xC3,  // movb %al, %bl
            0xB0, 0x20,  // movb $' ', %al
            0xEE,  // outb %al, %dx
            0x88, 0xD8,  // movb %bl, %al
            0xC0, 0xE8, 0x04,  // shrb $4, %al
            0xE8, 0x0E, 0x00,  // call digit
            0x88, 0xD8,  // movb %bl, %al
            0xE8, 0x09, 0x00,  // call digit
            0x80, 0xFB, 0x81,  // cmpb $0x81, %bl
            0x75, 0xE1,  // jne 1b
            0xB0, 0x00,  // movb $0, %al
            0xE6, 0xF4,  // outb %al, $0xF4
            0x24, 0x0F,  // digit: andb $0x0F, %al
            0x04, 0x30,  // addb $'0', %al
            0x3C, 0x39,  // cmpb $'9', %al
            0x76, 0x02,  // jbe 2f
            0x04, 0x07,  // addb $7, %al
            0xEE,  // 2: outb %al, %dx
            0xC3,  // ret
        ]
        return program + [UInt8](repeating: 0, count: 510 - program.count) + [0x55, 0xAA]
    }()

    private let folder: TestFolder
    private let options: [String]

    init() throws {
        folder = try TestFolder()
        options = ["run", "--disk", try folder.file("disk", Self.codePrinter) + ",ro", "--memory", "16M"]
    }

    private func control(_ words: String...) throws -> Outcome {
        try MiniKVM.run([words[0], "--control", folder.path + "/socket"] + words.dropFirst(), folder: folder.path)
    }

    @Test func terminal_asTheKeyboard_pressesTheKeysBehindItsCharacters() throws {
        let child = try MiniKVM.start(options + ["--keyboard", "terminal"], input: .terminal, output: .terminal)
        try child.waitFor("?")
        child.send("aB\u{1B}[A")
        try child.waitFor("1E 9E 2A 30 B0 AA E0 48 E0 C8")
        // Ctrl-A reaches the guest as it does on a serial line; an Esc that nothing follows is the key.
        child.send("\u{1}a")
        try child.waitFor("1D 1E 9E 9D")
        child.send("\u{1B}")
        let outcome = child.finish()
        outcome.expect(status: 0)
        #expect(outcome.output.hasSuffix("01 81"), "\(outcome.text)")
    }

    @Test func pipe_asTheKeyboard_isTypedAtTheGuestsPaceAndEndsWithControlD() throws {
        let text = String(repeating: "ab", count: 100)
        let child = try MiniKVM.start(
            options + ["--keyboard", "terminal", "--control", folder.path + "/socket"], input: .pipe)
        child.send(text)
        child.closeInput()
        try child.waitFor("1D 20 A0 9D")
        #expect(child.output.elementsEqual("?\(String(repeating: " 1E 9E 30 B0", count: 100)) 1D 20 A0 9D".utf8))
        try control("type", "\u{1B}").expect(status: 0)
        child.finish().expect(status: 0)
    }

    @Test func type_fromAnotherProcess_isAnsweredWhenTheGuestHasIt() throws {
        let child = try MiniKVM.start(
            options + ["--control", folder.path + "/socket"], input: .terminal, output: .terminal)
        try child.waitFor("?")
        try control("type", "--enter", "a", "b").expect(status: 0)
        try child.waitFor("1E 9E 39 B9 30 B0 1C 9C")
        let refused = try control("type", "é")
        refused.expect(status: 2)
        #expect(refused.errors == "minikvm: type: 'é' is on no key of a keyboard of the USA; leave it out\n")
        try control("type", "\u{1B}").expect(status: 0)
        let outcome = child.finish()
        outcome.expect(status: 0)
        #expect(folder.names == ["disk"], "the socket goes with the machine")
    }

    @Test func type_intoAMachineThatEnds_saysSo() throws {
        let child = try MiniKVM.start(options + ["--control", folder.path + "/socket"], input: .pipe)
        try child.waitFor("?")
        // Esc ends this guest, and what is behind it is fetched by nobody.
        let outcome = try control("type", "\u{1B}" + String(repeating: "a", count: 100))
        outcome.expect(status: 1)
        #expect(outcome.errors.hasSuffix("socket' ended before it answered\n"), "\(outcome.text)")
        child.finish().expect(status: 0)
    }

    @Test func type_withoutAKeyboard_orAMachine_saysSo() throws {
        let child = try MiniKVM.start(["run", "echo", "--control", folder.path + "/socket"], input: .pipe)
        try child.waitFor("echo: type something")
        var outcome = try control("type", "a")
        outcome.expect(status: 1)
        #expect(
            outcome.errors
                == "minikvm: the machine at '\(folder.path)/socket' refused: this machine has no keyboard; a "
                + "board has one with --board pc or a --disk\n")
        child.closeInput()
        child.finish().expect(status: 0)
        outcome = try control("type", "a")
        outcome.expect(status: 1)
        #expect(
            outcome.errors == "minikvm: cannot connect to '\(folder.path)/socket': no such file or directory; is a "
                + "machine running with this --control?\n")
    }

    @Test func control_whereAFileIs_isRefused_andAfterAKilledMachine_isNot() throws {
        let path = try folder.file("socket", [])
        let refused = try MiniKVM.run(options + ["--control", path])
        refused.expect(status: 1)
        #expect(
            refused.errors == "minikvm: cannot listen at '\(path)': there is a file, which is no socket; name a path "
                + "that is not there yet\n")
        try FileManager.default.removeItem(atPath: path)
        for signal in [SIGKILL, SIGTERM] {
            let child = try MiniKVM.start(options + ["--control", path], input: .pipe)
            try child.waitFor("?")
            child.signal(signal)
            child.waitForEnd()
        }
        #expect(folder.names == ["disk"])
    }

    @Test func control_hearingNonsense_answersAndLives() throws {
        let path = folder.path + "/socket"
        let child = try MiniKVM.start(options + ["--control", path], input: .pipe)
        try child.waitFor("?")
        let error = "error: there is no such request; type, screenshot text and screenshot png are\n"
        #expect(try Self.exchange([], at: path) == error)
        #expect(try Self.exchange([0xFF, 0x00, 0x0A], at: path) == error)
        #expect(
            try Self.exchange(Array("type\né".utf8), at: path)
                == "error: the text has a character that is on no key of a keyboard of the USA\n")
        #expect(
            try Self.exchange([UInt8](repeating: 0x41, count: (1 << 20) + 1), at: path)
                == "error: the request is longer than 1048576 bytes\n")
        // Some that hang up at once, and more than are taken at once.
        for _ in 0..<40 { close(try Self.connect(path)) }
        try control("type", "\u{1B}").expect(status: 0)
        child.finish().expect(status: 0)
    }

    private static func connect(_ path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(status == 0)
        return descriptor
    }

    private static func exchange(_ bytes: [UInt8], at path: String) throws -> String {
        let descriptor = try connect(path)
        defer { close(descriptor) }
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { break }
            sent += count
        }
        shutdown(descriptor, Int32(SHUT_WR))
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            answer += chunk[..<count]
        }
        return String(decoding: answer, as: UTF8.self)
    }
}
