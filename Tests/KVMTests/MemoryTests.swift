import KVM
import Testing

@Suite struct MemoryTests {
    /// Writes one byte each to pages 16, 18 and 32.
    private static let writer: [UInt8] = [
        0xB8, 0x00, 0x10,  // mov ax,0x1000
        0x8E, 0xD8,  // mov ds,ax
        0xC6, 0x06, 0x00, 0x00, 0x01,  // mov byte [0],1
        0xC6, 0x06, 0x00, 0x20, 0x01,  // mov byte [0x2000],1
        0xB8, 0x00, 0x20,  // mov ax,0x2000
        0x8E, 0xD8,  // mov ds,ax
        0xC6, 0x06, 0xFF, 0x0F, 0x01,  // mov byte [0xfff],1
        0xF4,  // hlt
    ]

    private func pages(_ bitmap: [UInt64]) -> [Int] {
        (0..<bitmap.count * 64).filter { bitmap[$0 / 64] >> UInt64($0 % 64) & 1 != 0 }
    }

    /// Runs the guest once and forgets what it wrote. A page that is first touched by reading, such as the code's, may
    /// be mapped for writing and logged as well.
    private func warmUp(_ guest: TinyGuest) throws {
        let exit = try guest.next()
        #expect(exit == .halt)
        _ = try guest.machine.dirtyLog(slot: 0, pages: 0xC0)
        try guest.start(at: 0x1000)
    }

    @Test func dirtyLog_afterWrites_hasExactlyTheirPagesOnce() throws {
        let guest = try TinyGuest(Self.writer, options: .logDirtyPages)
        try warmUp(guest)
        let exit = try guest.next()
        #expect(exit == .halt)
        let first = try guest.machine.dirtyLog(slot: 0, pages: 0xC0)
        let second = try guest.machine.dirtyLog(slot: 0, pages: 0xC0)
        #expect(first.count == 3)
        #expect(pages(first) == [16, 18, 32])
        #expect(pages(second) == [])
    }

    @Test func clearDirtyLog_somePages_leavesTheOthers() throws {
        let guest = try TinyGuest(
            Self.writer, options: .logDirtyPages, prepare: { try $0.enable(.manualDirtyLogProtect2, 1) })
        try warmUp(guest)
        try guest.machine.clearDirtyLog(slot: 0, firstPage: 0, pages: 0xC0, bitmap: [.max, .max, .max])
        let exit = try guest.next()
        #expect(exit == .halt)
        // Reading clears nothing any more.
        for _ in 0..<2 {
            let log = try guest.machine.dirtyLog(slot: 0, pages: 0xC0)
            #expect(pages(log) == [16, 18, 32])
        }
        try guest.machine.clearDirtyLog(slot: 0, firstPage: 0, pages: 64, bitmap: [1 << 16 | 1 << 32])
        let log = try guest.machine.dirtyLog(slot: 0, pages: 0xC0)
        #expect(pages(log) == [18])
    }

    @Test func dirtyLog_fewerPagesThanTheSlot_isAnErrorAndNotAnOverrun() throws {
        let guest = try TinyGuest(Self.writer, options: .logDirtyPages)
        let error = #expect(throws: KVMError.self) { _ = try guest.machine.dirtyLog(slot: 0, pages: 64) }
        #expect(error?.description == "KVM_GET_DIRTY_LOG: Bad address (errno 14); slot 0 has more than 64 pages")
    }

    @Test(arguments: [-1, Int.min, Int.max, 1 << 33])
    func dirtyLog_impossiblePages_isAnError(pages: Int) throws {
        let guest = try TinyGuest([], options: .logDirtyPages)
        #expect(throws: KVMError.self) { _ = try guest.machine.dirtyLog(slot: 0, pages: pages) }
        #expect(throws: KVMError.self) {
            try guest.machine.clearDirtyLog(slot: 0, firstPage: 0, pages: pages, bitmap: [0])
        }
    }

    @Test func dirtyLog_slotWithoutLog_namesTheSlot() throws {
        let guest = try TinyGuest([])
        let error = #expect(throws: KVMError.self) { _ = try guest.machine.dirtyLog(slot: 0, pages: 0xC0) }
        #expect(error?.errno == 2)
        #expect(error?.hint == "slot 0 does not exist or does not log its dirty pages")
    }

    @Test func clearDirtyLog_shortBitmap_isAnError() throws {
        let guest = try TinyGuest([], options: .logDirtyPages)
        let error = #expect(throws: KVMError.self) {
            try guest.machine.clearDirtyLog(slot: 0, firstPage: 0, pages: 128, bitmap: [0])
        }
        #expect(error?.errno == 22)
    }

    /// 2,000 pages from 1 MiB on, in rings of 1,024 entries. The guest leaves after each page, as kvm-pvm emulates all
    /// 2,000 in one go otherwise, and loses what the ring cannot hold.
    @Test func dirtyRings_moreWritesThanEntries_leaveAndTellEveryPage() throws {
        let code: [UInt8] = [
            0x66, 0xBB, 0x00, 0x00, 0x10, 0x00,  // mov ebx,0x100000
            0x66, 0xB9, 0xD0, 0x07, 0x00, 0x00,  // mov ecx,2000
            0x67, 0xC6, 0x03, 0x01,  // 1: mov byte [ebx],1
            0xE6, 0x80,  // out 0x80,al
            0x66, 0x81, 0xC3, 0x00, 0x10, 0x00, 0x00,  // add ebx,4096
            0x66, 0x49,  // dec ecx
            0x75, 0xEF,  // jnz 1b
            0xF4,  // hlt
        ]
        let entries: UInt32 = 1024
        let guest = try TinyGuest(
            code, memorySize: 16 << 20, options: .logDirtyPages, prepare: { try $0.enableDirtyRings(entries: entries) })
        var ring = try guest.vcpu.makeDirtyRing(entries: entries)
        var seen: Set<DirtyPage> = []
        var full = 0
        var reset = 0
        running: while true {
            switch try guest.vcpu.run() {
            case .portIO: continue
            case .dirtyRingFull: full += 1
            case .halt: break running
            case let exit:
                Issue.record("\(exit.kernelName)")
                return
            }
            ring.take { seen.insert($0) }
            reset += try guest.machine.resetDirtyRings()
        }
        ring.take { seen.insert($0) }
        reset += try guest.machine.resetDirtyRings()
        #expect(full > 0)
        #expect(reset >= 2000)
        let missing = Set((0..<2000).map { DirtyPage(slot: 1, page: $0) }).subtracting(seen)
        #expect(missing.count == 0)
        #expect(seen.count <= 2002)
    }

    @Test func makeDirtyRing_withoutRings_isAnError() throws {
        let guest = try TinyGuest([])
        #expect(throws: KVMError.self) { _ = try guest.vcpu.makeDirtyRing(entries: 1024) }
        #expect(throws: KVMError.self) { _ = try guest.vcpu.makeDirtyRing(entries: 1000) }
    }

    @Test func setMemory_overlapOrOddAddress_saysWhatIsWrong() throws {
        let guest = try TinyGuest([])
        let page = UnsafeMutableRawBufferPointer(rebasing: guest.memory[..<4096])
        for address: UInt64 in [0x3000, 0xD0800] {
            let error = #expect(throws: KVMError.self) {
                try guest.machine.setMemory(slot: 7, guestAddress: address, memory: page)
            }
            #expect(error?.hint.hasPrefix("slot 7, 4096 bytes at guest address 0x") == true)
        }
    }

    @Test func removeMemory_slot_becomesMMIO() throws {
        let guest = try TinyGuest([
            0xB8, 0x00, 0xD0,  // mov ax,0xd000
            0x8E, 0xD8,  // mov ds,ax
            0xC6, 0x06, 0x10, 0x00, 0x01,  // mov byte [0x10],1
            0xC6, 0x06, 0x10, 0x00, 0x02,  // mov byte [0x10],2
            0xF4,  // hlt
        ])
        let page = UnsafeMutableRawBufferPointer(rebasing: guest.memory[0xD0000..<0xD1000])
        try guest.machine.setMemory(slot: 3, guestAddress: 0xD0000, memory: page)
        try guest.vcpu.setGuestDebug([.enable, .singleStep])
        for _ in 0..<3 { _ = try guest.next() }
        #expect(page[0x10] == 1)
        try guest.vcpu.setGuestDebug([])
        try guest.machine.removeMemory(slot: 3)
        let exit = try guest.next()
        #expect(exit == .mmioWrite(0xD0010, 2, width: 1))
        #expect(throws: KVMError.self) { try guest.machine.removeMemory(slot: 3) }
    }

    @Test func setIdentityMapAddress_afterAVCPU_isRefused() throws {
        let machine = try KVMSystem().makeVirtualMachine()
        try machine.setTSSAddress(0xFFFB_D000)
        try machine.setIdentityMapAddress(0xFFFB_C000)
        _ = try machine.makeVCPU(identifier: 0)
        let error = #expect(throws: KVMError.self) { try machine.setIdentityMapAddress(0xFFFB_C000) }
        #expect(error?.hint == "it must be set before the first vCPU is made")
    }
}
