public import Devices
internal import Firmware
public import GuestMemory
public import Host
public import KVM
internal import Synchronization

/// What the world outside gives a machine.
public struct MachineEnvironment {
    /// Where the serial port's characters go.
    public var console: any CharacterPort
    /// Time.
    public var clock: any Clock
    /// Sees every exit.
    public var observer: (any ExitObserver)?
    /// Whether the observer is told times and instruction pointers, which cost a little at each exit.
    public var measuresTime: Bool
    /// The disks' contents, in the order of the configuration; nil opens them with the machine. Who restarts a machine
    /// opens them once, so that a snapshot outlives the restart and nobody else gets hold of an image meanwhile.
    public var disks: [any BlockStore]?
    /// What the machine before this one has left, which the guest has reset (``Machine/remains``); nil switches it on.
    public var remains: MachineRemains?

    /// Wakes the clocks' interrupts at their time, also while no CPU does anything; nil leaves them until the guest's
    /// next access. It is run on the thread that makes the machine and waits for it.
    public var loop: EventLoop?
    /// Takes what firmware tells of itself; nil tells firmware that nobody listens.
    public var firmwareLog: (any CharacterPort)?
    /// What is wrong with the board, for tests.
    var faults = BoardFaults()

    /// - Parameters:
    ///   - console: where the serial port's characters go.
    ///   - clock: time.
    ///   - observer: sees every exit.
    ///   - measuresTime: whether the observer is told times and instruction pointers.
    ///   - disks: the disks' contents; nil opens them with the machine.
    ///   - remains: what the machine before this one has left; nil switches it on.
    ///   - firmwareLog: takes what firmware tells of itself.
    ///   - loop: wakes the clocks' interrupts at their time.
    public init(
        console: any CharacterPort, clock: any Clock, observer: (any ExitObserver)? = nil, measuresTime: Bool = false,
        disks: [any BlockStore]? = nil, remains: MachineRemains? = nil, firmwareLog: (any CharacterPort)? = nil,
        loop: EventLoop? = nil
    ) {
        self.remains = remains
        self.loop = loop
        self.firmwareLog = firmwareLog
        self.console = console
        self.clock = clock
        self.observer = observer
        self.measuresTime = measuresTime
        self.disks = disks
    }

    var withoutRemains: MachineEnvironment {
        var environment = self
        environment.remains = nil
        return environment
    }
}

/// A PC: memory, CPUs, devices and what was loaded, ready to run once.
///
/// A machine that was reset is not run again: a new one is made, so that nothing of the old is left in it but what it
/// is handed (``Machine/remains``).
public final class Machine: @unchecked Sendable {
    // Unchecked: constants, apart from `threads`, which belongs to the caller of `start` and `wait`.

    /// What it was made from.
    public let configuration: MachineConfiguration
    /// The guest's physical memory.
    public let memory: GuestMemory
    /// The serial port, for the host's input.
    public let serialPort: SerialPort
    /// The keyboard, for the host's input; nil on a board without one.
    public let keyboard: KeyboardPort?
    /// The screen; nil on a board without one.
    public let screen: Screen?
    /// What lies where, one line each, for `--verbose`.
    public let memoryMap: [String]

    let hostMemory: HostMemory
    let kernel: KernelObjects
    let ports: Bus
    /// What lies in the physical address space besides RAM and what KVM has there; no device of this board does.
    let memoryBus: Bus
    let lifecycle: Lifecycle
    let environment: MachineEnvironment
    let processors: [Processor]
    /// Makes writing to a disk cheap; nil on a machine without disks.
    let diskWrites: DiskWriteGathering?
    /// Reads the guest's console for the words of a dying kernel.
    let console: ConsoleWatch
    private let postCode: PostCode
    private let realTimeClock: ClockPort
    /// The BIOS image, which KVM shows to the guest for as long as the machine lives.
    private let firmware: FirmwareImage?
    private let doorbell: BoardDoorbell
    private let timers: [BoardTimer]
    private var threads: [Thread] = []
    private let startTime = Atomic<UInt64>(0)

    /// Makes the machine and loads what it runs. No CPU runs yet.
    /// - Parameters:
    ///   - configuration: must be valid (``MachineConfiguration/validate()``).
    ///   - environment: what the world outside gives it.
    public init(
        _ configuration: MachineConfiguration, environment: MachineEnvironment
    ) throws(MachineError) {
        if let error = configuration.validate().first { throw .configuration(error) }
        self.configuration = configuration
        // What is left of the machine before, and not used by this one, goes.
        self.environment = environment.withoutRemains

        let disks = if let disks = environment.disks { disks } else { try configuration.openDisks() }
        let kernel = try MachineError.catching { () throws(KVMError) in
            try KernelObjects(configuration, cutInterrupts: environment.faults.cutInterrupts)
        }
        let kept = environment.remains?.memory(for: configuration)
        let hostMemory =
            if let kept { kept } else {
                try MachineError.catching { () throws(HostError) in try HostMemory(size: configuration.memoryBytes) }
            }
        let regions = hostMemory.regions(holeStart: BoardLayout.holeStart)
        let memory = GuestMemory(regions: regions)
        try MachineError.catching { () throws(KVMError) in try kernel.show(regions) }

        let firmware = if let files = configuration.firmware { try FirmwareImage(files) } else { nil as FirmwareImage? }
        try MachineError.catching { () throws(KVMError) in try firmware?.show(kernel) }
        let loaded = try Loader(
            configuration: configuration, memory: memory, disks: disks, firmware: firmware,
            remains: kept == nil ? nil : environment.remains
        ).load()
        let lifecycle = Lifecycle()
        let doorbell = BoardDoorbell()
        let console = ConsoleWatch(environment.console, watchesForPanic: configuration.isLinux, board: doorbell)
        var timers: [BoardTimer] = []
        if let loop = environment.loop {
            try MachineError.catching { () throws(HostError) in
                for _ in 0..<BoardDevices.timerCount {
                    timers.append(try BoardTimer(loop: loop, clock: environment.clock))
                }
            }
        }
        self.timers = timers
        var board = BoardDevices(
            configuration: configuration, kernel: kernel, console: console, clock: environment.clock, disks: disks,
            memory: memory, board: doorbell, timers: timers, clockState: environment.remains?.clock)
        if let firmware {
            board.attach(
                FirmwareConfiguration(
                    files: try firmware.files(for: configuration), cpus: configuration.cpus, memory: memory),
                log: environment.firmwareLog)
        }
        self.firmware = firmware

        self.kernel = kernel
        self.hostMemory = hostMemory
        self.memory = memory
        self.lifecycle = lifecycle
        self.console = console
        self.doorbell = doorbell
        var ports = board.ports
        environment.faults.cover(&ports)
        self.ports = ports
        memoryBus = board.memoryBus
        serialPort = board.serialPort
        keyboard = board.keyboard
        screen = board.screen
        postCode = board.postCode
        realTimeClock = board.realTimeClock
        memoryMap = MemoryMap.lines(regions: regions, loaded: loaded.description)
        processors = try MachineError.catching { () throws(KVMError) in
            try Processor.make(configuration, kernel: kernel, entry: loaded.entry)
        }
        diskWrites = DiskWriteGathering(board.dataPorts, kernel: kernel, vcpu: processors[0].vcpu)
        doorbell.machine = self
    }

    /// Starts the CPUs, each on a thread of its own.
    /// - Parameter onStop: called once, on a CPU's thread, when the last CPU has stopped.
    public func start(onStop: (@Sendable () -> Void)? = nil) throws(MachineError) {
        if let onStop { lifecycle.onStop(onStop) }
        startTime.store(environment.clock.nanoseconds, ordering: .relaxed)
        try MachineError.catching { () throws(HostError) in
            try KickSignal.install()
            for processor in processors {
                lifecycle.enter()
                do throws(HostError) {
                    let thread = try Thread(name: "vcpu\(processor.number)") { [self] in
                        RunLoop(machine: self, processor: processor).run()
                        lifecycle.leave()
                    }
                    processor.thread.withLock { $0 = thread }
                    threads.append(thread)
                } catch {
                    lifecycle.leave()
                    stop(.stopped)
                    throw error
                }
            }
        }
    }

    /// Waits until every CPU has stopped.
    /// - Returns: why the machine ended.
    public func wait() -> StopReason {
        let reason = lifecycle.waitUntilStopped()
        for thread in threads { thread.join() }
        threads = []
        for timer in timers { timer.cancel() }
        return reason
    }

    /// Runs the machine to its end on this thread's time.
    public func run() throws(MachineError) -> StopReason {
        try start()
        return wait()
    }

    /// Ends the machine. The first reason counts. From any thread, also a vCPU's.
    public func stop(_ reason: StopReason) {
        lifecycle.stop(reason) { callOutAll() }
    }

    /// Stops all CPUs where they are and returns when none is in the guest. Pauses add up. Not from a vCPU's thread.
    public func pause() {
        lifecycle.pause { callOutAll() }
    }

    /// Takes one pause back.
    public func resume() {
        lifecycle.resume()
    }

    /// Why the machine ended; nil while it runs.
    public var stopReason: StopReason? { lifecycle.stopReason }

    /// Nanoseconds since `start`.
    public var nanoseconds: UInt64 {
        environment.clock.nanoseconds &- startTime.load(ordering: .relaxed)
    }

    /// Looks at a CPU of a machine that is paused or has ended.
    /// - Parameter number: the CPU, from 0.
    public func examine<Result, Failure: Error>(
        vcpu number: Int, _ body: (borrowing VirtualCPU) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(processors[number].vcpu)
    }

    /// The last exits of a CPU of a machine that is paused or has ended, oldest first.
    public func lastExits(vcpu number: Int) -> [ExitRecord] {
        processors[number].lastExits.records
    }

    /// What outlives this machine, when it has ended by a reset.
    public var remains: MachineRemains {
        MachineRemains(clock: realTimeClock.battery, memory: stopReason == .processorReset ? hostMemory : nil)
    }

    /// What the guest wrote to port 0x80, of a machine that is paused or has ended, oldest first.
    public var postCodes: [UInt8] { postCode.state.codes }

    /// The last lines on the guest's console.
    public var lastConsoleLines: [String] { console.lastLines }

    private func callOutAll() {
        for processor in processors { processor.callOut() }
    }
}

/// Hears what devices ask of the board, and hands it to the machine once there is one.
final class BoardDoorbell: Board, @unchecked Sendable {
    // Unchecked: set once, before any CPU runs.
    weak var machine: Machine?

    func request(_ request: BoardRequest) {
        switch request {
        case .reset: restart(.reset)
        case .processorReset: restart(.processorReset)
        case .powerOff: stop(.poweredOff)
        case .exit(let status): stop(.guestExit(status: status))
        }
    }

    func stop(_ reason: StopReason) {
        machine?.stop(reason)
    }

    private func restart(_ reason: StopReason) {
        // A kernel that panicked and then restarts has died all the same.
        if let message = machine?.console.panicMessage {
            stop(.crashed(Crash(.panic(message: message), vcpu: 0)))
        } else {
            stop(reason)
        }
    }
}
