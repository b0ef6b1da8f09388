internal import GuestMemory
internal import KVM

/// Guest memory as the guest's own instructions address it: through its page tables, without permissions.
struct LinearMemory {
    let special: SpecialRegisters
    let memory: GuestMemory

    /// The guest-physical address behind a linear one, or nil when no page maps it or no memory is there.
    func physicalAddress(_ address: UInt64) -> UInt64? {
        guard
            let physical = PageWalk(linearAddress: address, special: special, memory: memory).physicalAddress,
            memory.contains(physical, count: 1)
        else { return nil }
        return physical
    }

    /// One byte, or nil where there is none.
    func byte(_ address: UInt64) -> UInt8? {
        physicalAddress(address).flatMap { try? memory.read(UInt8.self, at: $0) }
    }

    /// The bytes from an address up to the first that is not there.
    func bytes(_ address: UInt64, count: Int) -> [UInt8] {
        var result: [UInt8] = []
        for offset in 0..<count {
            guard let byte = byte(address &+ UInt64(offset)) else { break }
            result.append(byte)
        }
        return result
    }

    /// A little-endian number of `width` bytes, 1 to 8, or nil when one of them is not there.
    func number(_ address: UInt64, width: Int) -> UInt64? {
        let bytes = bytes(address, count: width)
        guard bytes.count == width else { return nil }
        return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
