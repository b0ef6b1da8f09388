import RISCV
import Testing

@Suite struct LoadStoreInstructionTests {
    /// Encodings as the assembler gives them.
    @Test(arguments: [
        (0x0005_0583, false, 1, true, 11, 4),  // lb a1, 0(a0)
        (0x0005_5583, false, 2, false, 11, 4),  // lhu a1, 0(a0)
        (0x0005_2583, false, 4, true, 11, 4),  // lw a1, 0(a0)
        (0x0005_6583, false, 4, false, 11, 4),  // lwu a1, 0(a0)
        (0x0005_3583, false, 8, true, 11, 4),  // ld a1, 0(a0)
        (0x00B5_0023, true, 1, false, 11, 4),  // sb a1, 0(a0)
        (0x00B5_2023, true, 4, false, 11, 4),  // sw a1, 0(a0)
        (0x00B5_3023, true, 8, false, 11, 4),  // sd a1, 0(a0)
        (0x410C, false, 4, true, 11, 2),  // c.lw a1, 0(a0)
        (0x610C, false, 8, true, 11, 2),  // c.ld a1, 0(a0)
        (0xC10C, true, 4, false, 11, 2),  // c.sw a1, 0(a0)
        (0xE10C, true, 8, false, 11, 2),  // c.sd a1, 0(a0)
        (0x4582, false, 4, true, 11, 2),  // c.lwsp a1, 0(sp)
        (0xE02E, true, 8, false, 11, 2),  // c.sdsp a1, 0(sp)
    ])
    func takesApart(code: Int, isStore: Bool, width: Int, isSigned: Bool, register: Int, length: Int) throws {
        let instruction = try #require(LoadStoreInstruction(UInt32(code)))
        #expect(instruction.isStore == isStore)
        #expect(instruction.width == width)
        #expect(instruction.isSigned == isSigned)
        #expect(instruction.register == register)
        #expect(instruction.length == length)
    }

    @Test(arguments: [0x0000_0013, 0x0005_7583, 0x00B5_4023, 0x1005_252F, 0x0000_0073, 0, 0x2108, 0x4002] as [UInt32])
    func refusesOthers(code: UInt32) {
        #expect(LoadStoreInstruction(code) == nil)
    }

    @Test func htinstTellsOfCompressedOnes() throws {
        // As lw a1, 0(a0), with bit 1 clear for one that was compressed.
        #expect(try #require(LoadStoreInstruction(htinst: 0x0005_2583)).length == 4)
        let short = try #require(LoadStoreInstruction(htinst: 0x0005_2581))
        #expect(short.length == 2)
        #expect(short.width == 4)
        // Nothing, and the pseudoinstructions of accesses to page tables.
        for htinst in [0, 0x3000, 0x3020, 1 << 32 | 1] as [UInt64] {
            #expect(LoadStoreInstruction(htinst: htinst) == nil)
        }
    }

    @Test func extendsAndCuts() throws {
        let lb = try #require(LoadStoreInstruction(0x0005_0583))
        #expect(lb.extended(0x80) == 0xFFFF_FFFF_FFFF_FF80)
        let lhu = try #require(LoadStoreInstruction(0x0005_5583))
        #expect(lhu.extended(0xFFFF_8001) == 0x8001)
        let sb = try #require(LoadStoreInstruction(0x00B5_0023))
        #expect(sb.stored(0x1234) == 0x34)
    }

    @Test func noInstructionTraps() {
        for code in 0...UInt32(UInt16.max) {
            _ = LoadStoreInstruction(code)
            _ = LoadStoreInstruction(code &* 0x9E37_79B9)
            _ = LoadStoreInstruction(htinst: UInt64(code) &* 0x9E37_79B9_7F4A_7C15)
        }
    }
}
