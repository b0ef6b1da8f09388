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

    @Test func everyRegister_takesEveryByte() {
        for offset in 0..<VGAText.portCount {
            for byte in 0...255 as ClosedRange<UInt8> {
                vga.writeByte(byte, offset: offset)
                for other in 0..<VGAText.portCount { _ = vga.readByte(offset: other) }
            }
        }
    }
}
