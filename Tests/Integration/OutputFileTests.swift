import Foundation
import Glibc
import Testing

/// The files that a run writes: no other file is spoiled, and nothing that reads them can hang the monitor.
@Suite struct OutputFileTests {
    /// An option that names a file to be written, with what has to be there for it.
    enum Output: String, CaseIterable, Sendable {
        case serial = "--serial"
        case firmwareLog = "--firmware-log"
        case trace = "--trace"

        func words(_ path: String) -> [String] { self == .trace ? ["--trace=" + path] : [rawValue, path] }
        func name(_ path: String) -> String { "\(rawValue) '\(path)'" }
    }

    /// A file that the machine is made of.
    enum Input: String, CaseIterable, Sendable {
        case disk, kernel, initrd, firmware
        case videoBIOS = "video BIOS"
        case flat = "flat binary"
        case bootSector = "boot sector"

        /// What is typed so that it is used, and its path.
        func words(_ folder: TestFolder) throws -> (words: [String], path: String) {
            let kernel = try folder.file("kernel", KernelFile.bzImage())
            let path = try folder.file("precious", [UInt8](repeating: 0x5A, count: 0x1_0000))
            return switch self {
            case .disk: (["--disk", path], path)
            case .kernel: (["--kernel", path], path)
            case .initrd: (["--kernel", kernel, "--initrd", path], path)
            case .firmware: (["--firmware", path], path)
            case .videoBIOS: (["--firmware", kernel, "--video-bios", path], path)
            case .flat: (["--flat", path, "--at", "0x8000"], path)
            case .bootSector: (["--boot-sector", path], path)
            }
        }
    }

    /// Three names of one file.
    enum Naming: CaseIterable, Sendable {
        case samePath, hardLink, symbolicLink

        func name(of path: String) throws -> String {
            let other = path + "-too"
            switch self {
            case .samePath: return path
            case .hardLink: try #require(link(path, other) == 0)
            case .symbolicLink: try #require(symlink(path, other) == 0)
            }
            return other
        }
    }

    private static let old = Array(String(repeating: "what was there before\n", count: 100).utf8)

    private static func bytes(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    // MARK: Files that are not to be written

    @Test(arguments: Input.allCases, Naming.allCases)
    func output_thatIsAnInput_isRefusedAndTheInputIsUntouched(input: Input, naming: Naming) throws {
        let folder = try TestFolder()
        let (words, path) = try input.words(folder)
        let name = try naming.name(of: path)
        let before = folder.names
        for output in Output.allCases {
            // The log of a firmware needs one, which boots disks only.
            if output == .firmwareLog, ![.disk, .firmware, .videoBIOS].contains(input) { continue }
            let firmware =
                output == .firmwareLog && input == .disk ? ["--firmware", try folder.file("kernel", Self.old)] : []
            let outcome = try MiniKVM.run(["run"] + words + firmware + output.words(name))
            outcome.expect(status: 2)
            #expect(
                outcome.errors == "minikvm: run: \(output.name(name)) is the same file as the \(input.rawValue) "
                    + "'\(path)'; name another file\n", "\(outcome.text)")
            #expect(try Self.bytes(path) == [UInt8](repeating: 0x5A, count: 0x1_0000), "\(output)")
        }
        #expect(folder.names == before)
    }

    @Test func output_thatIsTheDiskWithAnOptionBehindIt_isRefused() throws {
        let folder = try TestFolder()
        let path = try folder.file("disk", [UInt8](repeating: 0x5A, count: 4096))
        for option in [",ro", ",snapshot", ",rw"] {
            let outcome = try MiniKVM.run(["run", "--disk", path + option, "--serial", path])
            outcome.expect(status: 2)
            #expect(try Self.bytes(path) == [UInt8](repeating: 0x5A, count: 4096))
        }
    }

    @Test func output_thatIsStandardInput_isRefused() throws {
        let folder = try TestFolder()
        let path = try folder.file("script", Self.old)
        let outcome = try MiniKVM.start(["run", "echo", "--trace=" + path], input: .file(path)).finish()
        outcome.expect(status: 2)
        #expect(outcome.errors.contains("is the same file as standard input; name another file"), "\(outcome.text)")
        #expect(try Self.bytes(path) == Self.old)
    }

    @Test(arguments: Naming.allCases)
    func outputs_thatAreOneFile_areRefused(naming: Naming) throws {
        let folder = try TestFolder()
        let path = try folder.file("log", Self.old)
        let name = try naming.name(of: path)
        let outcome = try MiniKVM.run(["run", "hello", "--serial", path, "--trace=" + name])
        outcome.expect(status: 2)
        #expect(
            outcome.errors
                == "minikvm: run: --serial '\(path)' is the same file as --trace '\(name)'; name another file\n",
            "\(outcome.text)")
        #expect(try Self.bytes(path) == Self.old)
    }

    @Test func outputs_thatAreOneNewFile_areRefusedAndLeaveNone() throws {
        let folder = try TestFolder()
        let path = folder.path + "/log"
        let outcome = try MiniKVM.run(["run", "hello", "--serial", path, "--trace=" + path])
        outcome.expect(status: 2)
        let socket = try MiniKVM.run(["run", "hello", "--serial", path, "--control", path])
        socket.expect(status: 2)
        #expect(
            socket.errors == "minikvm: run: --control '\(path)' is the same file as --serial '\(path)'; "
                + "name another path\n", "\(socket.text)")
        #expect(folder.names.isEmpty)
    }

    /// Several may write where nothing is kept.
    @Test func outputs_intoTheNullDevice_mayShareIt() throws {
        let outcome = try MiniKVM.run(["run", "hello", "--serial", "/dev/null", "--trace=/dev/null"])
        outcome.expect(status: 0)
    }

    /// A machine's lock on its disk keeps the outputs of others away.
    @Test(arguments: [Output.serial, .trace])
    func output_thatIsTheDiskOfAnotherMachine_isRefused(output: Output) throws {
        let folder = try TestFolder()
        let disk = try folder.file("disk", [UInt8](repeating: 0x5A, count: 4096))
        let other = try MiniKVM.start(["run", "echo", "--board", "pc", "--disk", disk], input: .pipe)
        try other.waitFor("echo: type something")
        let outcome = try MiniKVM.run(["run", "hello"] + output.words(disk))
        outcome.expect(status: 1)
        #expect(outcome.errors.hasSuffix("'\(disk)': another program uses it; name another file\n"), "\(outcome.text)")
        #expect(try Self.bytes(disk) == [UInt8](repeating: 0x5A, count: 4096))
        other.closeInput()
        other.finish().expect(status: 0)
    }

    // MARK: When they are emptied

    @Test(
        arguments: [
            ["hello", "--cpus", "0"], ["hello", "--kvm", "/dev/null"], ["--kernel", "/nonexistent"],
            ["--disk", "/nonexistent"], ["hello", "--control", "/nonexistent/socket"],
        ])
    func outputs_ofARunThatDoesNotBegin_areAsTheyWere(words: [String]) throws {
        let folder = try TestFolder()
        let log = try folder.file("log", Self.old)
        try #require(symlink(folder.path + "/new", folder.path + "/link") == 0)
        for (path, isThere) in [(log, true), (folder.path + "/new", false), (folder.path + "/link", false)] {
            for output in [Output.serial, .trace] {
                let outcome = try MiniKVM.run(["run"] + words + output.words(path))
                #expect([1, 2].contains(outcome.status) && outcome.signal == nil, "\(outcome.text)")
                if isThere { #expect(try Self.bytes(path) == Self.old) }
                #expect(folder.names == ["log", "link"], "\(output) \(path)")
            }
        }
    }

    @Test func outputs_ofARunThatBegins_areEmptiedFirst() throws {
        let folder = try TestFolder()
        let serial = try folder.file("serial", Self.old)
        let trace = try folder.file("trace", Self.old + Self.old)
        try #require(symlink(folder.path + "/new", folder.path + "/link") == 0)
        try MiniKVM.run(["run", "hello", "--serial", serial, "--trace=" + trace]).expect(status: 0)
        #expect(String(decoding: try Self.bytes(serial), as: UTF8.self).hasPrefix("Hello"))
        let lines = String(decoding: try Self.bytes(trace), as: UTF8.self)
        #expect(lines.contains("COM1 THR") && !lines.contains("what was there"))
        try MiniKVM.run(["run", "hello", "--serial", folder.path + "/link"]).expect(status: 0)
        #expect(try Self.bytes(folder.path + "/new") == Self.bytes(serial))
    }

    @Test(arguments: [Output.serial, .trace])
    func output_withoutAName_isRefused(output: Output) throws {
        let outcome = try MiniKVM.run(["run", "hello"] + [output.rawValue, ""])
        outcome.expect(status: 2)
        #expect(
            outcome.errors == "minikvm: run: \(output.rawValue) has an empty path; name a file\n", "\(outcome.text)")
    }

    // MARK: Pipes

    private static func pipe(_ folder: TestFolder) throws -> String {
        let path = folder.path + "/pipe"
        try #require(mkfifo(path, 0o600) == 0)
        return path
    }

    /// A reader of a pipe, which takes nothing until it is asked to.
    private static func reader(_ path: String) throws -> FileHandle {
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        try #require(descriptor >= 0)
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    @Test(arguments: Output.allCases)
    func pipe_thatNobodyReads_isRefused(output: Output) throws {
        let folder = try TestFolder()
        let path = try Self.pipe(folder)
        let bios = try folder.file("bios", Self.old)
        let guest = output == .firmwareLog ? ["--firmware", bios] : ["hello"]
        let outcome = try MiniKVM.run(["run"] + guest + output.words(path))
        outcome.expect(status: 1)
        #expect(
            outcome.errors.hasSuffix(" to '\(path)': nobody reads this pipe; start its reader first, such as cat\n"),
            "\(outcome.text)")
    }

    @Test func pipe_withAReader_getsWhatTheGuestSays() throws {
        let folder = try TestFolder()
        let path = try Self.pipe(folder)
        let reader = try Self.reader(path)
        try MiniKVM.run(["run", "hello", "--serial", path]).expect(status: 0)
        #expect(String(decoding: reader.availableData, as: UTF8.self).hasPrefix("Hello"))
    }

    /// The guest goes on, and the end tells.
    @Test(arguments: [Output.serial, .trace])
    func pipe_whoseReaderGoesAway_isToldAndTheGuestGoesOn(output: Output) throws {
        let folder = try TestFolder()
        let path = try Self.pipe(folder)
        let reader = try Self.reader(path)
        let child = try MiniKVM.start(["run", "echo", "--board", "pc"] + output.words(path), input: .pipe)
        // Its first words are in the pipe, or, of a trace, will be: nobody sees them leave.
        child.wait(seconds: 1)
        try reader.close()
        child.send("still there?")
        if output == .trace { try child.waitFor("still there?") } else { child.wait(seconds: 1) }
        #expect(!child.hasEnded)
        child.closeInput()
        let outcome = child.finish()
        outcome.expect(status: 1)
        #expect(outcome.errors.count { $0 == "\n" } == 1, "\(outcome.text)")
        #expect(
            outcome.errors.lowercased().contains("broken pipe") && outcome.errors.contains("'\(path)'"),
            "\(outcome.text)")
    }

    /// Until the pipe is full and the guest waits: then it uses no more processor time.
    private static func waitUntilItWaits(_ child: Child) {
        var before = -1
        for _ in 0..<600 where !child.hasEnded {
            child.wait(seconds: 0.2)
            let now = child.processorTicks
            if now == before, now > 0 { break }
            before = now
        }
    }

    @Test(arguments: [Output.serial, .trace], [1, 2])
    func sigterm_whenTheReaderTakesNothing_ends(output: Output, cpus: Int) throws {
        let folder = try TestFolder()
        let path = try Self.pipe(folder)
        let reader = try Self.reader(path)
        defer { withExtendedLifetime(reader) {} }
        let program = try folder.file("program", TinyProgram.endlessOutput)
        let serial = output == .trace ? ["--serial", "/dev/null"] : []
        let child = try MiniKVM.start(
            ["run", "--flat", program, "--at", TinyProgram.address, "--cpus", "\(cpus)"] + serial + output.words(path))
        Self.waitUntilItWaits(child)
        #expect(!child.hasEnded)
        child.signal(SIGTERM)
        let outcome = child.finish()
        outcome.expect(status: 143)
    }

    /// A trace to standard error goes to a pipe that the shell has made.
    @Test func sigterm_whenNobodyReadsATraceOnStandardError_ends() throws {
        let folder = try TestFolder()
        let path = try Self.pipe(folder)
        let reader = try Self.reader(path)
        defer { withExtendedLifetime(reader) {} }
        let program = try folder.file("program", TinyProgram.endlessOutput)
        let child = try Child(
            [
                "/bin/sh", "-c", #"exec "$0" run --flat "$1" --at "$2" --serial /dev/null --trace 2>"$3""#,
                MiniKVM.path,
                program, TinyProgram.address, path,
            ], limit: MiniKVM.limit)
        Self.waitUntilItWaits(child)
        #expect(!child.hasEnded)
        child.signal(SIGTERM)
        child.finish().expect(status: 143)
    }
}
