/// A load or a store of integer registers, taken apart for the emulation of a device's registers.
///
/// Source: RISC-V unprivileged specification, "RV32/64G Instruction Set Listings" and "'C' Extension"; htinst's
/// transformed instructions: privileged specification, "Transformed Instruction or Pseudoinstruction for mtinst or
/// htinst".
public struct LoadStoreInstruction: Equatable, Sendable {
    /// Whether it is a store.
    public let isStore: Bool
    /// The bytes that it accesses: 1, 2, 4 or 8.
    public let width: Int
    /// Whether what is loaded is sign-extended to 64 bits.
    public let isSigned: Bool
    /// The register that is loaded, or whose value is stored: 0 to 31.
    public let register: Int
    /// The bytes of the instruction itself: 2 or 4.
    public let length: Int

    private init(load width: Int, signed: Bool, register: Int, length: Int) {
        (isStore, self.width, isSigned, self.register, self.length) = (false, width, signed, register, length)
    }

    private init(store width: Int, register: Int, length: Int) {
        (isStore, self.width, isSigned, self.register, self.length) = (true, width, false, register, length)
    }

    /// The instruction in memory; of a compressed one the upper half is ignored. Nil when it is no such load or store.
    public init?(_ instruction: UInt32) {
        if instruction & 3 == 3 {
            self.init(full: instruction, length: 4)
        } else {
            self.init(compressed: instruction & 0xFFFF)
        }
    }

    /// What htinst tells; nil when it is 0, a pseudoinstruction, or no such load or store: then the instruction in
    /// memory counts.
    public init?(htinst: UInt64) {
        // Bit 0 marks a transformed instruction; with bit 1 clear it has been a compressed one, and is shown expanded.
        guard htinst & 1 == 1, htinst >> 32 == 0 else { return nil }
        self.init(full: UInt32(htinst) | 2, length: htinst & 2 == 0 ? 2 : 4)
    }

    private init?(full instruction: UInt32, length: Int) {
        let function = instruction >> 12 & 7
        switch instruction & 0x7F {
        case 0x03:  // LOAD: LB, LH, LW, LD, LBU, LHU, LWU
            guard function != 7 else { return nil }
            self.init(
                load: 1 << Int(function & 3), signed: function < 4, register: Int(instruction >> 7 & 31), length: length
            )
        case 0x23:  // STORE: SB, SH, SW, SD
            guard function < 4 else { return nil }
            self.init(store: 1 << Int(function), register: Int(instruction >> 20 & 31), length: length)
        default:
            return nil
        }
    }

    private init?(compressed instruction: UInt32) {
        let function = instruction >> 13 & 7
        // Registers x8 to x15 in quadrant 0.
        let short = Int(instruction >> 2 & 7) + 8
        switch (instruction & 3, function) {
        case (0, 2): self.init(load: 4, signed: true, register: short, length: 2)  // C.LW
        case (0, 3): self.init(load: 8, signed: true, register: short, length: 2)  // C.LD
        case (0, 6): self.init(store: 4, register: short, length: 2)  // C.SW
        case (0, 7): self.init(store: 8, register: short, length: 2)  // C.SD
        case (0, 4):
            // Zcb: C.LBU, C.LHU, C.LH, C.SB, C.SH.
            switch (instruction >> 10 & 7, instruction >> 6 & 1) {
            case (0, _): self.init(load: 1, signed: false, register: short, length: 2)
            case (1, let signed): self.init(load: 2, signed: signed == 1, register: short, length: 2)
            case (2, _): self.init(store: 1, register: short, length: 2)
            case (3, 0): self.init(store: 2, register: short, length: 2)
            default: return nil
            }
        case (2, 2), (2, 3):  // C.LWSP, C.LDSP
            let register = Int(instruction >> 7 & 31)
            guard register != 0 else { return nil }
            self.init(load: function == 2 ? 4 : 8, signed: true, register: register, length: 2)
        case (2, 6): self.init(store: 4, register: Int(instruction >> 2 & 31), length: 2)  // C.SWSP
        case (2, 7): self.init(store: 8, register: Int(instruction >> 2 & 31), length: 2)  // C.SDSP
        default: return nil
        }
    }

    /// What the register holds after a load of this value.
    public func extended(_ value: UInt64) -> UInt64 {
        guard width < 8 else { return value }
        let shift = UInt64(64 - 8 * width)
        let top = value << shift
        return isSigned ? UInt64(bitPattern: Int64(bitPattern: top) >> Int64(shift)) : top >> shift
    }

    /// The part of a register's value that is stored.
    public func stored(_ value: UInt64) -> UInt64 {
        width < 8 ? value & (1 << UInt64(8 * width) - 1) : value
    }
}
