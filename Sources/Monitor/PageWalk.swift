public import CKVM
public import GuestMemory
public import KVM

/// How linear addresses become guest-physical ones (Intel SDM volume 3, section 4.1.1).
public enum PagingMode: String, Sendable {
    case none = "no paging"
    case bits32 = "32-bit paging"
    case pae = "PAE paging"
    case level4 = "4-level paging"
    case level5 = "5-level paging"

    /// The mode that CR0, CR4 and EFER select.
    public init(_ special: SpecialRegisters) {
        self =
            if !special.controlRegister0.contains([.pg, .pe]) {
                .none
            } else if special.extendedFeatureEnable.contains(.lma) {
                special.controlRegister4.contains(.la57) ? .level5 : .level4
            } else {
                special.controlRegister4.contains(.pae) ? .pae : .bits32
            }
    }
}

/// One walk through the guest's page tables, entry by entry, as the processor would do it.
///
/// Nothing is written (accessed and dirty bits stay), and hostile tables end the walk after at most five levels.
public struct PageWalk: Equatable, Sendable {
    /// One entry that the walk read, or could not read.
    public struct Entry: Equatable, Sendable {
        /// PML5E, PML4E, PDPTE, PDE or PTE.
        public let name: String
        /// The entry's place in its table.
        public let index: Int
        /// Guest-physical address of the entry.
        public let address: UInt64
        /// The entry; nil when its address lies outside guest memory.
        public let value: UInt64?
        /// Bytes of an entry: 4 or 8.
        public let width: Int
    }

    /// Where the walk ended.
    public enum Outcome: Equatable, Sendable {
        /// A guest-physical address, which need not be memory.
        case mapped(physicalAddress: UInt64)
        /// The last entry read has its P bit clear.
        case notPresent
        /// The last entry read has these bits set although they must be 0: #PF with the RSVD flag.
        case reservedBits(UInt64)
        /// The last entry lies outside guest memory.
        case tableOutsideMemory
        /// The bits above the address's width are not copies of its highest bit: #GP instead of #PF.
        case notCanonical
    }

    /// The address that was looked up.
    public let linearAddress: UInt64
    /// By which rules.
    public let mode: PagingMode
    /// The entries on the way, the highest table's first.
    public private(set) var entries: [Entry] = []
    /// Where it ended.
    public private(set) var outcome: Outcome
    /// Bytes of the page: 4 KiB, 2 MiB, 4 MiB or 1 GiB; 0 when nothing is mapped, and without paging.
    public private(set) var pageSize: UInt64 = 0
    /// Whether all levels allow writing (which CR0.WP may waive for the supervisor).
    public private(set) var isWritable = true
    /// Whether all levels allow access at CPL 3.
    public private(set) var isUser = true
    /// Whether no level forbids executing.
    public private(set) var isExecutable = true

    /// The guest-physical address, or nil when the address is not mapped.
    public var physicalAddress: UInt64? {
        if case .mapped(let address) = outcome { address } else { nil }
    }

    /// One level of a paging mode.
    private struct Level {
        let name: String
        let shift: UInt64
        let indexBits: UInt64
        let mayBeLarge: Bool
    }

    /// - Parameters:
    ///   - linearAddress: the address to look up.
    ///   - special: CR0, CR3, CR4 and EFER.
    ///   - memory: where the tables are.
    ///   - mode: other rules than those that the registers select, to see what tables were meant for.
    ///   - physicalAddressBits: MAXPHYADDR, CPUID leaf 0x80000008; bits of entries above it are reserved.
    public init(
        linearAddress: UInt64, special: SpecialRegisters, memory: GuestMemory, mode: PagingMode? = nil,
        physicalAddressBits: Int = 52
    ) {
        let mode = mode ?? PagingMode(special)
        self.mode = mode
        let isLong = mode == .level4 || mode == .level5
        // Without paging the address is taken as it is: real mode reaches past 1 MiB up to 0x10FFEF.
        self.linearAddress = isLong || mode == .none ? linearAddress : linearAddress & 0xFFFF_FFFF
        outcome = .mapped(physicalAddress: linearAddress)
        guard mode != .none else { return }
        if isLong {
            let unused = Int64(64 - (mode == .level5 ? 57 : 48))
            guard (Int64(bitPattern: linearAddress) << unused) >> unused == Int64(bitPattern: linearAddress) else {
                outcome = .notCanonical
                return
            }
        }
        let physicalBits = UInt64(min(max(physicalAddressBits, 32), 52))
        walk(special, memory, addressMask: (1 << physicalBits) - 1)
    }

    private mutating func walk(_ special: SpecialRegisters, _ memory: GuestMemory, addressMask: UInt64) {
        let noExecute = special.extendedFeatureEnable.contains(.nxe)
        let pageSizeExtension = special.controlRegister4.contains(.pse)
        let width: UInt64 = mode == .bits32 ? 4 : 8
        var table =
            switch mode {
            case .pae: special.cr3 & 0xFFFF_FFE0
            case .bits32: special.cr3 & 0xFFFF_F000
            default: special.cr3 & 0x000F_FFFF_FFFF_F000
            }
        for level in levels {
            let index = linearAddress >> level.shift & ((1 << level.indexBits) - 1)
            let address = table + index * width
            let value = Self.read(memory, address, width)
            entries.append(
                Entry(name: level.name, index: Int(index), address: address, value: value, width: Int(width)))
            guard let value else { return outcome = .tableOutsideMemory }
            guard value & 1 != 0 else { return outcome = .notPresent }
            let isPointerTable = mode == .pae && level.shift == 30
            let hasPageSize = value >> 7 & 1 != 0 && !isPointerTable
            let isLarge = hasPageSize && level.mayBeLarge && (mode != .bits32 || pageSizeExtension)
            let reserved =
                value & reservedMask(level, isLarge: isLarge, noExecute: noExecute, addressMask: addressMask)
            guard reserved == 0 else { return outcome = .reservedBits(reserved) }
            if !isPointerTable {
                isWritable = isWritable && value >> 1 & 1 != 0
                isUser = isUser && value >> 2 & 1 != 0
                isExecutable = isExecutable && value >> 63 & 1 == 0
            }
            if isLarge || level.shift == 12 {
                pageSize = 1 << level.shift
                outcome = .mapped(physicalAddress: physical(value, isLarge: isLarge))
                return
            }
            table = value & (mode == .bits32 ? 0xFFFF_F000 : 0x000F_FFFF_FFFF_F000)
        }
    }

    private func physical(_ value: UInt64, isLarge: Bool) -> UInt64 {
        let offset = linearAddress & (pageSize - 1)
        guard mode == .bits32 else { return value & 0x000F_FFFF_FFFF_F000 & ~(pageSize - 1) | offset }
        // PSE-36: bits 13 to 20 of a 4 MiB page's entry are bits 32 to 39 of the address.
        let high = isLarge ? (value >> 13 & 0xFF) << 32 : 0
        return high | value & 0xFFFF_F000 & ~(pageSize - 1) | offset
    }

    /// The bits that must be 0 in a present entry (Intel SDM volume 3, figures 4-4, 4-7 and 4-11).
    private func reservedMask(_ level: Level, isLarge: Bool, noExecute: Bool, addressMask: UInt64) -> UInt64 {
        if mode == .bits32 { return isLarge ? 1 << 21 : 0 }
        var mask = ~addressMask & 0x000F_FFFF_FFFF_FFFF
        if mode == .pae {
            mask |= 0x7FF0_0000_0000_0000
            if level.shift == 30 { return mask | 1 << 63 | 0x1E6 }
        }
        if !noExecute { mask |= 1 << 63 }
        if !level.mayBeLarge, level.shift > 12 { mask |= 1 << 7 }
        if isLarge { mask |= ((1 << level.shift) - 1) & ~0x1FFF }
        return mask
    }

    private var levels: [Level] {
        let page = Level(name: "PTE", shift: 12, indexBits: 9, mayBeLarge: false)
        let directory = Level(name: "PDE", shift: 21, indexBits: 9, mayBeLarge: true)
        let pointers = Level(name: "PDPTE", shift: 30, indexBits: 9, mayBeLarge: true)
        let map4 = Level(name: "PML4E", shift: 39, indexBits: 9, mayBeLarge: false)
        return switch mode {
        case .none: []
        case .bits32:
            [
                Level(name: "PDE", shift: 22, indexBits: 10, mayBeLarge: true),
                Level(name: "PTE", shift: 12, indexBits: 10, mayBeLarge: false),
            ]
        case .pae: [Level(name: "PDPTE", shift: 30, indexBits: 2, mayBeLarge: false), directory, page]
        case .level4: [map4, pointers, directory, page]
        case .level5:
            [Level(name: "PML5E", shift: 48, indexBits: 9, mayBeLarge: false), map4, pointers, directory, page]
        }
    }

    private static func read(_ memory: GuestMemory, _ address: UInt64, _ width: UInt64) -> UInt64? {
        width == 4 ? (try? memory.read(UInt32.self, at: address)).map(UInt64.init) : try? memory.read(at: address)
    }
}
