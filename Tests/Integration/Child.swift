import Foundation
import Glibc

/// How a program that a test started came to its end.
struct Outcome: Sendable {
    /// The exit status; 128 + the signal's number when a signal ended it.
    var status: Int32
    /// The signal that ended it; nil when it ended by itself.
    var signal: Int32?
    /// Whether it was killed because it did not end in time.
    var isLate: Bool
    /// What it wrote to standard output, or to its terminal.
    var output: String
    /// What it wrote to standard error.
    var errors: String

    /// Everything there is to know, for the message of a test that failed.
    var text: String {
        let end = isLate ? "killed for being late" : signal.map { "ended by signal \($0)" } ?? "status \(status)"
        return "\(end)\n--- standard output\n\(output)\n--- standard error\n\(errors)---"
    }

    /// The lines of standard output, whichever way they end: "\r\n" is one character.
    var lines: [String] {
        output.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(String.init)
    }
}

/// A program that runs beside the test, with pipes or a terminal to it.
///
/// Nobody reads or writes in the background: `send`, `waitFor` and `finish` move what there is to move. Each ends at
/// the child's time limit, so that no test hangs.
final class Child {
    enum Input {
        /// /dev/null.
        case nothing
        /// A pipe, which `send` fills and `closeInput` ends.
        case pipe
        /// The terminal that `Output.terminal` shows as well.
        case terminal
        /// A file.
        case file(String)
    }

    enum Output {
        case pipe
        case terminal
        /// A descriptor of the test's, which stays the test's.
        case descriptor(Int32)
    }

    enum Failure: Error {
        case start(String)
        case late(String)
    }

    /// Its process id; 0 when it could not be started.
    private(set) var identifier: pid_t = 0
    private(set) var output: [UInt8] = []
    private(set) var errors: [UInt8] = []
    private var input: Int32?
    private var outputs: [Int32] = []
    private var errorsDescriptor: Int32 = -1
    private var master: Int32?
    /// The terminal's other side, kept open: when its last user closes it, it forgets its settings.
    private var slave: Int32 = -1
    private var toSend: [UInt8] = []
    private var endsInput = false
    private var waitStatus: Int32?
    private var isLate = false
    private let deadline: ContinuousClock.Instant

    /// Without this a child that ends early would end the tests, too.
    private static let ignoresBrokenPipes: Void = { _ = Glibc.signal(SIGPIPE, SIG_IGN) }()

    /// - Parameters:
    ///   - program: path of the program, and its arguments.
    ///   - folder: the program's current folder; nil is that of the tests.
    ///   - limit: seconds until it is killed.
    init(
        _ program: [String], input: Input = .nothing, output: Output = .pipe, folder: String? = nil,
        limit: Double = MiniKVM.limit
    ) throws {
        _ = Child.ignoresBrokenPipes
        deadline = .now + .seconds(limit)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // What belongs to the child only; closed here once it runs.
        var theirs: [Int32] = []
        defer { for descriptor in theirs { close(descriptor) } }
        var flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK

        func makePipe() throws -> (read: Int32, write: Int32) {
            var ends: [Int32] = [0, 0]
            guard GNU.pipe2(&ends, O_CLOEXEC) == 0 else { throw Failure.start("pipe: \(errno)") }
            return (ends[0], ends[1])
        }
        func give(_ descriptor: Int32, as number: Int32) {
            theirs.append(descriptor)
            posix_spawn_file_actions_adddup2(&actions, descriptor, number)
        }

        var terminalPath: String?
        func terminal() throws -> String {
            if let terminalPath { return terminalPath }
            let descriptor = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
            var unlocked: Int32 = 0
            var number: UInt32 = 0
            guard descriptor >= 0, ioctl(descriptor, GNU.setTerminalLock, &unlocked) == 0,
                ioctl(descriptor, GNU.getTerminalNumber, &number) == 0
            else { throw Failure.start("no terminal: \(errno)") }
            master = descriptor
            let path = "/dev/pts/\(number)"
            terminalPath = path
            slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
            // A session of its own, whose controlling terminal is the first one that it opens.
            flags |= GNU.newSession
            return path
        }

        switch input {
        case .nothing: posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        case .file(let path): posix_spawn_file_actions_addopen(&actions, 0, path, O_RDONLY, 0)
        case .pipe:
            let ends = try makePipe()
            give(ends.read, as: 0)
            self.input = ends.write
        case .terminal: posix_spawn_file_actions_addopen(&actions, 0, try terminal(), O_RDWR, 0)
        }
        switch output {
        case .pipe:
            let ends = try makePipe()
            give(ends.write, as: 1)
            outputs.append(ends.read)
        case .terminal: posix_spawn_file_actions_addopen(&actions, 1, try terminal(), O_RDWR, 0)
        case .descriptor(let descriptor): posix_spawn_file_actions_adddup2(&actions, descriptor, 1)
        }
        if let master {
            self.input = master
            outputs.append(master)
        }
        let ends = try makePipe()
        give(ends.write, as: 2)
        errorsDescriptor = ends.read
        outputs.append(ends.read)
        if let folder { _ = GNU.addChangeOfFolder(&actions, folder) }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var arguments: [UnsafeMutablePointer<CChar>?] = program.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process = pid_t()
        let result = posix_spawn(&process, program[0], &actions, &attributes, &arguments, environ)
        guard result == 0 else {
            throw Failure.start("cannot start \(program[0]): \(String(cString: strerror(result)))")
        }
        identifier = process
        for descriptor in outputs + [self.input].compactMap(\.self) {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        }
    }

    deinit {
        if waitStatus == nil, identifier > 0 {
            Glibc.kill(identifier, SIGKILL)
            waitpid(identifier, nil, 0)
        }
        hangUp()
        for descriptor in outputs { close(descriptor) }
        closeInputNow()
    }

    // MARK: Talking to it

    /// Hands bytes to its input: now as far as it takes them, the rest while this waits for other things.
    func send(_ bytes: some Sequence<UInt8>) {
        toSend += bytes
        move(milliseconds: 0)
    }

    func send(_ text: String) { send(text.utf8) }

    /// Ends its input, after what is still to be sent.
    func closeInput() {
        endsInput = true
        move(milliseconds: 0)
    }

    /// Takes its terminal away.
    func hangUp() {
        guard let master else { return }
        if input == master { input = nil }
        outputs.removeAll { $0 == master }
        close(master)
        self.master = nil
        closeSlave()
    }

    /// Stops reading its output: a pipe whose reader is gone.
    func closeOutput() {
        for descriptor in outputs where descriptor != errorsDescriptor { close(descriptor) }
        outputs = [errorsDescriptor]
    }

    /// Whether one of its descriptors is this file.
    func hasOpen(_ path: String) -> Bool {
        let folder = "/proc/\(identifier)/fd"
        let numbers = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return numbers.contains {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: folder + "/" + $0)) == path
        }
    }

    func signal(_ number: Int32) {
        if waitStatus == nil { Glibc.kill(identifier, number) }
    }

    /// Waits until it has written a text so and so often.
    func waitFor(_ text: String, count: Int = 1, inErrors: Bool = false) throws {
        let wanted = Array(text.utf8)
        while Child.count(wanted, in: inErrors ? errors : output) < count {
            guard ContinuousClock.now < deadline, !hasEnded else {
                throw Failure.late("no \(count) × '\(text)'; \(finish().text)")
            }
            move(milliseconds: 20)
        }
    }

    /// Moves what there is to move for so long.
    func wait(seconds: Double) {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < min(end, deadline), !hasEnded { move(milliseconds: 10) }
    }

    /// Whether it has come to its end.
    var hasEnded: Bool {
        if waitStatus != nil { return true }
        var status: Int32 = 0
        guard waitpid(identifier, &status, WNOHANG) == identifier else { return false }
        waitStatus = status
        return true
    }

    /// Waits for its end, until its limit.
    func waitForEnd() {
        while !hasEnded, ContinuousClock.now < deadline { move(milliseconds: 20) }
    }

    /// The processor time that it has used, in ticks: fields 14 and 15 of /proc/PID/stat (proc(5)).
    var processorTicks: Int {
        let text = (try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8)) ?? ""
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else { return -1 }
        return user + system
    }

    /// Waits for its end, and kills it at its limit.
    func finish() -> Outcome {
        while !hasEnded {
            if ContinuousClock.now >= deadline {
                isLate = true
                Glibc.kill(identifier, SIGKILL)
            }
            move(milliseconds: 20)
        }
        // What it left in pipes and terminal.
        closeSlave()
        let end = ContinuousClock.now + .seconds(5)
        while !outputs.isEmpty, ContinuousClock.now < end { move(milliseconds: 20) }
        let status = waitStatus ?? 0
        let signal = status & 0x7F
        return Outcome(
            status: signal == 0 ? status >> 8 & 0xFF : 128 + signal, signal: signal == 0 ? nil : signal,
            isLate: isLate, output: String(decoding: output, as: UTF8.self),
            errors: String(decoding: errors, as: UTF8.self))
    }

    // MARK: Moving bytes

    private func move(milliseconds: Int32) {
        var polled = outputs.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        if let input, !toSend.isEmpty { polled.append(pollfd(fd: input, events: Int16(POLLOUT), revents: 0)) }
        let count = poll(&polled, nfds_t(polled.count), milliseconds)
        if count > 0 { for item in polled where item.revents != 0 { serve(item) } }
        if endsInput, toSend.isEmpty { closeInputNow() }
    }

    private func serve(_ item: pollfd) {
        if item.events & Int16(POLLOUT) != 0 {
            let written = toSend.withUnsafeBytes { write(item.fd, $0.baseAddress, min($0.count, 4096)) }
            if written > 0 { toSend.removeFirst(written) }
            if written < 0, errno != EAGAIN { toSend = [] }
            return
        }
        var chunk = [UInt8](repeating: 0, count: 65536)
        let received = read(item.fd, &chunk, chunk.count)
        if received > 0 {
            if item.fd == errorsDescriptor {
                errors += chunk.prefix(received)
            } else {
                output += chunk.prefix(received)
            }
        } else if received == 0 || errno != EAGAIN {
            if item.fd == master { return hangUp() }
            outputs.removeAll { $0 == item.fd }
            close(item.fd)
        }
    }

    private func closeSlave() {
        if slave >= 0 { close(slave) }
        slave = -1
    }

    private func closeInputNow() {
        guard let input, input != master else { return }
        close(input)
        self.input = nil
    }

    /// Whether the terminal echoes and gathers lines, as a shell's user expects to find it.
    var terminalIsCooked: Bool {
        var settings = termios()
        guard let master, tcgetattr(master, &settings) == 0 else { return false }
        let wanted = tcflag_t(ECHO | ICANON | ISIG)
        return settings.c_lflag & wanted == wanted
    }

    private static func count(_ wanted: [UInt8], in bytes: [UInt8]) -> Int {
        guard !wanted.isEmpty, bytes.count >= wanted.count else { return 0 }
        var found = 0
        var start = 0
        while start <= bytes.count - wanted.count {
            if bytes[start] == wanted[0], bytes[start..<start + wanted.count].elementsEqual(wanted) {
                found += 1
                start += wanted.count
            } else {
                start += 1
            }
        }
        return found
    }
}

/// What the C library has for _GNU_SOURCE only, which Swift's Glibc module therefore leaves out.
private enum GNU {
    /// POSIX_SPAWN_SETSID of <spawn.h>.
    static let newSession: Int32 = 0x80
    /// TIOCGPTN and TIOCSPTLCK of <asm-generic/ioctls.h>.
    static let getTerminalNumber: UInt = 0x8004_5430
    static let setTerminalLock: UInt = 0x4004_5431

    static let pipe2 = function("pipe2", as: (@convention(c) (UnsafeMutablePointer<Int32>, Int32) -> Int32).self)
    static let addChangeOfFolder = function(
        "posix_spawn_file_actions_addchdir_np",
        as: (@convention(c) (UnsafeMutableRawPointer, UnsafePointer<CChar>) -> Int32).self)

    private static func function<Function>(_ name: String, as type: Function.Type) -> Function {
        unsafeBitCast(dlsym(nil, name), to: type)
    }
}
