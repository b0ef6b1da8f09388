internal import Devices
internal import Glibc
internal import Host
internal import Machine
internal import Monitor

/// Where characters go that nobody wants.
private final class NoCharacters: CharacterPort {
    func transmit(_: UInt8) {}
}

extension Failure {
    /// What a machine refused.
    fileprivate init(_ error: MachineError) {
        let isUsage = if case .configuration = error { true } else { false }
        self.init(text: error.description, status: isUsage ? 2 : 1)
    }
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
        /// What the terminal is to the guest.
        var console: ConsoleOptions
    }

    private let options: Options
    private let observation: Observation
    private let outputs: RunOutputs
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
    private var serialOutput: TerminalOutput?
    private var serialLossIsTold = false
    private var display: LiveScreen?
    private var control: ControlSocket?
    private var endingSignal: Int32?
    /// The terminal is gone, or what should have been written into a file is not all there.
    private var outputIsLost = false
    private var screenshots = 0

    /// - Parameters:
    ///   - options: what the flags say besides the machine.
    ///   - observation: looks at the exits.
    ///   - outputs: the files that are written.
    init(options: Options, observation: Observation, outputs: RunOutputs) throws {
        self.options = options
        self.observation = observation
        self.outputs = outputs
        firmwareLog = outputs.firmwareLog.map { FirmwareLog($0) }
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
            throw Failure(error)
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
        serialOutput = try makeSerialOutput()
        let terminal = try Terminal(loop: loop, receiver: input.receiver, onEvent: handle)
        self.terminal = terminal
        defer {
            input.close()
            close(terminal)
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
            case .file: serialOutput ?? terminal.output
            }
        while true {
            let reason = try runOnce(configuration, terminal, console: console)
            observation.flush()
            if reason.isReset, options.reboots, endingSignal == nil { continue }
            close(terminal)
            // A guest that ends at once is faster than the news that what it said went nowhere.
            if !outputIsLost, let error = terminal.output.lossError { lose(error) }
            if !serialLossIsTold, let error = serialOutput?.lossError { lose(error) }
            if options.showsStatistics { tell(observation.statistics.summary().render()) }
            let own = status(reason)
            for failure in outputs.failures {
                printError(failure)
                outputIsLost = true
            }
            return own == 0 && outputIsLost ? 1 : own
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
            throw Failure(error)
        }
        if options.isVerbose { for line in machine.memoryMap { printError(line) } }
        if case .linux = configuration.guest, HostKVM.current() == .pvm {
            printError(
                "this host's KVM (kvm_pvm) emulates what a kernel does, and not all of it: a stock Linux comes to a "
                    + "stop here; run it under `scripts/box`, or see `minikvm doctor`")
        }
        self.machine = machine
        remains = nil
        typist.connect(machine.keyboard)
        input.connect(terminal.input, to: machine)
        display?.connect(machine.screen)
        try outputs.begin()
        do throws(MachineError) {
            try machine.start { [loop] in loop.stop() }
        } catch {
            throw Failure.failed(error.description)
        }
        // From here on only what the guest asks for is done.
        ProgramCode.release()
        try loop.run()
        terminal.output.flush()
        let reason = machine.wait()
        if reason.isReset { remains = machine.remains }
        return reason
    }

    // MARK: The terminal

    /// The way to the file that the serial port's characters go to.
    private func makeSerialOutput() throws -> TerminalOutput? {
        guard let file = outputs.serial else { return nil }
        return try TerminalOutput(descriptor: file.descriptor, name: "'\(file.path)'", loop: loop) { [self] error in
            // A machine is not ended for a log that nobody reads any more.
            if let display {
                display.show("minikvm: \(error)")
            } else {
                lose(error)
                serialLossIsTold = true
            }
        }
    }

    /// Gives the terminal back; a second time does nothing.
    private func close(_ terminal: Terminal) {
        display?.close()
        display = nil
        terminal.close(limit: 2000)
        serialOutput?.finish(limit: 2000)
        serialOutput?.detach()
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
        serialOutput?.release()
        outputs.release()
        machine?.stop(.stopped)
    }

    /// Saves what the screen shows as text and as a picture, under names that are not taken.
    /// - Returns: what became of it.
    private func takeScreenshot() -> String {
        let screen: TextScreen
        do throws(NoText) { screen = try (machine?.screen).lookAtText() } catch { return error.reason }
        screenshots += 1
        let name = "minikvm-\(getpid())-\(screenshots)"
        do throws(HostError) {
            try ScreenFiles.write(text: ScreenFiles.text(screen), picture: try ScreenFiles.picture(screen), name: name)
        } catch {
            return error.description
        }
        return "the screen is in \(name).txt and \(name).png"
    }

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
            let screen: TextScreen
            do throws(NoText) {
                screen = try (machine?.screen).lookAtText()
            } catch {
                answer(.failed(error.reason))
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

    private func tell(_ text: String) { standardError.write(text) }

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
