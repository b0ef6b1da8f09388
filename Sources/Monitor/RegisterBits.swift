public import CKVM
public import KVM

/// RFLAGS (Intel SDM volume 1, section 3.4.3).
public struct FlagsRegister: OptionSet, Sendable, Hashable {
    /// The register.
    public let rawValue: UInt64
    /// - Parameter rawValue: the register.
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// Carry.
    public static let cf = FlagsRegister(rawValue: 1 << 0)
    /// Always 1.
    public static let fixed = FlagsRegister(rawValue: 1 << 1)
    /// Trap: #DB after each instruction.
    public static let tf = FlagsRegister(rawValue: 1 << 8)
    /// Interrupt enable.
    public static let `if` = FlagsRegister(rawValue: 1 << 9)
    /// Virtual-8086 mode.
    public static let vm = FlagsRegister(rawValue: 1 << 17)
}

/// The names of a register's single bits, lowest first, as the manuals abbreviate them.
struct BitNames: Sendable {
    private let names: [Int: String]

    init(_ names: KeyValuePairs<Int, String>) {
        self.names = Dictionary(names.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    /// The names of the bits that are set; a bit without a name is given by its number.
    func callAsFunction(_ value: UInt64, besides hidden: UInt64 = 0) -> String {
        (0..<64).filter { (value & ~hidden) >> UInt64($0) & 1 != 0 }
            .map { names[$0] ?? "bit\($0)" }.joined(separator: " ")
    }

    /// Intel SDM volume 3, section 2.5, "Control Registers".
    static let cr0 = BitNames([
        0: "PE", 1: "MP", 2: "EM", 3: "TS", 4: "ET", 5: "NE", 16: "WP", 18: "AM", 29: "NW", 30: "CD", 31: "PG",
    ])
    /// Intel SDM volume 3, section 2.5.
    static let cr4 = BitNames([
        0: "VME", 1: "PVI", 2: "TSD", 3: "DE", 4: "PSE", 5: "PAE", 6: "MCE", 7: "PGE", 8: "PCE", 9: "OSFXSR",
        10: "OSXMMEXCPT", 11: "UMIP", 12: "LA57", 13: "VMXE", 14: "SMXE", 16: "FSGSBASE", 17: "PCIDE", 18: "OSXSAVE",
        20: "SMEP", 21: "SMAP", 22: "PKE", 23: "CET", 24: "PKS", 25: "UINTR", 28: "LAM_SUP",
    ])
    /// Intel SDM volume 3, section 2.2.1; AMD APM volume 2, section 3.1.7.
    static let efer = BitNames([
        0: "SCE", 8: "LME", 10: "LMA", 11: "NXE", 12: "SVME", 13: "LMSLE", 14: "FFXSR", 15: "TCE", 21: "AIBRSE",
    ])
    /// Intel SDM volume 1, section 3.4.3. Bit 1 is always set and IOPL has two bits: both are left to the caller.
    static let rflags = BitNames([
        0: "CF", 2: "PF", 4: "AF", 6: "ZF", 7: "SF", 8: "TF", 9: "IF", 10: "DF", 11: "OF", 14: "NT", 16: "RF",
        17: "VM", 18: "AC", 19: "VIF", 20: "VIP", 21: "ID",
    ])
    /// Intel SDM volume 3, section 18.2.3, "Debug Status Register".
    static let dr6 = BitNames([0: "B0", 1: "B1", 2: "B2", 3: "B3", 13: "BD", 14: "BS", 15: "BT"])
    /// Intel SDM volume 3, section 18.2.4, "Debug Control Register", without the fields of 2 bits.
    static let dr7 = BitNames([
        0: "L0", 1: "G0", 2: "L1", 3: "G1", 4: "L2", 5: "G2", 6: "L3", 7: "G3", 8: "LE", 9: "GE", 13: "GD",
    ])
    /// Intel SDM volume 3, section 4.5, and the Page Fault Error Code aside: a page-table entry's flags.
    static let pageEntry = BitNames([
        0: "P", 1: "W", 2: "U", 3: "PWT", 4: "PCD", 5: "A", 6: "D", 7: "PS", 8: "G", 63: "NX",
    ])
}

/// What the processor makes of addresses and instructions (Intel SDM volume 3, section 2.2).
public enum ProcessorMode: String, Sendable {
    case real = "real mode"
    case virtual8086 = "virtual-8086 mode"
    case protected16 = "16-bit protected mode"
    case protected32 = "32-bit protected mode"
    case compatibility16 = "compatibility mode (16-bit code in long mode)"
    case compatibility32 = "compatibility mode (32-bit code in long mode)"
    case long = "64-bit long mode"

    /// The mode that the registers mean.
    public init(special: SpecialRegisters, rflags: UInt64) {
        self =
            if !special.controlRegister0.contains(.pe) {
                .real
            } else if special.extendedFeatureEnable.contains(.lma) {
                special.cs.l != 0 ? .long : special.cs.db != 0 ? .compatibility32 : .compatibility16
            } else if FlagsRegister(rawValue: rflags).contains(.vm) {
                .virtual8086
            } else {
                special.cs.db != 0 ? .protected32 : .protected16
            }
    }

    /// Whether selectors are looked up in the GDT, and exceptions in an IDT of gates.
    var isProtected: Bool { self != .real && self != .virtual8086 }
    /// Whether a gate of the IDT has 16 bytes.
    var isLong: Bool { self == .long || self == .compatibility16 || self == .compatibility32 }
    /// Bits of an operand without a prefix.
    var operandBits: Int {
        switch self {
        case .real, .virtual8086, .protected16, .compatibility16: 16
        case .protected32, .compatibility32: 32
        case .long: 64
        }
    }
}

/// The exceptions' names (Intel SDM volume 3, table 6-1).
enum ExceptionName {
    static func of(_ vector: UInt8) -> String {
        switch vector {
        case 0: "#DE (divide error)"
        case 1: "#DB (debug)"
        case 2: "NMI"
        case 3: "#BP (breakpoint)"
        case 4: "#OF (overflow)"
        case 5: "#BR (bound range exceeded)"
        case 6: "#UD (invalid opcode)"
        case 7: "#NM (no math coprocessor)"
        case 8: "#DF (double fault)"
        case 10: "#TS (invalid TSS)"
        case 11: "#NP (segment not present)"
        case 12: "#SS (stack fault)"
        case 13: "#GP (general protection)"
        case 14: "#PF (page fault)"
        case 16: "#MF (x87 error)"
        case 17: "#AC (alignment check)"
        case 18: "#MC (machine check)"
        case 19: "#XM (SIMD error)"
        case 21: "#CP (control protection)"
        default: "vector \(vector)"
        }
    }
}
