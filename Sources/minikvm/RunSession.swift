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
    }

    private let options: Options
    private let loop: EventLoop
    private let clock = MonotonicClock()
    private var machine: Machine?
    private var terminal: Terminal?
    private var endingSignal: Int32?
    private var isOutputLost = false

    /// - Parameter options: what the flags say besides the machine.
    init(options: Options) throws {
        self.options = options
        loop = try EventLoop()
    }

    /// Runs a machine to its end.
    /// - Returns: the exit status.
    func run(_ configuration: MachineConfiguration) throws -> Int32 {
        let signals = try Signals(loop: loop) { [self] signal in
            endingSignal = signal
            stop()
        }
        defer { signals.close() }
        let terminal = try Terminal(loop: loop, receiver: receiver, onEvent: handle)
        self.terminal = terminal
        defer { terminal.close(limit: 2000) }
        while true {
            let reason = try runOnce(configuration, terminal)
            if reason == .reset, options.reboots, endingSignal == nil { continue }
            return status(reason, terminal)
        }
    }

    private func runOnce(_ configuration: MachineConfiguration, _ terminal: Terminal) throws -> StopReason {
        let machine: Machine
        do throws(MachineError) {
            machine = try Machine(
                configuration, environment: MachineEnvironment(console: terminal.output, clock: clock))
        } catch {
            if case .configuration = error { throw Failure.usage(error.description) }
            throw Failure.failed(error.description)
        }
        if options.isVerbose { for line in machine.memoryMap { printError(line) } }
        self.machine = machine
        let input = terminal.input
        machine.serialPort.onRoom { input.roomMayHaveGrown() }
        input.roomMayHaveGrown()
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

    private var receiver: TerminalInput.Receiver {
        TerminalInput.Receiver(
            wantsInput: { [self] in machine?.serialPort.receiveCapacity ?? 0 },
            receive: { [self] bytes in machine?.serialPort.receive(Array(bytes)) ?? 0 })
    }

    private func handle(_ event: Terminal.Event) {
        switch event {
        case .command(.stop): stop()
        case .command(.help): tell(EscapeFilter.helpText)
        case .command(.sendBreak): machine?.serialPort.sendBreak()
        case .command(.statistics), .command(.screenshot): tell(EscapeFilter.helpText)
        case .inputEnded: endInput()
        case .outputLost(let error):
            printError(error.description)
            isOutputLost = true
            stop()
        }
    }

    /// Ends the machine, and lets a CPU go that waits for somebody to read the guest's output.
    private func stop() {
        machine?.stop(.stopped)
        terminal?.output.release()
    }

    /// What a terminal's user types at the end of input: a guest's shell or `echo` then ends.
    private func endInput() {
        _ = machine?.serialPort.receive([0x04])
    }

    private func tell(_ text: String) {
        var bytes = Array(text.utf8)
        _ = write(STDERR_FILENO, &bytes, bytes.count)
    }

    // MARK: The end

    private func status(_ reason: StopReason, _ terminal: Terminal) -> Int32 {
        switch reason {
        case .halted, .poweredOff, .reset: return 0
        case .guestExit(let status): return Int32(status)
        case .stopped: return endingSignal.map { 128 + $0 } ?? (isOutputLost ? 1 : 0)
        case .crashed(let crash):
            terminal.close(limit: 2000)
            if let machine { tell(CrashReport(machine, crash).render()) }
            return 1
        }
    }
}
