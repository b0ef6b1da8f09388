import GuestMemory
import Testing

@testable import Firmware

@Suite struct MPTableTests {
    @Test(arguments: [1, 2, 4, 8, 255])
    func tables_sumUpAndCountTheirEntries(cpus: Int) {
        let pointer = MPTable.floatingPointer(table: 0xF_0010)
        #expect(pointer.count == 16 && pointer.reduce(0, &+) == 0)
        #expect(Array(pointer[..<8]) == Array("_MP_".utf8) + [0x10, 0x00, 0x0F, 0x00])
        let table = MPTable.configuration(cpus: cpus)
        #expect(table.reduce(0, &+) == 0)
        #expect(Int(table[4]) | Int(table[5]) << 8 == table.count)
        #expect(Array(table[36..<40]) == [0x00, 0x00, 0xE0, 0xFE])
        // Walks the entries as a kernel does: 20 bytes for a processor, 8 for all others.
        var place = 44
        var kinds: [UInt8: Int] = [:]
        while place < table.count {
            kinds[table[place], default: 0] += 1
            if table[place] == 0 {
                let number = (place - 44) / 20
                #expect(table[place + 1] == UInt8(number) && table[place + 3] == (number == 0 ? 3 : 1))
            }
            place += table[place] == 0 ? 20 : 8
        }
        #expect(place == table.count)
        #expect(kinds == [0: cpus, 1: 1, 2: 1, 3: 15, 4: 2])
        #expect(Int(table[34]) | Int(table[35]) << 8 == kinds.values.reduce(0, +))
    }

    @Test func tables_ofTheMostCPUs_endBelowTheResetVector() {
        let end = BoardLayout.mpFloatingPointer + 16 + UInt64(MPTable.configuration(cpus: 1000).count)
        #expect(end < BoardLayout.resetVector)
    }
}
