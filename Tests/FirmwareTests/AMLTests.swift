import Firmware
import Testing

@Suite struct AMLTests {
    @Test(
        arguments: [
            (0, [0x00]), (1, [0x01]), (2, [0x0A, 0x02]), (0xFF, [0x0A, 0xFF]), (0x100, [0x0B, 0x00, 0x01]),
            (0xFFFF, [0x0B, 0xFF, 0xFF]), (0x1_0000, [0x0C, 0, 0, 1, 0]),
            (0x1_0000_0000, [0x0E, 0, 0, 0, 0, 1, 0, 0, 0]),
        ] as [(UInt64, [UInt8])])
    func integer_ofAValue_hasTheShortestForm(value: UInt64, expected: [UInt8]) {
        #expect(AML.integer(value).bytes == expected)
    }

    @Test func eisaIdentifier_ofKnownDevices_isTheSpecificationsNumber() {
        // The values that iasl compiles EisaId to.
        #expect(AML.eisaIdentifier("PNP0501").bytes == [0x0C, 0x41, 0xD0, 0x05, 0x01])
        #expect(AML.eisaIdentifier("PNP0B00").bytes == [0x0C, 0x41, 0xD0, 0x0B, 0x00])
        #expect(AML.eisaIdentifier("PNP0C0F").bytes == [0x0C, 0x41, 0xD0, 0x0C, 0x0F])
    }

    /// Contents are the four characters of the name and as many `Zero` as it takes.
    @Test(
        arguments: [
            (62, [0x10, 0x3F]), (63, [0x10, 0x41, 0x04]), (4093, [0x10, 0x4F, 0xFF]),
            (4094, [0x10, 0x81, 0x00, 0x01]),
        ] as [(Int, [UInt8])])
    func packageLength_ofAScope_countsItself(contents: Int, expected: [UInt8]) {
        let scope = AML.scope("_SB", Array(repeating: AML.integer(0), count: contents - 4))
        #expect(Array(scope.bytes.prefix(expected.count)) == expected)
        #expect(scope.bytes.count == expected.count + contents)
    }

    @Test func name_shortOrRooted_isFilledToFourCharacters() {
        #expect(AML.name("_S5", .integer(0)).bytes == [0x08] + Array("_S5_".utf8) + [0])
        #expect(AML.name("\\_S5", .integer(0)).bytes == [0x08] + Array("\\_S5_".utf8) + [0])
        #expect(AML.device("V", 0x1AB, []).bytes == [0x5B, 0x82, 5] + Array("V1AB".utf8))
    }

    @Test func resourceTemplate_ofASerialPort_isPortsInterruptAndEndTag() {
        let template = AML.resourceTemplate([.ports(0x3F8, count: 8), .isaInterrupt(4)])
        let descriptors: [UInt8] = [0x47, 1, 0xF8, 3, 0xF8, 3, 1, 8, 0x22, 0x10, 0, 0x79, 0]
        #expect(template.bytes == [0x11, UInt8(descriptors.count + 3), 0x0A, UInt8(descriptors.count)] + descriptors)
    }
}
