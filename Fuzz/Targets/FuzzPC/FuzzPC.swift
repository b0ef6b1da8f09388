// What a PC has besides its disks and clocks, under any accesses: the screen, keyboard and mouse behind their controller,
// PCI configuration space, and what firmware asks. No access may trap, and whatever the screen's registers say, it can
// be drawn.
internal import Devices
internal import FuzzInput
internal import FuzzRAM
internal import GuestMemory

private final class Line: InterruptLine {
    var isRaised = false
    func raise() { isRaised = true }
    func lower() { isRaised = false }
}

private final class TestBoard: Board {
    func request(_ request: BoardRequest) {}
}

/// libFuzzer's entry point.
@c(LLVMFuzzerTestOneInput)
public func fuzzOne(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = unsafe FuzzInput(data, count)
    let ram = FuzzRAM(size: 1 << 20)
    let text = [UInt8](repeating: 0x41, count: TextScreen.memorySize)
    let (keyboardLine, auxiliaryLine) = (Line(), Line())
    let keyboard = PS2Keyboard()
    let mouse = PS2Mouse()
    let controller = KeyboardController(
        board: TestBoard(), keyboard: keyboard, auxiliary: mouse, keyboardInterrupt: keyboardLine,
        auxiliaryInterrupt: auxiliaryLine)
    let vga = VGAText()
    let pci = PCIConfigurationPorts(PCIFunction.piix3Board())
    let firmware = FirmwareConfiguration(
        files: [.init("etc/one", [1, 2, 3]), .init("etc/two", [UInt8](repeating: 7, count: 5000))], cpus: 2,
        memory: ram.memory)
    var keys = TerminalKeys()
    while !input.isEmpty {
        let operation = input.byte()
        switch operation {
        case 0x00...0x2F: controller.write(UInt64(input.byte()), offset: UInt64(operation & 4), width: 1)
        case 0x30...0x4F: _ = controller.read(offset: UInt64(operation & 4), width: 1)
        case 0x50...0x57:
            for stroke in keys.take(input.byte()) {
                for key in stroke.keys { keyboard.press(key) }
                for key in stroke.keys.reversed() { keyboard.release(key) }
            }
            controller.poll()
        case 0x58...0x5F:
            mouse.move(
                right: Int(truncatingIfNeeded: input.number(bytes: 8)), up: Int(Int8(bitPattern: input.byte())),
                buttons: input.byte())
            controller.poll()
        case 0x60...0x8F: vga.write(UInt64(input.byte()), offset: UInt64(operation) % 32, width: 1)
        case 0x90...0x9F: _ = vga.read(offset: UInt64(operation) % 32, width: 1 << Int(operation & 3))
        case 0xA0...0xBF: access(pci, &input, operation)
        case 0xC0...0xDF: access(firmware, &input, operation)
        case 0xE0...0xEF:
            // A request as firmware makes it: control, length, address, all big-endian.
            let bytes = input.bytes(16)
            try? ram.memory.write(bytes, at: 0x1000)
            firmware.write(UInt64((0x1000 as UInt32).byteSwapped), offset: 8, width: 4)
        case 0xF0...0xF7:
            let screen = TextScreen(vga.state, memory: text)
            check(screen.cells.count == screen.columns * screen.rows, "each cell is there")
            check(screen.pixels().colors.count == screen.cells.count * 128, "and each of its points")
            _ = screen.terminalText()
        default: access(vga, &input, operation)
        }
        let status = KeyboardController.Status(rawValue: controller.readByte(offset: 4))
        check(!keyboardLine.isRaised || status.contains(.outputBufferFull), "no interrupt without a byte")
        check(!auxiliaryLine.isRaised || status.contains(.auxiliaryOutputBufferFull), "nor from the mouse")
        check(!(keyboardLine.isRaised && auxiliaryLine.isRaised), "one byte makes one interrupt")
        check(keyboard.state.codes.count <= PS2Queue.capacity, "the keyboard keeps at most sixteen codes")
    }
    return 0
}

private func access(_ device: any Device, _ input: inout FuzzInput, _ operation: UInt8) {
    let width = 1 << Int(operation & 3)
    let offset = operation & 0x10 != 0 ? UInt64(input.byte() & 0x0F) : input.number(bytes: 8)
    if operation & 4 != 0 {
        device.write(input.number(bytes: width), offset: offset, width: width)
    } else {
        let value = device.read(offset: offset, width: width)
        check(width == 8 || value >> (8 * UInt64(width)) == 0, "a read gives no more bits than were asked for")
    }
}
