/// The few instructions that guests die at, told apart by their bytes (Intel SDM volume 2, appendix A).
///
/// This is no disassembler: what it does not know it does not name.
struct Instruction: Equatable {
    /// What an instruction does that matters to a diagnosis.
    enum Effect: Equatable {
        case moveToControlRegister(Int, from: Int)
        case moveToSegment(Int, from: Int)
        case loadTaskRegister(from: Int)
        case farJump(selector: UInt16, offset: UInt64)
        case farReturn
        case interruptReturn
        case softwareInterrupt(UInt8)
        case invalidOpcode
        case halt
        case writeMSR
        case compareExchange16
        case extendedState
        case vector
        case other
    }

    /// The mnemonic with operands, as the manual writes it.
    let name: String
    /// What it does.
    let effect: Effect
    /// Bytes of its operands: 2, 4 or 8.
    let operandBytes: Int

    private static let registers64 = [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    ]
    private static let segments = ["es", "cs", "ss", "ds", "fs", "gs", "sreg6", "sreg7"]

    /// - Parameters:
    ///   - code: the bytes from the instruction on.
    ///   - bits: 16, 32 or 64, the code segment's default.
    /// - Returns: nil when it is none of those known here.
    init?(_ code: [UInt8], bits: Int) {
        var bytes = code.prefix(15)
        var operandOverride = false
        var rex: UInt8 = 0
        var isLocked = false
        while let byte = bytes.first {
            if byte == 0x66 {
                operandOverride = true
            } else if byte == 0xF0 {
                isLocked = true
            } else if ![0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x67, 0xF2, 0xF3].contains(byte) {
                break
            }
            bytes = bytes.dropFirst()
        }
        if bits == 64, let byte = bytes.first, byte & 0xF0 == 0x40 {
            rex = byte
            bytes = bytes.dropFirst()
        }
        let operandBytes =
            rex & 8 != 0 ? 8 : (bits == 16) != operandOverride ? 2 : 4
        guard let opcode = bytes.first else { return nil }
        let rest = Array(bytes.dropFirst())
        let decoded =
            opcode == 0x0F
            ? Self.twoByte(rest, rex: rex, bits: bits)
            : Self.oneByte(opcode, rest, operandBytes: operandBytes, bits: bits)
        guard let decoded else { return nil }
        name = isLocked ? "lock " + decoded.0 : decoded.0
        effect = decoded.1
        self.operandBytes = operandBytes
    }

    private static func number(_ bytes: some Collection<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func oneByte(
        _ opcode: UInt8, _ rest: [UInt8], operandBytes: Int, bits: Int
    ) -> (String, Effect)? {
        let wide = operandBytes == 2 ? "ax" : "eax"
        let first = rest.first ?? 0
        switch opcode {
        case 0x90: return ("nop", .other)
        case 0xF4: return ("hlt", .halt)
        case 0xFA: return ("cli", .other)
        case 0xFB: return ("sti", .other)
        case 0xC3: return ("ret", .other)
        case 0xCB: return ("retf", .farReturn)
        case 0xCC: return ("int3", .softwareInterrupt(3))
        case 0xCD where !rest.isEmpty: return ("int \(first.hex(2))", .softwareInterrupt(first))
        case 0xCF: return (operandBytes == 8 ? "iretq" : operandBytes == 4 ? "iretd" : "iret", .interruptReturn)
        case 0xE4 where !rest.isEmpty: return ("in al, \(first.hex(2))", .other)
        case 0xE5 where !rest.isEmpty: return ("in \(wide), \(first.hex(2))", .other)
        case 0xE6 where !rest.isEmpty: return ("out \(first.hex(2)), al", .other)
        case 0xE7 where !rest.isEmpty: return ("out \(first.hex(2)), \(wide)", .other)
        case 0xEC: return ("in al, dx", .other)
        case 0xED: return ("in \(wide), dx", .other)
        case 0xEE: return ("out dx, al", .other)
        case 0xEF: return ("out dx, \(wide)", .other)
        case 0x6C: return ("insb", .other)
        case 0x6D: return (operandBytes == 2 ? "insw" : "insd", .other)
        case 0x6E: return ("outsb", .other)
        case 0x6F: return (operandBytes == 2 ? "outsw" : "outsd", .other)
        case 0xEB where first == 0xFE: return ("jmp $ (jumps to itself)", .other)
        case 0x8E where first >= 0xC0:
            return (
                "mov \(segments[Int(first >> 3 & 7)]), \(registers64[Int(first & 7)].dropFirst())",
                .moveToSegment(Int(first >> 3 & 7), from: Int(first & 7))
            )
        case 0xEA where bits != 64 && rest.count >= operandBytes + 2:
            let offset = number(rest.prefix(operandBytes))
            let selector = UInt16(truncatingIfNeeded: number(rest[operandBytes..<operandBytes + 2]))
            return ("jmp \(selector.hex(4)):\(offset.hex(4))", .farJump(selector: selector, offset: offset))
        case 0x00 where first == 0: return ("add [\(bits == 16 ? "bx+si" : bits == 32 ? "eax" : "rax")], al", .other)
        case 0xC4, 0xC5:
            return bits == 64 || first >= 0xC0 ? ("an AVX instruction (VEX prefix)", .vector) : nil
        case 0x62:
            return bits == 64 || first >= 0xC0 ? ("an AVX-512 instruction (EVEX prefix)", .vector) : nil
        default: return nil
        }
    }

    private static func twoByte(_ rest: [UInt8], rex: UInt8, bits: Int) -> (String, Effect)? {
        guard let opcode = rest.first else { return nil }
        let modRM = rest.dropFirst().first
        switch opcode {
        case 0x05: return ("syscall", .other)
        case 0x07: return ("sysret", .other)
        case 0x0B: return ("ud2", .invalidOpcode)
        case 0x30: return ("wrmsr", .writeMSR)
        case 0x31: return ("rdtsc", .other)
        case 0x32: return ("rdmsr", .other)
        case 0x34: return ("sysenter", .other)
        case 0x35: return ("sysexit", .other)
        case 0xA2: return ("cpuid", .other)
        default: break
        }
        guard let modRM else { return nil }
        let field = Int(modRM >> 3 & 7)
        let operand = Int(modRM & 7) + (rex & 1 != 0 ? 8 : 0)
        let general = bits == 64 ? registers64[operand] : "e" + registers64[operand & 7].dropFirst()
        switch opcode {
        case 0x00 where field == 2: return ("lldt", .other)
        case 0x00 where field == 3:
            return ("ltr", modRM >= 0xC0 ? .loadTaskRegister(from: operand) : .other)
        case 0x01: return group7(modRM).map { ($0, .other) }
        case 0x20: return ("mov \(general), cr\(field + (rex & 4 != 0 ? 8 : 0))", .other)
        case 0x22:
            let control = field + (rex & 4 != 0 ? 8 : 0)
            return ("mov cr\(control), \(general)", .moveToControlRegister(control, from: operand))
        case 0x21: return ("mov \(general), dr\(field)", .other)
        case 0x23: return ("mov dr\(field), \(general)", .other)
        case 0xAE where modRM < 0xC0:
            let names = ["fxsave", "fxrstor", "ldmxcsr", "stmxcsr", "xsave", "xrstor", "xsaveopt", "clflush"]
            return (names[field], 4...6 ~= field ? .extendedState : .other)
        case 0xC7 where modRM < 0xC0:
            switch field {
            case 1: return rex & 8 != 0 ? ("cmpxchg16b", .compareExchange16) : ("cmpxchg8b", .other)
            case 3: return ("xrstors", .extendedState)
            case 4: return ("xsavec", .extendedState)
            case 5: return ("xsaves", .extendedState)
            default: return nil
            }
        default: return nil
        }
    }

    private static func group7(_ modRM: UInt8) -> String? {
        switch modRM {
        case 0xC1: return "vmcall"
        case 0xD0: return "xgetbv"
        case 0xD1: return "xsetbv"
        case 0xD9: return "vmmcall"
        case 0xF8: return "swapgs"
        case 0xF9: return "rdtscp"
        default:
            guard modRM < 0xC0 else { return nil }
            return ["sgdt", "sidt", "lgdt", "lidt", nil, nil, nil, "invlpg"][Int(modRM >> 3 & 7)]
        }
    }
}
