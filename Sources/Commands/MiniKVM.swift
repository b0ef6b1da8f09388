public import ArgumentParser
internal import Glibc
internal import Host
internal import Machine
internal import Monitor

/// The command line of the virtual machine monitor: one file a subcommand.
public struct MiniKVM: ParsableCommand {
    /// The name, the help and the subcommands.
    public static let configuration = CommandConfiguration(
        commandName: "minikvm",
        abstract: "Runs virtual machines on Linux/KVM, and shows what happens inside.",
        discussion: """
            A first guest, a boot of Linux, and a look at this host:
              minikvm run hello
              minikvm run --kernel bzImage --initrd initrd.gz --append console=ttyS0
              minikvm doctor

            Exit status: the guest's own where it gives one; 0 when it halts, switches
            off or is stopped by Ctrl-A x; 1 when it or the monitor fails; 2 when the
            command line is wrong.
            """,
        version: "minikvm 0.1.0",
        subcommands: [
            RunCommand.self, TypeCommand.self, ScreenshotCommand.self, GuestsCommand.self, DoctorCommand.self,
        ])

    /// As the parser makes it.
    public init() {}

    /// Parses and runs. Every error is one line on standard error: 2 for a wrong command line, 1 for a failure.
    public static func main() {
        Terminal.secureStandardDescriptors()
        // A file that may not grow any more (ulimit -f) is a failed write, as on a full disk, and no death.
        _ = signal(SIGXFSZ, SIG_IGN)
        do {
            var command = try parseAsRoot(separatingTrace(Array(CommandLine.arguments.dropFirst())))
            try command.run()
        } catch {
            end(error)
        }
    }

    /// Reads the words behind `minikvm run` without running anything: for whoever builds command lines, and for
    /// tests and fuzzers.
    /// - Returns: the errors that the user would be told; empty when a machine would be made.
    public static func errors(inRun words: [String]) -> [String] {
        do {
            return try RunCommand.parse(separatingTrace(words)).machineConfiguration().validate().map(\.description)
        } catch let failure as Failure {
            return [failure.text]
        } catch {
            return [RunCommand.message(for: error)]
        }
    }

    /// Makes two words of `--trace=FILE`. The parser (swift-argument-parser 1.8.2) forgets the value of an option that may
    /// be a flag when another option follows, and would write to standard error.
    private static func separatingTrace(_ words: [String]) -> [String] {
        let prefix = "--trace="
        let end = words.firstIndex(of: "--") ?? words.endIndex
        return words[..<end].flatMap { $0.hasPrefix(prefix) ? ["--trace", String($0.dropFirst(prefix.count))] : [$0] }
            + words[end...]
    }

    private static func end(_ error: any Error) -> Never {
        if let code = error as? ExitCode { Glibc.exit(code.rawValue) }
        if let failure = error as? Failure {
            printError(failure.text)
            Glibc.exit(failure.status)
        }
        if let error = error as? HostError {
            printError(error.description)
            Glibc.exit(1)
        }
        // What the parser throws: help and version come with status 0.
        let code = exitCode(for: error)
        if code == .success {
            print(fullMessage(for: error))
            Glibc.exit(0)
        }
        var firstLine = message(for: error).split(separator: "\n").first ?? "the command line is wrong"
        if firstLine.last == "." { firstLine.removeLast() }
        printError("\(firstLine); see `\(commandPath) --help`")
        Glibc.exit(2)
    }

    /// The subcommand that was meant, for the hint to its help.
    private static var commandPath: String {
        let names = configuration.subcommands.compactMap { $0.configuration.commandName }
        guard CommandLine.arguments.count > 1, names.contains(CommandLine.arguments[1]) else { return "minikvm" }
        return "minikvm \(CommandLine.arguments[1])"
    }
}

/// A failure with its one line and its exit status.
struct Failure: Error {
    /// The line, without the program's name.
    let text: String
    /// 1 for a failure, 2 for wrong usage.
    let status: Int32

    /// Something failed.
    static func failed(_ text: String) -> Failure { Failure(text: text, status: 1) }
    /// Something was asked for that cannot be.
    static func usage(_ text: String) -> Failure { Failure(text: text, status: 2) }
}

/// Standard error. Who writes there in another way could wait for ever for a pipe's reader.
let standardError = FileSink(descriptor: STDERR_FILENO)

extension FileSink {
    /// Writes a text.
    func write(_ text: String) {
        Array(text.utf8).withUnsafeBytes { write($0) }
    }
}

/// Writes a line to standard error, behind the program's name.
func printError(_ text: String) { standardError.write("minikvm: \(text)\n") }
