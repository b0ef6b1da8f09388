// What a PC's firmware keeps in CMOS memory.
extension RTC {
    /// A byte of CMOS memory besides time and control registers, by its address 0x0E to 0x7F; others read 0.
    public subscript(cmos address: UInt8) -> UInt8 {
        get { address > Address.validity && address < 0x80 ? memory[Int(address)] : 0 }
        set {
            guard address > Address.validity, address < 0x80 else { return }
            memory[Int(address)] = newValue
        }
    }

    /// The shutdown status byte, 0x0F: what firmware does after the processors were reset, ``ShutdownStatus`` or boot.
    public var shutdownStatus: UInt8 { self[cmos: Address.shutdownStatus] }

    /// The values of the shutdown status byte by which firmware does not boot, but jumps to the warm reset vector, the far
    /// pointer at 0x467 (IBM PC/AT Technical Reference, BIOS listing, "shutdown").
    public enum ShutdownStatus: UInt8, Sendable {
        /// Ends the interrupt in service before it jumps.
        case endInterruptAndJump = 0x05
        /// Jumps.
        case jump = 0x0A
    }

    /// Writes how much memory there is to where a PC's firmware and boot loaders look, and the checksum.
    /// - Parameters:
    ///   - below4GiB: bytes of memory below 4 GiB, from address 0 on.
    ///   - above4GiB: bytes of memory from 4 GiB on.
    public func setMemorySize(below4GiB: UInt64, above4GiB: UInt64) {
        let kiB: UInt64 = 1 << 10
        let miB: UInt64 = 1 << 20
        let base = min(below4GiB / kiB, 640)
        let extended = below4GiB > miB ? min((below4GiB - miB) / kiB, 0xFFFF) : 0
        let above16MiB = below4GiB > 16 * miB ? min((below4GiB - 16 * miB) / (64 * kiB), 0xFFFF) : 0
        let high = min(above4GiB / (64 * kiB), 0xFF_FFFF)
        store(base, at: Address.baseMemory, count: 2)
        store(extended, at: Address.extendedMemory, count: 2)
        store(extended, at: Address.extendedMemoryFound, count: 2)
        store(above16MiB, at: Address.memoryAbove16MiB, count: 2)
        store(high, at: Address.memoryAbove4GiB, count: 3)
        var sum: UInt64 = 0
        for address in 0x10...0x2D {
            sum += UInt64(memory[address])
        }
        self[cmos: Address.checksum] = UInt8(truncatingIfNeeded: sum >> 8)
        self[cmos: Address.checksum + 1] = UInt8(truncatingIfNeeded: sum)
    }

    /// Writes a number's lowest bytes, the lowest first.
    private func store(_ value: UInt64, at address: UInt8, count: UInt8) {
        for index in 0..<count {
            self[cmos: address + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))
        }
    }
}

extension RTC.State {
    /// What the shutdown status byte asks of firmware after the processors were reset; nil to boot.
    public var shutdownStatus: RTC.ShutdownStatus? {
        let address = Int(RTC.Address.shutdownStatus)
        return address < memory.count ? RTC.ShutdownStatus(rawValue: memory[address]) : nil
    }
}
