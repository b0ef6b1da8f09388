import CKVM
import GuestMemory
import KVM
import Monitor
import Testing

@Suite struct PageWalkTests {
    private let guest = TestGuest()

    private func walk(_ address: UInt64, bits: Int = 52) -> PageWalk {
        PageWalk(
            linearAddress: address, special: guest.vcpu.special, memory: guest.memory, physicalAddressBits: bits)
    }

    @Test func walk_withoutPaging_givesTheAddressItself() {
        guest.real()
        let walk = walk(0x10_FFEF)
        #expect(walk.mode == .none)
        #expect(walk.physicalAddress == 0x10_FFEF)
        #expect(walk.entries == [])
    }

    @Test func walk_4KiBPageOf32BitPaging_readsTwoLevels() {
        guest.paging32()
        guest.write(0x2_0003 as UInt32, at: 0x1_0004)
        guest.write(0x3_0005 as UInt32, at: 0x2_0008)
        let walk = walk(0x40_2ABC)
        #expect(walk.entries.map(\.name) == ["PDE", "PTE"])
        #expect(walk.entries.map(\.address) == [0x1_0004, 0x2_0008])
        #expect(walk.physicalAddress == 0x3_0ABC)
        #expect(walk.pageSize == 4096)
        // The directory allows writing, the table user access: neither holds for the page.
        #expect(!walk.isWritable)
        #expect(!walk.isUser)
    }

    @Test func walk_4MiBPage_takesAddressBits32To39FromBits13To20() {
        guest.paging32()
        guest.write(0x0080_2087 as UInt32, at: 0x1_0000)
        #expect(walk(0x1234).outcome == .mapped(physicalAddress: 0x1_0080_1234))
        #expect(walk(0x1234).pageSize == 1 << 22)
        guest.vcpu.special.controlRegister4 = []
        #expect(walk(0x1234).outcome == .tableOutsideMemory)
    }

    @Test func walk_pae_readsThreeLevelsAndIgnoresTheAddressAbove32Bits() {
        guest.protected()
        guest.vcpu.special.controlRegister0.insert(.pg)
        guest.vcpu.special.controlRegister4 = .pae
        guest.vcpu.special.cr3 = 0x1_0020
        guest.write(0x2_0001 as UInt64, at: 0x1_0038)
        guest.write(0x20_0087 as UInt64, at: 0x2_0FF8)
        let walk = walk(0xFFFF_FFFF_FFFF_F123)
        #expect(walk.mode == .pae)
        #expect(walk.entries.map(\.index) == [3, 511])
        #expect(walk.physicalAddress == 0x3F_F123)
        #expect(walk.isWritable && walk.isUser)
    }

    @Test func walk_longMode_readsFourLevels() {
        guest.long()
        guest.write(0x1_3007 as UInt64, at: 0x1_2008)
        guest.write(1 << 63 | 0x4_5000 | 0x7 as UInt64, at: 0x1_3010)
        guest.vcpu.special.extendedFeatureEnable.insert(.nxe)
        let walk = walk(0x20_2FFF)
        #expect(walk.entries.map(\.name) == ["PML4E", "PDPTE", "PDE", "PTE"])
        #expect(walk.physicalAddress == 0x4_5FFF)
        #expect(!walk.isExecutable)
        #expect(walk.isUser)
    }

    @Test func walk_1GiBPage_keeps30BitsOfTheAddress() {
        guest.long()
        guest.write(0x4000_0087 as UInt64, at: 0x1_1000)
        #expect(walk(0x3FFF_FFFF).physicalAddress == 0x7FFF_FFFF)
        #expect(walk(0x3FFF_FFFF).pageSize == 1 << 30)
    }

    @Test func walk_fiveLevels_beginsAtPML5E() {
        guest.long()
        guest.vcpu.special.controlRegister4.insert(.la57)
        guest.vcpu.special.cr3 = 0x2_0000
        guest.write(0x1_0007 as UInt64, at: 0x2_0008)
        let walk = walk(0x0001_0000_0000_1234)
        #expect(walk.entries.map(\.name) == ["PML5E", "PML4E", "PDPTE", "PDE"])
        #expect(walk.physicalAddress == 0x1234)
    }

    @Test(
        arguments: [
            (0x0000_8000_0000_0000, false), (0x0000_7FFF_FFFF_FFFF, true), (0xFFFF_8000_0000_0000, true),
            (0x8000_0000_0000_0000, false),
        ] as [(UInt64, Bool)])
    func walk_longMode_wantsCanonicalAddresses(address: UInt64, isCanonical: Bool) {
        guest.long()
        #expect((walk(address).outcome == .notCanonical) == !isCanonical)
    }

    @Test func walk_entryThatIsNotPresent_stopsThereWhateverElseIsSet() {
        guest.long()
        guest.write(UInt64.max - 1, at: 0x1_1000)
        #expect(walk(0).outcome == .notPresent)
        #expect(walk(0).entries.count == 2)
        #expect(walk(0).pageSize == 0)
    }

    @Test(
        arguments: [
            (0x1_0000, 0x1_1087, 1 << 7), (0x1_2000, 0x2087, 1 << 13), (0x1_2000, 1 << 63 | 0x87, 1 << 63),
            (0x1_2000, 1 << 46 | 0x87, 1 << 46),
        ] as [(UInt64, UInt64, UInt64)])
    func walk_reservedBit_isNamed(address: UInt64, entry: UInt64, bit: UInt64) {
        guest.long()
        guest.write(entry, at: address)
        #expect(walk(0, bits: 46).outcome == .reservedBits(bit))
    }

    @Test func walk_tablesThatPointToThemselves_end() {
        guest.long()
        guest.write(0x1_0007 as UInt64, at: 0x1_0000)
        #expect(walk(0).entries.count == 4)
        #expect(walk(0).physicalAddress == 0x1_0000)
    }

    /// Whatever a guest puts into its tables and registers: no trap, and at most five levels.
    @Test func walk_randomTables_neverTrapsNorLoops() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            guest.long()
            guest.vcpu.special.cr0 = .random(in: 0 ... .max, using: &generator)
            guest.vcpu.special.controlRegister0.insert([.pe, .pg])
            guest.vcpu.special.cr3 = .random(in: 0...(1 << 21), using: &generator)
            guest.vcpu.special.cr4 = .random(in: 0 ... .max, using: &generator)
            guest.vcpu.special.efer = .random(in: 0 ... .max, using: &generator)
            for slot in 0..<64 as Range<UInt64> {
                guest.write(UInt64.random(in: 0 ... .max, using: &generator) | 1, at: 0x1_0000 + slot * 8)
            }
            for address in [0, .max, .random(in: 0 ... .max, using: &generator)] as [UInt64] {
                #expect(walk(address).entries.count <= 5)
            }
        }
    }
}
