internal import Glibc
internal import Host
internal import Machine
internal import Monitor

/// The files that `minikvm run` writes. All are opened and looked at before the machine is made, and emptied when it
/// stands: a wrong command line costs no file, and none is the machine's own disk or kernel.
struct RunOutputs {
    /// What the options name.
    struct Paths {
        /// Of `--trace`; `-` is standard error.
        var trace: String?
        /// Of `--firmware-log`; `-` is standard error.
        var firmwareLog: String?
        /// Of `--serial`, when that is a file.
        var serial: String?
        /// Of `--control`: a socket, which is made later.
        var control: String?
    }

    /// Where the trace goes.
    let trace: LogOutput?
    /// Where the firmware's log goes.
    let firmwareLog: LogOutput?
    /// Where the serial port's characters go.
    let serial: OutputFile?
    private let files: [(option: String, file: OutputFile)]

    /// - Parameters:
    ///   - paths: what the options name.
    ///   - inputs: what the machine is made of.
    init(_ paths: Paths, inputs: [MachineConfiguration.InputFile]) throws {
        var files: [(option: String, file: OutputFile)] = []
        func open(_ option: String, _ path: String?, purpose: String) throws -> OutputFile? {
            guard let path else { return nil }
            guard !path.isEmpty else { throw Failure.usage("run: \(option) has an empty path; name a file") }
            let file = try OutputFile(path: path, purpose: purpose)
            files.append((option, file))
            return file
        }
        func log(_ option: String, _ path: String?, purpose: String) throws -> LogOutput? {
            guard path != "-" else { return LogOutput(standardErrorFor: purpose) }
            return try open(option, path, purpose: purpose).map { LogOutput($0, purpose: purpose) }
        }
        do {
            trace = try log("--trace", paths.trace, purpose: "the trace")
            firmwareLog = try log("--firmware-log", paths.firmwareLog, purpose: "the firmware's log")
            serial = try open("--serial", paths.serial, purpose: "the serial port's characters")
            self.files = files
            try refuseSharing(inputs: inputs, control: paths.control)
        } catch {
            for (_, file) in files { file.discard() }
            throw error
        }
    }

    /// Empties the files. A second time does nothing.
    func begin() throws(HostError) {
        for (_, file) in files { try file.begin() }
    }

    /// Takes away those that were made and not begun.
    func discard() {
        for (_, file) in files { file.discard() }
    }

    /// Waits no more for readers who take nothing.
    func release() {
        for log in [trace, firmwareLog] { log?.sink.release() }
        standardError.release()
    }

    /// What to say of lines that could not be written.
    var failures: [String] { [trace, firmwareLog].compactMap { $0?.failure } }

    private func refuseSharing(inputs: [MachineConfiguration.InputFile], control: String?) throws {
        var owners: [FileIdentity: String] = [:]
        if let identity = FileIdentity(descriptor: STDIN_FILENO) { owners[identity] = "standard input" }
        for input in inputs {
            if let identity = FileIdentity(path: input.path) {
                owners[identity] = "the \(input.purpose) '\(input.path)'"
            }
        }
        for (option, file) in files {
            guard let identity = file.identity else { continue }
            let name = "\(option) '\(file.path)'"
            if let owner = owners[identity] {
                throw Failure.usage("run: \(name) is the same file as \(owner); name another file")
            }
            owners[identity] = name
        }
        if let control, let owner = FileIdentity(path: control).flatMap({ owners[$0] }) {
            throw Failure.usage("run: --control '\(control)' is the same file as \(owner); name another path")
        }
    }
}

/// Lines that the monitor writes beside what the guest says: into a file, or to standard error.
final class LogOutput {
    /// Takes the lines.
    let sink: FileSink
    /// Whether a person may be reading.
    let isTerminal: Bool
    private let purpose: String
    private let file: OutputFile?

    /// - Parameters:
    ///   - file: where to write.
    ///   - purpose: what is written, for messages.
    init(_ file: OutputFile, purpose: String) {
        self.file = file
        self.purpose = purpose
        sink = FileSink(descriptor: file.descriptor)
        isTerminal = isatty(file.descriptor) == 1
    }

    /// - Parameter purpose: what is written, for messages.
    init(standardErrorFor purpose: String) {
        file = nil
        self.purpose = purpose
        sink = standardError
        isTerminal = isatty(STDERR_FILENO) == 1
    }

    /// What to say when not all of it could be written, or nil.
    var failure: String? {
        guard let error = sink.failure else { return nil }
        let place = file.map { "'\($0.path)'" } ?? "standard error"
        let reason = error == ETIMEDOUT ? "its reader takes nothing" : String(cString: strerror(error))
        return "cannot write all of \(purpose) to \(place): \(reason); lines are missing"
    }
}
