internal import CKVM
internal import GuestMemory
internal import KVM

/// The code around RIP and the top of the stack, in lines of at most 80 columns.
struct CodeText {
    private let vcpu: VCPUSnapshot
    private let memory: LinearMemory

    init(_ vcpu: VCPUSnapshot, _ memory: LinearMemory) {
        self.vcpu = vcpu
        self.memory = memory
    }

    /// Eight bytes before RIP and sixteen from it on; RIP's is in angle brackets, and `--` is no memory.
    var lines: [String] {
        let address = vcpu.instructionAddress
        let cells = (-8..<16).map { (offset: Int) -> String in
            let byte = memory.byte(address &+ UInt64(bitPattern: Int64(offset)))?.digits(2) ?? "--"
            return offset == 0 ? "<\(byte)>" : byte
        }
        let code = memory.bytes(address, count: 16)
        let name = Instruction(code, bits: vcpu.mode.operandBits)?.name
        return ["code at \(address.hex(8))" + (name.map { ": \($0)" } ?? ""), "  " + cells.joined(separator: " ")]
    }

    /// The eight words at the top of the stack.
    var stack: [String] {
        let width = vcpu.mode == .long ? 8 : vcpu.special.ss.db != 0 ? 4 : 2
        let address = vcpu.stackAddress
        let words = (0..<8).map { slot -> String in
            let place = address &+ UInt64(slot * width)
            return memory.number(place, width: width)?.digits(width * 2) ?? String(repeating: "-", count: width * 2)
        }
        let perLine = width == 8 ? 4 : 8
        return ["stack at \(address.hex(8)), \(width * 8)-bit words:"]
            + stride(from: 0, to: words.count, by: perLine).map {
                "  " + words[$0..<$0 + perLine].joined(separator: " ")
            }
    }
}

/// A page walk, level by level, in lines of at most 80 columns.
struct WalkText {
    private let walk: PageWalk
    private let name: String
    private let memory: GuestMemory

    init(_ walk: PageWalk, _ name: String, _ memory: GuestMemory) {
        self.walk = walk
        self.name = name
        self.memory = memory
    }

    var lines: [String] {
        guard walk.mode != .none else {
            let there = memory.contains(walk.linearAddress, count: 1) ? "" : ", where there is no memory"
            return ["\(name) without paging: guest-physical \(walk.linearAddress.hex(8))\(there)"]
        }
        var lines = ["page walk of \(name) \(walk.linearAddress.hex(8)), \(walk.mode.rawValue):"]
        lines += walk.entries.map { entry in
            let place = "  \(entry.name.padded(5))[\(String(entry.index).rightAligned(4))] at \(entry.address.hex(8))"
            guard let value = entry.value else { return place + ", where there is no memory" }
            // Bits 9 to 11 and 52 to 58 are the guest's own, 12 to 51 the address.
            let flags = BitNames.pageEntry(value, besides: 0x7FFF_FFFF_FFFF_FE00)
            return "\(place) = \(value.hex(entry.width * 2)) \(flags)"
        }
        return lines + ["  " + outcome]
    }

    private var outcome: String {
        switch walk.outcome {
        case .mapped(let physical):
            let there = memory.contains(physical, count: 1) ? "" : ", where there is no memory"
            let rights = [
                walk.isUser ? "user" : "supervisor", walk.isWritable ? "writable" : "read-only",
                walk.isExecutable ? "executable" : "not executable",
            ]
            return "-> \(physical.hex(8))\(there), \(Self.size(walk.pageSize)) page"
                + (there.isEmpty ? ", \(rights.joined(separator: ", "))" : "")
        case .notPresent: return "-> not present"
        case .reservedBits(let bits): return "-> reserved bits are set: \(bits.hex())"
        case .tableOutsideMemory: return "-> the table is not in memory"
        case .notCanonical: return "-> no canonical address"
        }
    }

    private static func size(_ bytes: UInt64) -> String {
        switch bytes {
        case 1 << 30: "1 GiB"
        case 1 << 22: "4 MiB"
        case 1 << 21: "2 MiB"
        default: "4 KiB"
        }
    }
}
