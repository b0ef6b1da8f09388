internal import CKVM
internal import KVM

/// A guest of a few instructions that proves one mode of the processor by a number that it sends to ``resultPort``.
///
/// All share one memory image, of ``memoryBytes``: a GDT at 0x500, code at 0x8000, a number to find at 0x8800, page
/// tables from 0x10000 on that show the first 2 or 4 MiB twice, one after the other. So a guest that finds the number
/// in the second showing has translated an address.
struct TinyGuest: Sendable {
    static let memoryBytes = 0x10_0000
    static let code: UInt64 = 0x8000
    static let resultPort: UInt16 = 0xF4
    /// The number at 0x8800.
    static let magic: UInt64 = 0x1122_3344_5566_7788
    static let magicAddress = 0x8800

    /// The state in which the monitor starts it.
    enum Entry: Sendable {
        case real, protected32, paging32, long, longUser
    }

    let name: String
    let entry: Entry
    let bytes: [UInt8]
    /// What it sends when all is well.
    let answer: UInt32

    static let modes: [TinyGuest] = [
        real, protected32, paging32SetByMonitor, paging32, pae, long, longSwitchedOn, longUser,
    ]

    static let real = TinyGuest(
        name: "real mode", entry: .real,
        bytes: [
            0xB8, 0x34, 0x12,  // mov ax, 0x1234
            0x05, 0x11, 0x11,  // add ax, 0x1111
            0xE7, 0xF4,  // out 0xF4, ax
            0xF4,  // hlt
        ], answer: 0x2345)

    static let protected32 = TinyGuest(
        name: "32-bit, no paging", entry: .protected32,
        bytes: [
            0xBB, 0xF0, 0xFF, 0x0F, 0x00,  // mov ebx, 0xFFFF0
            0xC7, 0x03, 0x78, 0x56, 0x34, 0x12,  // mov dword [ebx], 0x12345678
            0x8B, 0x03,  // mov eax, [ebx]
            0xE7, 0xF4,  // out 0xF4, eax
            0xF4,  // hlt
        ], answer: 0x1234_5678)

    static let paging32SetByMonitor = TinyGuest(
        name: "32-bit paging (preset)", entry: .paging32,
        bytes: [
            0xA1, 0x00, 0x88, 0x40, 0x00,  // mov eax, [0x408800]
            0xE7, 0xF4,  // out 0xF4, eax
            0xF4,  // hlt
        ], answer: 0x5566_7788)

    static let paging32 = TinyGuest(
        name: "32-bit paging", entry: .protected32,
        bytes: switchPagingOn(cr4: 0x10, cr3: 0x10000) + paging32SetByMonitor.bytes, answer: 0x5566_7788)

    static let pae = TinyGuest(
        name: "PAE paging", entry: .protected32,
        bytes: switchPagingOn(cr4: 0x20, cr3: 0x11000) + [
            0xA1, 0x00, 0x88, 0x20, 0x00,  // mov eax, [0x208800]
            0xE7, 0xF4,  // out 0xF4, eax
            0xF4,  // hlt
        ], answer: 0x5566_7788)

    private static let findInLongMode: [UInt8] = [
        0x48, 0x8B, 0x04, 0x25, 0x00, 0x88, 0x20, 0x00,  // mov rax, [0x208800]
        0x48, 0xC1, 0xE8, 0x20,  // shr rax, 32
        0xE7, 0xF4,  // out 0xF4, eax
        0xF4,  // hlt
    ]

    static let long = TinyGuest(
        name: "long mode (preset)", entry: .long, bytes: findInLongMode, answer: 0x1122_3344)

    /// In the order of Intel SDM volume 3, section 10.8.5: PAE, CR3, EFER.LME, PG, and a far jump at once. With LME
    /// before PAE and a short jump before the far one, QEMU 10.0.2's emulated SVM froze, and the host in it.
    static let longSwitchedOn = TinyGuest(
        name: "long mode", entry: .protected32,
        bytes: loadTables(cr4: 0x20, cr3: 0x13000) + [
            0xB9, 0x80, 0x00, 0x00, 0xC0,  // mov ecx, 0xC0000080 (EFER)
            0x0F, 0x32,  // rdmsr
            0x0D, 0x00, 0x01, 0x00, 0x00,  // or eax, LME
            0x0F, 0x30,  // wrmsr
        ] + setPaging + [
            // jmp 0x18:next; 17 + 14 + 11 bytes came before, and it has 7 itself.
            0xEA, 0x31, 0x80, 0x00, 0x00, 0x18, 0x00,
        ] + findInLongMode, answer: 0x1122_3344)

    /// At CPL 3 with IOPL 3, so that OUT is allowed.
    static let longUser = TinyGuest(
        name: "long mode at CPL 3", entry: .longUser, bytes: findInLongMode, answer: 0x1122_3344)

    /// 17 bytes for 32-bit protected mode: a bit of CR4, and CR3.
    private static func loadTables(cr4: UInt8, cr3: UInt32) -> [UInt8] {
        [
            0x0F, 0x20, 0xE0,  // mov eax, cr4
            0x83, 0xC8, cr4,  // or eax, PSE or PAE
            0x0F, 0x22, 0xE0,  // mov cr4, eax
            0xB8, 0x00, UInt8(cr3 >> 8 & 0xFF), UInt8(cr3 >> 16 & 0xFF), 0x00,  // mov eax, cr3
            0x0F, 0x22, 0xD8,  // mov cr3, eax
        ]
    }

    /// 11 bytes for 32-bit protected mode: CR0.PG.
    private static let setPaging: [UInt8] = [
        0x0F, 0x20, 0xC0,  // mov eax, cr0
        0x0D, 0x00, 0x00, 0x00, 0x80,  // or eax, PG
        0x0F, 0x22, 0xC0,  // mov cr0, eax
    ]

    /// Both, and a jump to the next instruction.
    private static func switchPagingOn(cr4: UInt8, cr3: UInt32) -> [UInt8] {
        loadTables(cr4: cr4, cr3: cr3) + setPaging + [0xEB, 0x00]
    }

    /// Counts ECX down, tells, and does it again with what ECX then holds: two instructions a round.
    static func loop(_ entry: Entry) -> TinyGuest {
        let is16Bit = entry == .real
        let countDown: [UInt8] = is16Bit ? [0x66, 0x49] : entry == .protected32 ? [0x49] : [0xFF, 0xC9]  // dec ecx
        let jump: [UInt8] = [0x75, UInt8(truncatingIfNeeded: -2 - countDown.count)]  // jnz
        let tell: [UInt8] = [0xE6, 0xF4]  // out 0xF4, al
        let again: [UInt8] = [0xEB, UInt8(truncatingIfNeeded: -2 - (countDown + jump + tell).count)]  // jmp
        return TinyGuest(name: "loop", entry: entry, bytes: countDown + jump + tell + again, answer: 0)
    }

    /// Leaves the guest again and again.
    static let exits = TinyGuest(
        name: "exits", entry: .protected32,
        bytes: [
            0xE6, 0xF4,  // out 0xF4, al
            0xEB, 0xFC,  // jmp back to it
        ], answer: 0)

    /// Starts vCPU 1 by INIT and SIPI (Intel SDM volume 3, section 9.4.4) at 0x9000, and waits for its word.
    static let startsOther = TinyGuest(
        name: "INIT and SIPI", entry: .protected32,
        bytes: [
            // With the shorthand "all excluding self" in bits 18 and 19.
            0xC7, 0x05, 0x00, 0x03, 0xE0, 0xFE, 0x00, 0x45, 0x0C, 0x00,  // mov dword [ICR], INIT, assert
            0xC7, 0x05, 0x00, 0x03, 0xE0, 0xFE, 0x09, 0x46, 0x0C, 0x00,  // mov dword [ICR], SIPI, vector 9
            0xA1, 0x00, 0x91, 0x00, 0x00,  // wait: mov eax, [0x9100]
            0x85, 0xC0,  // test eax, eax
            0x74, 0xF7,  // jz wait
            0xE7, 0xF4,  // out 0xF4, eax
            0xF4,  // hlt
        ], answer: 0x77)

    /// What vCPU 1 runs, in real mode at 0900:0000 with DS 0.
    static let other: [UInt8] = [
        0xC6, 0x06, 0x00, 0x91, 0x77,  // mov byte [0x9100], 0x77
        0xF4,  // hlt
        0xEB, 0xFD,  // jmp back to it
    ]

    /// The memory image before this guest runs.
    var image: [(address: Int, bytes: [UInt8])] {
        func words(_ values: [UInt64]) -> [UInt8] {
            values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) } }
        }
        return [
            // Null, 32-bit code, data, 64-bit code (Intel SDM volume 3, section 3.4.5).
            (0x500, words([0, 0x00CF_9A00_0000_FFFF, 0x00CF_9200_0000_FFFF, 0x00AF_9A00_0000_FFFF])),
            (Int(Self.code), bytes),
            (Self.magicAddress, words([Self.magic])),
            (0x9000, Self.other),
            (0x10000, words([0x0000_0087_0000_0087])),  // 32-bit: two 4 MiB pages, both from 0
            (0x11000, words([0x12001])),  // PAE
            (0x12000, words([0x87, 0x87])),
            (0x13000, words([0x14007])),  // long mode
            (0x14000, words([0x15007])),
            (0x15000, words([0x87, 0x87])),
        ]
    }

    /// Sets the registers for its entry.
    func prepare(_ vcpu: borrowing VirtualCPU) throws(KVMError) {
        var special = try vcpu.specialRegisters()
        let isUser = entry == .longUser
        if entry == .real {
            special.cs.base = 0
            special.cs.selector = 0
        } else {
            let isLong = entry == .long || isUser
            special.controlRegister0.insert(.pe)
            special.gdt.base = 0x500
            special.gdt.limit = 31
            special.cs = Self.flat(isLong ? 0x18 : 0x08, type: 11, isLong: isLong, isUser: isUser)
            let data = Self.flat(0x10, type: 3, isLong: false, isUser: isUser)
            (special.ss, special.ds, special.es, special.fs, special.gs) = (data, data, data, data, data)
            if entry == .paging32 {
                special.cr3 = 0x10000
                special.controlRegister4.insert(.pse)
                special.controlRegister0.insert(.pg)
            }
            if isLong {
                special.cr3 = 0x13000
                special.controlRegister4.insert(.pae)
                special.extendedFeatureEnable.insert([.lme, .lma])
                special.controlRegister0.insert(.pg)
            }
        }
        try vcpu.setSpecialRegisters(special)
        var registers = GeneralRegisters()
        registers.rip = Self.code
        registers.rsp = 0x7C00
        registers.rflags = isUser ? 0x3002 : 2
        try vcpu.setRegisters(registers)
    }

    private static func flat(_ selector: UInt16, type: UInt8, isLong: Bool, isUser: Bool) -> SegmentRegister {
        var segment = SegmentRegister()
        segment.selector = isUser ? selector | 3 : selector
        segment.limit = 0xFFFF_FFFF
        segment.type = type
        segment.s = 1
        segment.present = 1
        segment.g = 1
        segment.dpl = isUser ? 3 : 0
        segment.l = isLong ? 1 : 0
        segment.db = isLong ? 0 : 1
        return segment
    }
}
