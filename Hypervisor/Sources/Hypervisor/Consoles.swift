import RISCV

/// The guests' consoles on the machine's one: what is typed goes to one guest, and what the others print is kept until
/// they are switched to.
struct Consoles {
    /// The guest that has the console.
    private(set) var current = 0
    private var kept: [[UInt8]] = []
    private var escaped = false

    /// So much is kept of each guest that is not shown.
    private static let limit = 16384

    mutating func write(_ byte: UInt8, from guest: Guest) {
        if guest.index == current {
            Console.write(byte)
            return
        }
        while kept.count <= guest.index { kept.append([]) }
        if kept[guest.index].count >= Self.limit { kept[guest.index].removeFirst(Self.limit / 2) }
        kept[guest.index].append(byte)
    }

    /// What a typed byte means.
    enum Action {
        case type(UInt8)
        case next
        case list
        case quit
        case nothing
    }

    /// Ctrl-A is for the hypervisor: n goes to the next guest, ? lists them, x ends the machine, a second Ctrl-A is one for the guest.
    mutating func action(of byte: UInt8) -> Action {
        guard escaped else {
            escaped = byte == 1
            return escaped ? .nothing : .type(byte)
        }
        escaped = false
        switch byte {
        case UInt8(ascii: "n"): return .next
        case UInt8(ascii: "?"): return .list
        case UInt8(ascii: "x"): return .quit
        case 1: return .type(1)
        default: return .nothing
        }
    }

    /// What a guest has printed that nobody has seen.
    mutating func takeUnseen(of guest: Guest) -> [UInt8] {
        guard kept.indices.contains(guest.index) else { return [] }
        let bytes = kept[guest.index]
        kept[guest.index] = []
        return bytes
    }

    /// Gives the console to a guest, and shows what it has printed meanwhile.
    mutating func show(_ guest: Guest) {
        current = guest.index
        for byte in takeUnseen(of: guest) { Console.write(byte) }
    }
}
