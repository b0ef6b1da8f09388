import Devices
import Testing

struct VGATextTests {
    private let vga = VGAText()

    private func write(_ index: UInt8, _ value: UInt8, at offset: UInt64) {
        vga.writeByte(index, offset: offset)
        vga.writeByte(value, offset: offset + 1)
    }

    @Test func cursor_readsBackWhatWasWritten() {
        // A kernel takes the cursor from here before it prints its first character.
        vga.writeByte(14, offset: 0x14)
        #expect(vga.readByte(offset: 0x15) == 0)
        write(14, 0x07, at: 0x14)
        write(15, 0xCF, at: 0x14)
        #expect(vga.readByte(offset: 0x15) == 0xCF && vga.state.cursor == 0x7CF)
        write(12, 1, at: 0x14)
        write(13, 2, at: 0x14)
        #expect(vga.state.firstCharacter == 0x102)
        #expect(vga.state.showsCursor)
        // Index and data as one word, as drivers do it.
        vga.write(0x200A, offset: 0x14, width: 2)
        #expect(!vga.state.showsCursor)
    }

    @Test func timing_isProtected() {
        write(0, 0x11, at: 0x14)
        write(7, 0x00, at: 0x14)
        #expect(vga.state.crtController.registers[0] == 0x5F && vga.state.crtController.registers[7] == 0x0F)
        write(0x11, 0x0E, at: 0x14)
        write(0, 0x11, at: 0x14)
        #expect(vga.state.crtController.registers[0] == 0x11)
    }

    @Test func attributeController_takesIndexAndDataInTurn() {
        _ = vga.readByte(offset: 0x1A)
        vga.writeByte(0x23, offset: 0)
        vga.writeByte(0x2A, offset: 0)
        #expect(vga.readByte(offset: 1) == 0x2A)
        vga.writeByte(0x24, offset: 0)
        _ = vga.readByte(offset: 0x1A)
        vga.writeByte(0x25, offset: 0)
        #expect(vga.readByte(offset: 0) == 0x25)
    }

    @Test func retrace_comesAndGoes() {
        let bits = (0..<4).map { _ in vga.readByte(offset: 0x1A) & 8 }
        #expect(Set(bits) == [0, 8])
    }

    @Test func palette_isWrittenAndReadInOrder() {
        vga.writeByte(255, offset: 8)
        for value in [1, 2, 0xFF, 4] as [UInt8] { vga.writeByte(value, offset: 9) }
        vga.writeByte(255, offset: 7)
        #expect((0..<4).map { _ in vga.readByte(offset: 9) } == [1, 2, 0x3F, 4])
    }

    /// The registers that tell, as the BIOS sets them: Horizontal Display-Enable End, Overflow, Maximum Scan Line,
    /// Vertical Display-Enable End, CRT Mode Control; Graphics Mode and Miscellaneous; Attribute Mode Control.
    @Test(
        arguments: [
            (0x03, [0x4F, 0x1F, 0x4F, 0x8F, 0xA3, 0x10, 0x0E, 0x0C], nil),
            (0x04, [0x27, 0x1F, 0xC1, 0x8F, 0xA2, 0x30, 0x0F, 0x01], [320, 200]),
            (0x06, [0x4F, 0x1F, 0xC1, 0x8F, 0xC2, 0x00, 0x0D, 0x01], [640, 200]),
            (0x07, [0x4F, 0x1F, 0x4D, 0x5D, 0xA3, 0x10, 0x0A, 0x0E], nil),
            (0x0D, [0x27, 0x1F, 0xC0, 0x8F, 0xE3, 0x00, 0x05, 0x01], [320, 200]),
            (0x10, [0x4F, 0x1F, 0x40, 0x5D, 0xE3, 0x00, 0x05, 0x01], [640, 350]),
            (0x12, [0x4F, 0x3E, 0x40, 0xDF, 0xE3, 0x00, 0x05, 0x01], [640, 480]),
            (0x13, [0x4F, 0x1F, 0x41, 0x8F, 0xA3, 0x40, 0x05, 0x41], [320, 200]),
        ] as [(Int, [UInt8], [Int]?)])
    func graphicsMode_ofTheBIOSsModes(number: Int, registers: [UInt8], size: [Int]?) {
        write(0x11, 0x0E, at: 0x14)
        for (index, value) in zip([0x01, 0x07, 0x09, 0x12, 0x17] as [UInt8], registers) {
            write(index, value, at: 0x14)
        }
        write(5, registers[5], at: 0x0E)
        write(6, registers[6], at: 0x0E)
        _ = vga.readByte(offset: 0x1A)
        vga.writeByte(0x30, offset: 0)
        vga.writeByte(registers[7], offset: 0)
        #expect(vga.state.graphicsMode.map { [$0.width, $0.height] } == size)
    }

    @Test func graphicsMode_byEitherBit() {
        #expect(vga.state.graphicsMode == nil)
        write(6, 0x0F, at: 0x0E)
        #expect(vga.state.graphicsMode != nil)
        write(6, 0x0E, at: 0x0E)
        #expect(vga.state.graphicsMode == nil)
        vga.writeByte(0x30, offset: 0)
        vga.writeByte(0x0D, offset: 0)
        #expect(vga.state.graphicsMode != nil)
    }

    @Test func everyRegister_takesEveryByte() {
        for offset in 0..<VGAText.portCount {
            for byte in 0...255 as ClosedRange<UInt8> {
                vga.writeByte(byte, offset: offset)
                for other in 0..<VGAText.portCount { _ = vga.readByte(offset: other) }
            }
        }
    }
}
