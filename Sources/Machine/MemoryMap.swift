internal import Firmware
internal import GuestMemory

/// What lies where in the guest's physical address space, in words.
enum MemoryMap {
    /// One line each: RAM, the hole, and what was loaded, from the lowest address up.
    static func lines(regions: [MemoryRegion], loaded: [String]) -> [String] {
        let ram = regions.map { line(AddressRange(start: $0.guestAddress, end: $0.guestAddress + $0.size), "RAM") }
        let hole = line(
            AddressRange(start: BoardLayout.holeStart, end: 1 << 32), "no RAM: local APICs, I/O APIC, other devices")
        // The addresses come first and all have the same number of digits.
        return (ram + [hole] + loaded).sorted()
    }

    /// A line of the map.
    static func line(_ range: AddressRange, _ what: String) -> String {
        "\(hexadecimal(range.start))-\(hexadecimal(range.end - 1))  \(what)"
    }

    private static func hexadecimal(_ address: UInt64) -> String {
        let digits = String(address, radix: 16)
        return "0x" + String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }
}
