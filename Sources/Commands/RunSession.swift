internal import Devices
internal import Glibc
internal import Host
internal import Machine
internal import Monitor

/// Where characters go that nobody wants.
private final class NoCharacters: CharacterPort {
    func transmit(_: UInt8) {}
}

/// One `minikvm run`: the terminal, the signals, and the machine, made anew each time the guest restarts it.
final class RunSession {
    /// What the flags say besides the machine.
    struct Options {
        /// Whether a guest that resets is started again.
        var reboots = true
        /// Whether to tell what is loaded where.
        var isVerbose = false
        /// Whether the statistics are shown at the end.
        var showsStatistics = false
        /// Where firmware tells of itself: a file, `-` for standard error, nil for nowhere.
        var firmwareLogPath: String?
        /// What the terminal is to the guest.
        var console: ConsoleOptions
    }

    private let options: Options
    private let observation: Observation
    private let loop: EventLoop
    private let typist: Typist
    private let input: any UserInput
    private let clock = MonotonicClock()
    private var machine: Machine?
    /// What the machine before has left to the next.
    private var remains: MachineRemains?
    private var disks: [any BlockStore] = []
    private let firmwareLog: FirmwareLog?
    private var terminal: Terminal?
    private var display: LiveScreen?
    private var control: ControlSocket?
    private var endingSignal: Int32?
    private var outputIsLost = false
    private var screenshots = 0

    /// - Parameters:
    ///   - options: what the flags say besides the machine.
    ///   - observation: looks at the exits.
    init(options: Options, observation: Observation) throws {
        self.options = options
        self.observation = observation
        firmwareLog = try options.firmwareLogPath.map { try FirmwareLog(path: $0) }
        loop = try EventLoop()
        typist = try Typist(loop: loop)
        input =
            options.console.typesKeys
            ? try KeyboardInput(typist: typist, loop: loop) : try SerialInput(loop: loop)
    }

    /// Runs a machine to its end.
    /// - Returns: the exit status.
    func run(_ configuration: MachineConfiguration) throws -> Int32 {
        do throws(MachineError) {
            disks = try configuration.openDisks()
        } catch {
            throw Failure.failed(error.description)
        }
        let signals = try Signals(loop: loop) { [self] signal in
            endingSignal = signal
            stop()
        }
        defer { signals.close() }
        if let path = options.console.control {
            control = try ControlSocket(path: path, loop: loop) { [self] in serve($0, $1) }
        }
        defer {
            typist.close()
            control?.close()
            control = nil
        }
        let serialFile = try serialFile()
        let terminal = try Terminal(loop: loop, receiver: input.receiver, onEvent: handle)
        self.terminal = terminal
        defer {
            input.close()
            close(terminal, serialFile)
        }
        if options.console.showsScreen {
            display = try LiveScreen(output: terminal.output, loop: loop) {
                Terminal.size(of: STDOUT_FILENO)
            }
        }
        let console: any CharacterPort =
            switch options.console.serialTarget {
            case .terminal: terminal.output
            case .none: NoCharacters()
            case .file: serialFile ?? terminal.output
            }
        while true {
            let reason = try runOnce(configuration, terminal, console: console)
            observation.flush()
            if reason.isReset, options.reboots, endingSignal == nil { continue }
            close(terminal, serialFile)
            // A guest that ends at once is faster than the news that what it said went nowhere.
            if !outputIsLost, let error = terminal.output.lossError ?? serialFile?.lossError { lose(error) }
            if options.showsStatistics { tell(observation.statistics.summary().render()) }
            let own = status(reason)
            let status = own == 0 && outputIsLost ? 1 : own
            if let failure = observation.traceFailure {
                printError(failure)
                return status == 0 ? 1 : status
            }
            return status
        }
    }

    private func runOnce(
        _ configuration: MachineConfiguration, _ terminal: Terminal, console: any CharacterPort
    ) throws -> StopReason {
        let machine: Machine
        do throws(MachineError) {
            machine = try Machine(
                configuration,
                environment: MachineEnvironment(
                    console: console, clock: clock, observer: observation,
                    measuresTime: observation.measuresTime, disks: disks, remains: remains,
                    firmwareLog: firmwareLog, loop: loop))
        } catch {
            if case .configuration = error { throw Failure.usage(error.description) }
            throw Failure.failed(error.description)
        }
        if options.isVerbose { for line in machine.memoryMap { printError(line) } }
        if case .linux = configuration.guest, HostKVM.current() == .pvm {
            printError(
                "this host's KVM (kvm_pvm) emulates what a kernel does, and not all of it: a stock Linux comes to a "
                    + "stop here; run it under `scripts/box`, or see `minikvm doctor`")
        }
        self.machine = machine
        remains = nil
        ProgramCode.release()
        typist.connect(machine.keyboard)
        input.connect(terminal.input, to: machine)
        display?.connect(machine.screen)
        do throws(MachineError) {
            try machine.start { [loop] in loop.stop() }
        } catch {
            throw Failure.failed(error.description)
        }
        try loop.run()
        terminal.output.flush()
        let reason = machine.wait()
        if reason.isReset { remains = machine.remains }
        return reason
    }

    // MARK: The terminal

    /// The file that the serial port's characters go to.
    private func serialFile() throws -> TerminalOutput? {
        guard case .file(let path) = options.console.serialTarget else { return nil }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw Failure.failed(
                "cannot write the serial port's characters to '\(path)': \(String(cString: strerror(errno))); "
                    + "name another file")
        }
        let file = OwnedDescriptor(owning: descriptor)
        return try TerminalOutput(descriptor: file.rawValue, loop: loop) { [self] in handle(.outputLost($0)) }
    }

    /// Gives the terminal back; a second time does nothing.
    private func close(_ terminal: Terminal, _ serialFile: TerminalOutput?) {
        display?.close()
        display = nil
        terminal.close(limit: 2000)
        serialFile?.finish(limit: 2000)
        serialFile?.detach()
    }

    private func handle(_ event: Terminal.Event) {
        switch event {
        case .command(.stop): stop()
        case .command(.help): show(EscapeFilter.helpText)
        case .command(.sendBreak): machine?.serialPort.sendBreak()
        case .command(.statistics): show(rawText(observation.statistics.summary().render()))
        case .command(.screenshot): show("\r\nminikvm: \(takeScreenshot())\r\n")
        case .inputEnded: input.end()
        case .outputLost(let error):
            lose(error)
            stop()
        }
    }

    private func lose(_ error: HostError) {
        printError(error.description)
        outputIsLost = true
    }

    /// Ends the machine from outside.
    private func stop() {
        // A CPU may be waiting for a reader who is not coming back.
        terminal?.output.release()
        machine?.stop(.stopped)
    }

    /// Saves what the screen shows as text and as a picture, under names that are not taken.
    /// - Returns: what became of it.
    private func takeScreenshot() -> String {
        guard let screen = machine?.screen?.look() else { return Self.noScreen }
        screenshots += 1
        let name = "minikvm-\(getpid())-\(screenshots)"
        do throws(HostError) {
            try ScreenFiles.write(text: ScreenFiles.text(screen), picture: try ScreenFiles.picture(screen), name: name)
        } catch {
            return error.description
        }
        return "the screen is in \(name).txt and \(name).png"
    }

    private static let noScreen = "this machine has no screen; a board has one with --board pc or a --disk"

    /// Does what another process asks.
    private func serve(_ request: ControlRequest, _ answer: @escaping (ControlAnswer) -> Void) -> () -> Void {
        switch request {
        case .type(let text):
            guard machine?.keyboard != nil else {
                answer(.failed("this machine has no keyboard; a board has one with --board pc or a --disk"))
                break
            }
            let strokes = text.map { KeyStroke(ascii: $0) }
            guard !strokes.contains(nil) else {
                answer(.failed("the text has a character that is on no key of a keyboard of the USA"))
                break
            }
            let job = typist.type(strokes.compactMap(\.self)) { answer(.done([])) }
            return { [typist] in typist.drop(job) }
        case .screenText, .screenPicture:
            guard let screen = machine?.screen?.look() else {
                answer(.failed(Self.noScreen))
                break
            }
            do throws(HostError) {
                let bytes = request == .screenText ? ScreenFiles.text(screen) : try ScreenFiles.picture(screen)
                answer(.done(bytes))
            } catch {
                answer(.failed(error.description))
            }
        }
        return {}
    }

    /// Lines for a terminal in raw mode.
    private func rawText(_ text: String) -> String {
        "\r\n" + text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
    }

    /// Tells the user something while the guest runs.
    private func show(_ text: String) {
        if let display { display.show(text) } else { tell(text) }
    }

    private func tell(_ text: String) {
        var bytes = Array(text.utf8)
        _ = write(STDERR_FILENO, &bytes, bytes.count)
    }

    // MARK: The end

    private func status(_ reason: StopReason) -> Int32 {
        switch reason {
        // A reset that is not followed by another start because of a signal.
        case .reset, .processorReset: return endingSignal.map { 128 + $0 } ?? 0
        case .halted, .poweredOff: return 0
        case .guestExit(let status): return Int32(status)
        case .stopped: return endingSignal.map { 128 + $0 } ?? (outputIsLost ? 1 : 0)
        case .crashed(let crash):
            if let machine { tell(CrashReport(machine, crash).render()) }
            return 1
        }
    }
}
