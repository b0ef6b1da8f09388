// What a PC has besides its disks and clocks, under any accesses: the screen, keyboard and mouse behind their controller,
// PCI configuration space, and what firmware asks. No access may trap; whatever the screen's registers say, it can be
// drawn; what a device is stays so; a request reaches the memory that it names; and who reads gets to the end of the keys.
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
        case 0xA0...0xA7:
            // A register of one of the functions that there are, as guests do it.
            let function = UInt64([0x0000, 0x0800, 0x0900][Int(operation) % 3])
            let register = UInt64(input.byte())
            pci.write(0x8000_0000 | function | register & 0xFC, offset: 0, width: 4)
            pci.write(input.number(bytes: 4), offset: PCIConfigurationPorts.dataOffset + (register & 3), width: 4)
        case 0xA8...0xBF: access(pci, &input, operation)
        case 0xC0...0xDF: access(firmware, &input, operation)
        case 0xE0...0xEF:
            // A request as firmware makes it: control, length, address, all big-endian.
            let bytes = input.bytes(16)
            try? ram.memory.write(bytes, at: 0x1000)
            request(firmware, ram.memory)
        case 0xF0...0xF7:
            let screen = TextScreen(vga.state, memory: text)
            check(screen.cells.count == screen.columns * screen.rows, "each cell is there")
            check(screen.pixels().colors.count == screen.cells.count * 128, "and each of its points")
            // A row that there may be none of, and a window as narrow as none.
            for row in -1...screen.rows {
                _ = screen.terminalText(row: row, columns: Int(operation) % (screen.columns + 2) - 1)
            }
            check(vga.state.graphicsMode.map { $0.width > 0 && $0.height > 0 } ?? true, "points are some")
            check(vga.state.palette.allSatisfy { $0 < 64 }, "colors have six bits")
        default: access(vga, &input, operation)
        }
        let status = KeyboardController.Status(rawValue: controller.readByte(offset: 4))
        check(!keyboardLine.isRaised || status.contains(.outputBufferFull), "no interrupt without a byte")
        check(!auxiliaryLine.isRaised || status.contains(.auxiliaryOutputBufferFull), "nor from the mouse")
        check(!(keyboardLine.isRaised && auxiliaryLine.isRaised), "one byte makes one interrupt")
        check(keyboard.state.codes.count <= PS2Queue.capacity, "the keyboard keeps at most sixteen codes")
        check(pci.configurationAddress & 0x7F00_0003 == 0, "bits that there are none of read 0")
    }
    for (function, original) in zip(pci.functions, PCIFunction.piix3Board()) {
        for register in [0, 1, 2, 3, 8, 9, 10, 11, 14, 0x2C] {
            check(function.registers[register] == original.registers[register], "a device stays what it is")
        }
    }
    firmware.write(UInt64(FirmwareConfiguration.Item.signature), offset: 0, width: 2)
    check(firmware.read(offset: 1, width: 4) == 0x554D_4551, "firmware is known by its signature, QEMU")
    drain(controller)
    return 0
}

/// Serves the request at 0x1000, and looks at places all over memory.
private func request(_ firmware: FirmwareConfiguration, _ memory: GuestMemory) {
    func number(_ offset: UInt64, _ count: Int) -> UInt64 {
        let bytes = (try? memory.readBytes(at: 0x1000 + offset, count: count)) ?? []
        return bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
    func places() -> [UInt8] { (0..<64).map { (try? memory.read(at: 0x4000 * $0 + 0x17)) ?? 0 } }
    let (length, target) = (number(4, 4), number(8, 8))
    let before = places()
    firmware.write(0, offset: 4, width: 4)
    firmware.write(UInt64((0x1000 as UInt32).byteSwapped), offset: 8, width: 4)
    check(number(0, 4) <= 1, "a request is done, or an error")
    for (index, (old, new)) in zip(before, places()).enumerated() where old != new {
        check(UInt64(0x4000 * index + 0x17) &- target < length, "nothing is written beside the target")
    }
}

/// Reads until there is nothing more to read.
private func drain(_ controller: KeyboardController) {
    var reads = 0
    while controller.readByte(offset: 4) & 0x01 != 0 {
        _ = controller.readByte(offset: 0)
        reads += 1
        check(reads <= 2 + 3 * PS2Queue.capacity, "keyboard and mouse keep no more than their queues hold")
    }
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
