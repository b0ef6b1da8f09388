internal import Devices
internal import Firmware
internal import GuestMemory

/// The devices of the board and where they are wired.
struct BoardDevices {
    /// The port bus with all devices on it.
    private(set) var ports: Bus
    /// The memory bus with all devices on it.
    let memoryBus: Bus
    /// The way for the host's input.
    let serialPort: SerialPort
    /// The way for keys, on a board that has a keyboard.
    let keyboard: KeyboardPort?
    /// The screen, on a board that has one.
    let screen: Screen?
    /// Where disks take data.
    let dataPorts: [DiskWriteGathering.Port]
    /// The codes written to port 0x80.
    let postCode: PostCode
    /// What the battery keeps.
    let realTimeClock: ClockPort

    /// How many alarm clocks the devices use: the real-time clock's and the ACPI timer's.
    static let timerCount = 2

    /// - Parameters:
    ///   - timers: `timerCount` of them, or none.
    ///   - clockState: what the battery has kept; nil for a clock that is new.
    init(
        configuration: MachineConfiguration, kernel: KernelObjects, console: ConsoleWatch, clock: any Clock,
        disks: [any BlockStore], memory: GuestMemory, board: BoardDoorbell, timers: [BoardTimer],
        clockState: RTC.State?
    ) {
        func line(_ interrupt: UInt8) -> any InterruptLine { kernel.interruptLine(gsi: UInt32(interrupt)) }
        var ports = Bus()
        func attach(_ slot: BusSlot, at port: UInt16, count: UInt64, firstOffset: UInt64 = 0) {
            ports.attach(slot, at: UInt64(port), count: count, firstOffset: firstOffset)
        }

        let uart = UART16550(port: console, interrupt: line(BoardLayout.serialPortInterrupt))
        let uartSlot = BusSlot(uart)
        attach(uartSlot, at: BoardLayout.serialPort, count: 8)
        serialPort = SerialPort(uart, slot: uartSlot)

        // One chip, two ports that are not neighbours.
        let keyboard = configuration.board == .pc ? PS2Keyboard() : nil
        let controller = KeyboardController(
            board: board, keyboard: keyboard, auxiliary: configuration.board == .pc ? PS2Mouse() : nil,
            keyboardInterrupt: line(BoardLayout.keyboardInterrupt),
            auxiliaryInterrupt: line(BoardLayout.auxiliaryInterrupt))
        let keyboardSlot = BusSlot(controller)
        self.keyboard = keyboard.map { KeyboardPort($0, controller: controller, slot: keyboardSlot) }
        attach(keyboardSlot, at: BoardLayout.keyboardData, count: 1)
        attach(keyboardSlot, at: BoardLayout.keyboardCommand, count: 1, firstOffset: 4)

        let rtc = RTC(
            clock: clock, interrupt: line(BoardLayout.realTimeClockInterrupt), timer: timers.first,
            state: clockState ?? RTC.State())
        if clockState == nil {
            let ram = BoardLayout.ramRanges(bytes: configuration.memoryBytes)
            // Where firmware looks how many CPUs it has to wait for: one less than there are.
            rtc[cmos: 0x5F] = UInt8(clamping: configuration.cpus - 1)
            rtc.setMemorySize(below4GiB: ram[0].size, above4GiB: ram.count > 1 ? ram[1].size : 0)
        }
        // It counts once. Where there is firmware, that clears it.
        if configuration.firmware == nil { rtc[cmos: RTC.Address.shutdownStatus] = 0 }
        let rtcSlot = BusSlot(rtc)
        realTimeClock = ClockPort(rtc, slot: rtcSlot)
        attach(rtcSlot, at: BoardLayout.realTimeClock, count: 2)
        timers.first?.connect(rtcSlot, rtc.deadlineReached)

        let isPC = configuration.board == .pc
        let power = ACPIPowerManagement(
            model: isPC ? .fixedHardware : .hardwareReduced, board: board, clock: clock,
            interrupt: line(BoardLayout.acpiInterrupt), timer: timers.last)
        let powerSlot = BusSlot(power)
        timers.last?.connect(powerSlot, power.deadlineReached)
        if isPC {
            attach(powerSlot, at: BoardLayout.acpiPowerManagement, count: 16)
        } else {
            attach(
                powerSlot, at: BoardLayout.acpiSleepControl, count: 2,
                firstOffset: ACPIPowerManagement.Offset.sleepControl)
        }

        attach(BusSlot(SystemControlPortA(board: board)), at: BoardLayout.systemControlPortA, count: 1)
        if !kernel.hasInterruptChips {
            // With them, port 0x61 belongs to the PIT in the kernel.
            attach(BusSlot(SystemControlPortB(clock: clock)), at: BoardLayout.systemControlPortB, count: 1)
        }
        attach(BusSlot(ResetControl(board: board)), at: BoardLayout.resetControl, count: 1)
        attach(BusSlot(DebugExit(board: board)), at: BoardLayout.debugExit, count: 1)
        attach(BusSlot(DebugConsole(port: console)), at: BoardLayout.debugConsole, count: 1)
        postCode = PostCode()
        attach(BusSlot(postCode), at: BoardLayout.postCode, count: 1)

        let devices = isPC ? PCDevices(ports: &ports, disks: disks, kernel: kernel, memory: memory) : nil
        screen = devices?.screen
        dataPorts = devices?.dataPorts ?? []
        self.ports = ports
        memoryBus = Bus()
    }

    /// Adds what only firmware asks.
    mutating func attach(_ firmware: FirmwareConfiguration, log: (any CharacterPort)?) {
        ports.attach(
            BusSlot(firmware), at: UInt64(BoardLayout.firmwareConfiguration), count: FirmwareConfiguration.portCount)
        if let log { ports.attach(BusSlot(DebugConsole(port: log)), at: UInt64(BoardLayout.firmwareLog), count: 1) }
    }
}
