internal import Devices
internal import Firmware

/// The devices of the board and where they are wired.
struct BoardDevices {
    let ports: Bus
    let serialPort: SerialPort

    init(
        configuration: MachineConfiguration, kernel: KernelObjects, console: ConsoleWatch, clock: any Clock,
        board: BoardDoorbell
    ) {
        var ports = Bus()
        let uart = UART16550(
            port: console, interrupt: kernel.interruptLine(gsi: UInt32(BoardLayout.serialPortInterrupt)))
        let uartSlot = BusSlot(uart)
        ports.attach(uartSlot, at: UInt64(BoardLayout.serialPort), count: 8)
        serialPort = SerialPort(uart, slot: uartSlot)
        self.ports = ports
    }
}
