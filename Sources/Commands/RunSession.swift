internal import Devices
internal import Glibc
internal import Host
internal import Machine
internal import Monitor

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
    }

    private let options: Options
    private let observation: Observation
    private let loop: EventLoop
    private let guestInput: GuestInput
    private let clock = MonotonicClock()
    private var machine: Machine?
    private var disks: [any BlockStore] = []
    private let firmwareLog: FirmwareLog?
    private var terminal: Terminal?
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
        guestInput = try GuestInput(loop: loop)
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
        let terminal = try Terminal(loop: loop, receiver: guestInput.receiver, onEvent: handle)
        self.terminal = terminal
        defer {
            guestInput.close()
            terminal.close(limit: 2000)
        }
        while true {
            let reason = try runOnce(configuration, terminal)
            observation.flush()
            if reason == .reset, options.reboots, endingSignal == nil { continue }
            terminal.close(limit: 2000)
            // A guest that ends at once is faster than the news that what it said went nowhere.
            if !outputIsLost, let error = terminal.output.lossError { lose(error) }
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

    private func runOnce(_ configuration: MachineConfiguration, _ terminal: Terminal) throws -> StopReason {
        let machine: Machine
        do throws(MachineError) {
            machine = try Machine(
                configuration,
                environment: MachineEnvironment(
                    console: terminal.output, clock: clock, observer: observation,
                    measuresTime: observation.measuresTime, disks: disks, firmwareLog: firmwareLog))
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
        ProgramCode.release()
        guestInput.connect(terminal.input, to: machine.serialPort)
        do throws(MachineError) {
            try machine.start { [loop] in loop.stop() }
        } catch {
            throw Failure.failed(error.description)
        }
        try loop.run()
        terminal.output.flush()
        return machine.wait()
    }

    // MARK: The terminal

    private func handle(_ event: Terminal.Event) {
        switch event {
        case .command(.stop): stop()
        case .command(.help): tell(EscapeFilter.helpText)
        case .command(.sendBreak): machine?.serialPort.sendBreak()
        case .command(.statistics): tell(rawText(observation.statistics.summary().render()))
        case .command(.screenshot): tell("\r\nminikvm: \(takeScreenshot())\r\n")
        case .inputEnded: guestInput.end()
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
        guard let screen = machine?.screen?.look() else {
            return "this machine has no screen; a board has one with --board pc or a --disk"
        }
        screenshots += 1
        let name = "minikvm-\(getpid())-\(screenshots)"
        do throws(HostError) {
            let (width, _, colors) = screen.pixels()
            let picture = try PNG.file(width: width, colors: colors, palette: screen.palette)
            try NewFile.write(Array(screen.text().utf8), to: name + ".txt")
            try NewFile.write(picture, to: name + ".png")
        } catch {
            return error.description
        }
        return "the screen is in \(name).txt and \(name).png"
    }

    /// Lines for a terminal in raw mode.
    private func rawText(_ text: String) -> String {
        "\r\n" + text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
    }

    private func tell(_ text: String) {
        var bytes = Array(text.utf8)
        _ = write(STDERR_FILENO, &bytes, bytes.count)
    }

    // MARK: The end

    private func status(_ reason: StopReason) -> Int32 {
        switch reason {
        // A reset that is not followed by another start because of a signal.
        case .reset: return endingSignal.map { 128 + $0 } ?? 0
        case .halted, .poweredOff: return 0
        case .guestExit(let status): return Int32(status)
        case .stopped: return endingSignal.map { 128 + $0 } ?? (outputIsLost ? 1 : 0)
        case .crashed(let crash):
            if let machine { tell(CrashReport(machine, crash).render()) }
            return 1
        }
    }
}
