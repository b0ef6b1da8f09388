/// One function of a PCI device, as far as configuration space goes: 256 bytes, of which a guest may write some bits.
///
/// Source: PCI Local Bus Specification 3.0, chapter 6.
public struct PCIFunction: Equatable, Sendable {
    /// Where it is: bus, device (0 to 31) and function (0 to 7).
    public struct Address: Hashable, Sendable {
        /// The bus.
        public let bus: UInt8
        /// The device on it.
        public let device: UInt8
        /// The function of the device.
        public let function: UInt8

        /// - Parameters:
        ///   - bus: the bus.
        ///   - device: 0 to 31.
        ///   - function: 0 to 7.
        public init(bus: UInt8 = 0, device: UInt8, function: UInt8 = 0) {
            self.bus = bus
            self.device = device
            self.function = function
        }
    }

    /// Where it is.
    public let address: Address
    /// The registers.
    public private(set) var registers: InlineArray<256, UInt8>
    /// For each register the bits that a guest may write.
    private var writable: InlineArray<256, UInt8>

    /// - Parameters:
    ///   - address: where it is.
    ///   - vendor: vendor identifier.
    ///   - device: device identifier.
    ///   - classCode: base class, sub-class and programming interface, in bits 23 to 0.
    ///   - revision: revision identifier.
    ///   - isMultifunction: whether the device has more functions than this one.
    public init(
        at address: Address, vendor: UInt16, device: UInt16, classCode: UInt32, revision: UInt8 = 0,
        isMultifunction: Bool = false
    ) {
        self.address = address
        registers = InlineArray(repeating: 0)
        writable = InlineArray(repeating: 0)
        set(UInt32(vendor) | UInt32(device) << 16, at: 0x00, count: 4)
        set(UInt32(revision) | classCode << 8, at: 0x08, count: 4)
        registers[0x0E] = isMultifunction ? 0x80 : 0
        // Command: I/O, memory, bus master, parity response, SERR; interrupt line; cache line and latency.
        allowWrites(to: 0x04, mask: 0x47)
        allowWrites(to: 0x05, mask: 0x05)
        allowWrites(to: 0x0C, mask: 0xFF)
        allowWrites(to: 0x0D, mask: 0xFF)
        allowWrites(to: 0x3C, mask: 0xFF)
    }

    /// Sets registers, whether a guest may write them or not.
    public mutating func set(_ value: UInt32, at register: UInt8, count: Int) {
        for index in 0..<count where Int(register) + index < 256 {
            registers[Int(register) + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index))
        }
    }

    /// Lets a guest write bits of a register.
    public mutating func allowWrites(to register: UInt8, mask: UInt8 = 0xFF) {
        writable[Int(register)] = mask
    }

    /// What a guest writes to a register.
    mutating func write(_ byte: UInt8, to register: Int) {
        registers[register] = registers[register] & ~writable[register] | byte & writable[register]
    }

    /// Two functions are the same when a guest reads the same of them.
    public static func == (left: PCIFunction, right: PCIFunction) -> Bool {
        guard left.address == right.address else { return false }
        for index in 0..<256 where left.registers[index] != right.registers[index] { return false }
        return true
    }
}

/// Configuration mechanism 1: the ports by which a PC's guest reaches the configuration space of PCI devices.
///
/// Offset 0 is CONFIG_ADDRESS (port 0xCF8), which takes accesses of four bytes only; offsets 4 to 7 are CONFIG_DATA
/// (ports 0xCFC to 0xCFF). Where there is no device, all bits are set.
///
/// Source: PCI Local Bus Specification 3.0, 3.2.2.3.2.
public final class PCIConfigurationPorts: Device {
    /// The offset of CONFIG_DATA.
    public static let dataOffset: UInt64 = 4

    /// CONFIG_ADDRESS: bit 31 enables, 23 to 16 bus, 15 to 11 device, 10 to 8 function, 7 to 2 register.
    public private(set) var configurationAddress: UInt32 = 0
    /// The functions.
    public private(set) var functions: [PCIFunction]

    /// - Parameter functions: what is on the bus.
    public init(_ functions: [PCIFunction]) {
        self.functions = functions
    }

    /// Reads the address or data.
    public func read(offset: UInt64, width: AccessWidth) -> UInt64 {
        let allOnes = width >= 8 ? UInt64.max : (1 << (8 * UInt64(width))) - 1
        if offset < Self.dataOffset {
            return offset == 0 && width == 4 ? UInt64(configurationAddress) : allOnes
        }
        guard let (index, register) = place(offset) else { return allOnes }
        var value: UInt64 = 0
        for byte in 0..<min(width, 8) {
            let isInside = Int(offset & 3) + byte < 4
            let found = isInside ? functions[index].registers[register + byte] : 0xFF
            value |= UInt64(found) << UInt64(8 * byte)
        }
        return value
    }

    /// Writes the address or data.
    public func write(_ value: UInt64, offset: UInt64, width: AccessWidth) {
        if offset < Self.dataOffset {
            if offset == 0, width == 4 { configurationAddress = UInt32(truncatingIfNeeded: value) & 0x80FF_FFFC }
            return
        }
        guard let (index, register) = place(offset) else { return }
        for byte in 0..<min(width, 8) where Int(offset & 3) + byte < 4 {
            functions[index].write(UInt8(truncatingIfNeeded: value >> UInt64(8 * byte)), to: register + byte)
        }
    }

    private func place(_ offset: UInt64) -> (index: Int, register: Int)? {
        guard configurationAddress & 1 << 31 != 0, offset < Self.dataOffset + 4 else { return nil }
        let address = PCIFunction.Address(
            bus: UInt8(truncatingIfNeeded: configurationAddress >> 16),
            device: UInt8(truncatingIfNeeded: configurationAddress >> 11) & 0x1F,
            function: UInt8(truncatingIfNeeded: configurationAddress >> 8) & 0x07)
        guard let index = functions.firstIndex(where: { $0.address == address }) else { return nil }
        return (index, Int(configurationAddress & 0xFC) + Int(offset & 3))
    }
}

extension PCIFunction {
    /// What a PC of 1996 has: the host bridge of Intel's 440FX, and its companion PIIX3 with ISA bridge and IDE.
    ///
    /// Their identifiers are Intel's; the host bridge's subsystem is the one by which SeaBIOS knows that it does not run
    /// on the real chips.
    ///
    /// Source: Intel 82441FX data sheet (290549), 82371SB data sheet (290550).
    public static func piix3Board() -> [PCIFunction] {
        var host = PCIFunction(
            at: Address(device: 0), vendor: 0x8086, device: 0x1237, classCode: 0x06_0000, revision: 2)
        host.set(0x1100_1AF4, at: 0x2C, count: 4)
        // PAM0 to PAM6 say whether memory from 0xC0000 to 0xFFFFF reads and writes RAM. After a reset they say that it
        // does not, and firmware copies itself there; the memory behind is RAM all the time.
        for register in UInt8(0x59)...0x5F { host.allowWrites(to: register, mask: 0x33) }

        var isa = PCIFunction(
            at: Address(device: 1), vendor: 0x8086, device: 0x7000, classCode: 0x06_0100, isMultifunction: true)
        // PIRQRC[A:D]: no interrupt routed.
        for register in UInt8(0x60)...0x63 {
            isa.set(0x80, at: register, count: 1)
            isa.allowWrites(to: register)
        }

        // Programming interface 0x00: both channels at the ports of old, no bus master.
        var ide = PCIFunction(at: Address(device: 1, function: 1), vendor: 0x8086, device: 0x7010, classCode: 0x01_0100)
        for register in UInt8(0x40)...0x44 { ide.allowWrites(to: register) }
        // IDETIM: both channels decode their ports.
        ide.set(0x8000_8000, at: 0x40, count: 4)
        return [host, isa, ide]
    }
}
