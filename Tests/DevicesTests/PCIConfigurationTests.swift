import Devices
import Testing

@Suite struct PCIConfigurationTests {
    private let ports = PCIConfigurationPorts(PCIFunction.piix3Board())

    private func select(device: UInt64, function: UInt64 = 0, register: UInt64) {
        ports.write(1 << 31 | device << 11 | function << 8 | register, offset: 0, width: 4)
    }

    private func read(device: UInt64, function: UInt64 = 0, register: UInt64, width: Int = 4) -> UInt64 {
        select(device: device, function: function, register: register & ~3)
        return ports.read(offset: 4 + (register & 3), width: width)
    }

    @Test func identifiers_areThoseOfThe440FXAndPIIX3() {
        #expect(read(device: 0, register: 0) == 0x1237_8086)
        #expect(read(device: 1, register: 0) == 0x7000_8086)
        #expect(read(device: 1, function: 1, register: 0) == 0x7010_8086)
        #expect(read(device: 1, function: 1, register: 0x0A, width: 2) == 0x0101)
        #expect(read(device: 1, register: 0x0E, width: 1) == 0x80, "the ISA bridge is one of several functions")
    }

    @Test func absentDevices_readAllOnes() {
        #expect(read(device: 2, register: 0) == 0xFFFF_FFFF)
        #expect(read(device: 1, function: 2, register: 0, width: 2) == 0xFFFF)
        ports.write(0, offset: 4, width: 4)
        ports.write(0x8086, offset: 0, width: 4)
        #expect(ports.read(offset: 4, width: 4) == 0xFFFF_FFFF, "not enabled")
    }

    @Test func address_takesFourBytesOnly() {
        select(device: 1, register: 0x10)
        ports.write(0xFF, offset: 0, width: 1)
        #expect(ports.read(offset: 0, width: 4) == 0x8000_0810)
        #expect(ports.read(offset: 0, width: 1) == 0xFF)
    }

    @Test func writes_changeOnlyWhatIsWritable() {
        _ = read(device: 0, register: 0x58)
        ports.write(0xFFFF_FFFF, offset: 4, width: 4)
        #expect(ports.read(offset: 4, width: 4) == 0x3333_3300)
        _ = read(device: 0, register: 0)
        ports.write(0, offset: 4, width: 4)
        #expect(ports.read(offset: 4, width: 4) == 0x1237_8086)
    }

    @Test func widthsAndOffsets_ofAnyKind_staySafe() {
        for register in stride(from: UInt64(0), to: 256, by: 4) {
            select(device: 0, register: register)
            for offset in UInt64(4)..<9 {
                for width in [1, 2, 4, 8] {
                    ports.write(.max, offset: offset, width: width)
                    _ = ports.read(offset: offset, width: width)
                }
            }
        }
        #expect(read(device: 0, register: 0) == 0x1237_8086)
    }
}
