/// How guest-physical addresses are translated: the field MODE of hgatp (privileged specification, "Hypervisor Guest
/// Address Translation and Protection Register").
public enum GStageMode: UInt64, Sendable {
    /// Guest-physical addresses are the machine's own: no translation, no protection.
    case bare = 0
    /// Three levels, 41-bit guest-physical addresses.
    case sv39x4 = 8
    /// Four levels, 50-bit guest-physical addresses.
    case sv48x4 = 9
    /// Five levels, 59-bit guest-physical addresses.
    case sv57x4 = 10

    /// The levels of the page table.
    public var levels: Int {
        switch self {
        case .bare: 0
        case .sv39x4: 3
        case .sv48x4: 4
        case .sv57x4: 5
        }
    }

    /// The bits of a guest-physical address: two more than a virtual address of the same number of levels has.
    public var addressBits: Int { 12 + 9 * levels + 2 }

    /// The name in the specification.
    public var name: String {
        switch self {
        case .bare: "Bare"
        case .sv39x4: "Sv39x4"
        case .sv48x4: "Sv48x4"
        case .sv57x4: "Sv57x4"
        }
    }

    /// hgatp for a root page table and a VMID.
    public func hgatp(root: UInt64, vmid: UInt64) -> UInt64 {
        rawValue << 60 | (vmid & 0x3FFF) << 44 | (root >> 12) & 0xFFF_FFFF_FFFF
    }
}
