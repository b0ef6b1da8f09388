/// A device whose registers are single bytes, as on the ISA bus.
///
/// A wider access is what the bus makes of it for an 8-bit device: one byte after the other, lowest address first.
public protocol ByteDevice: Device {
    /// Reads the register at `offset` bytes from the device's first address; one that does not exist reads 0xFF.
    func readByte(offset: UInt64) -> UInt8
    /// Writes the register at `offset` bytes from the device's first address; one that does not exist ignores it.
    func writeByte(_ byte: UInt8, offset: UInt64)
}

extension ByteDevice {
    /// Reads 1, 2, 4 or 8 bytes, the lowest address first.
    public func read(offset: UInt64, width: AccessWidth) -> UInt64 {
        readBytes(offset: offset, width: width)
    }

    /// Writes 1, 2, 4 or 8 bytes, the lowest address first.
    public func write(_ value: UInt64, offset: UInt64, width: AccessWidth) {
        writeBytes(value, offset: offset, width: width)
    }

    /// What `read` does where a device does not do it otherwise for some of its registers.
    func readBytes(offset: UInt64, width: AccessWidth) -> UInt64 {
        if width == 1 {
            return UInt64(readByte(offset: offset))
        }
        var value: UInt64 = 0
        for index in 0..<UInt64(clamping: min(width, 8)) {
            value |= UInt64(readByte(offset: offset &+ index)) << (8 * index)
        }
        return value
    }

    /// What `write` does where a device does not do it otherwise for some of its registers.
    func writeBytes(_ value: UInt64, offset: UInt64, width: AccessWidth) {
        if width == 1 {
            writeByte(UInt8(truncatingIfNeeded: value), offset: offset)
            return
        }
        for index in 0..<UInt64(clamping: min(width, 8)) {
            writeByte(UInt8(truncatingIfNeeded: value >> (8 * index)), offset: offset &+ index)
        }
    }
}
