import RISCV
import Testing

@Suite struct FirstStageWalkTests {
    private func walk(_ satp: UInt64, _ address: UInt64, _ memory: [UInt64: UInt64]) -> FirstStageWalk {
        FirstStageWalk(satp: satp, address: address) { memory[$0] }
    }

    private func entry(_ address: UInt64, _ flags: PageTableEntry.Flags) -> UInt64 {
        PageTableEntry(address: address, flags: flags).rawValue
    }

    @Test func bare_isTheAddressItself() {
        #expect(walk(0, 0x1234, [:]).outcome == .bare)
        #expect(walk(5 << 60, 0x1234, [:]).outcome == .unknownMode)
    }

    @Test(arguments: [(UInt64(8), 3), (9, 4), (10, 5)])
    func allLevels_endAtAPage(mode: UInt64, levels: Int) {
        // The table of each level is at its number of MiB, and the address' index in each is the level plus 1.
        var memory: [UInt64: UInt64] = [:]
        var address: UInt64 = 0x123
        for level in 0..<levels {
            address |= UInt64(level + 1) << UInt64(12 + 9 * level)
            let next = level == 0 ? entry(0x8765_4000, [.valid, .read]) : entry(UInt64(level) << 20, .valid)
            memory[UInt64(level + 1) << 20 + UInt64(8 * (level + 1))] = next
        }
        let walk = walk(mode << 60 | UInt64(levels) << 8, address, memory)
        #expect(walk.outcome == .found(0x8765_4123))
        #expect(walk.steps.map(\.level) == Array((0..<levels).reversed()))
    }

    @Test func largeLeaf_keepsTheOffset() {
        let leaf = entry(0x4000_0000, [.valid, .execute])
        #expect(walk(8 << 60 | 1, 0x1234_5678, [0x1000: leaf]).outcome == .found(0x5234_5678))
        let odd = entry(0x4000_1000, [.valid, .execute])
        #expect(walk(8 << 60 | 1, 0x1234_5678, [0x1000: odd]).outcome == .misaligned)
    }

    @Test func whatIsNotThere_endsTheWalk() {
        #expect(walk(8 << 60 | 1, 0, [0x1000: 0]).outcome == .notMapped)
        let nowhere = walk(8 << 60 | 1, 0, [:])
        #expect(nowhere.outcome == .notMapped)
        #expect(nowhere.steps.last?.entry == nil)
        // A table at level 0 is no leaf.
        let table = entry(0x1000, .valid)
        let endless = walk(8 << 60 | 1, 0, [0x1000: table])
        #expect(endless.outcome == .notMapped)
        #expect(endless.steps.count == 3)
    }

    @Test func upperBits_mustBeAsTheHighestThatCounts() {
        #expect(walk(8 << 60, 1 << 38, [:]).outcome == .notCanonical)
        #expect(walk(8 << 60, UInt64.max << 38, [:]).outcome == .notMapped)
        #expect(walk(9 << 60, 1 << 38, [:]).outcome == .notMapped)
    }
}
