/// The number of bytes of one access to a device register: 1, 2, 4 or 8.
public typealias AccessWidth = Int

/// What the bus needs of a device: registers that are read and written by offset.
///
/// A device does not know its address. It never fails: what a guest does wrong ends in the way the real device
/// ends it (an ignored write, a status bit, all bits set). The caller makes sure that one thread at a time is
/// inside a device.
public protocol Device: AnyObject {
    /// Reads a register.
    /// - Parameters:
    ///   - offset: bytes from the device's first address.
    ///   - width: 1, 2, 4 or 8 bytes.
    /// - Returns: the value in the low `width` bytes.
    func read(offset: UInt64, width: AccessWidth) -> UInt64

    /// Writes a register.
    /// - Parameters:
    ///   - value: the value, in the low `width` bytes; the others are 0.
    ///   - offset: bytes from the device's first address.
    ///   - width: 1, 2, 4 or 8 bytes.
    func write(_ value: UInt64, offset: UInt64, width: AccessWidth)

    /// Reads the same register several times, as a string instruction (REP INS) does.
    /// - Parameters:
    ///   - offset: bytes from the device's first address.
    ///   - width: 1, 2 or 4 bytes.
    ///   - target: where the values go, one after the other: a multiple of `width` bytes.
    func readItems(offset: UInt64, width: AccessWidth, into target: inout MutableRawSpan)

    /// Writes the same register several times, as a string instruction (REP OUTS) does.
    /// - Parameters:
    ///   - source: the values, one after the other: a multiple of `width` bytes.
    ///   - offset: bytes from the device's first address.
    ///   - width: 1, 2 or 4 bytes.
    func writeItems(_ source: RawSpan, offset: UInt64, width: AccessWidth)
}

extension Device {
    /// Reads item by item.
    public func readItems(offset: UInt64, width: AccessWidth, into target: inout MutableRawSpan) {
        readEachItem(offset: offset, width: width, into: &target, from: 0)
    }

    /// Writes item by item.
    public func writeItems(_ source: RawSpan, offset: UInt64, width: AccessWidth) {
        writeEachItem(source, offset: offset, width: width)
    }

    /// Fills what a device has not filled otherwise, from a byte of the target on.
    func readEachItem(offset: UInt64, width: AccessWidth, into target: inout MutableRawSpan, from first: Int) {
        var place = first
        while place < target.byteCount {
            let value = read(offset: offset, width: width)
            for index in 0..<min(width, target.byteCount - place) {
                target.storeBytes(
                    of: UInt8(truncatingIfNeeded: value >> UInt64(8 * index)), toByteOffset: place + index,
                    as: UInt8.self)
            }
            place += width
        }
    }

    /// Writes each item of a string.
    func writeEachItem(_ source: RawSpan, offset: UInt64, width: AccessWidth) {
        var place = 0
        while place < source.byteCount {
            var value: UInt64 = 0
            for index in 0..<min(width, source.byteCount - place) {
                value |=
                    UInt64(unsafe source.unsafeLoad(fromByteOffset: place + index, as: UInt8.self)) << UInt64(8 * index)
            }
            write(value, offset: offset, width: width)
            place += width
        }
    }
}

/// One interrupt wire. Level-triggered users raise and lower it; edge-triggered ones pulse it.
public protocol InterruptLine: AnyObject {
    /// Sets the wire to its active level.
    func raise()
    /// Sets the wire to its inactive level.
    func lower()
}

extension InterruptLine {
    /// One edge: raise, then lower.
    public func pulse() {
        raise()
        lower()
    }
}

/// Where a serial device's characters go: a terminal, a file, a test's array.
public protocol CharacterPort: AnyObject {
    /// Takes one character that the guest sent.
    func transmit(_ byte: UInt8)
}

/// Time as the host has it.
public protocol Clock: AnyObject {
    /// A monotonic count of nanoseconds.
    var nanoseconds: UInt64 { get }
    /// Seconds since 1970-01-01 00:00:00 UTC.
    var secondsSince1970: UInt64 { get }
}

/// What a guest asks of the board by writing a register: to end, to restart, to switch off.
public enum BoardRequest: Equatable, Sendable {
    /// Reset the whole machine (port 0xCF9's hard reset, ACPI reset register).
    case reset
    /// Reset the processors; memory keeps its contents (keyboard controller 0xFE, port 0x92, port 0xCF9's soft reset).
    case processorReset
    /// Switch the machine off (ACPI S5).
    case powerOff
    /// End the monitor with this exit status (debug-exit port).
    case exit(status: UInt8)
}

/// The board's own ear for requests that end or restart the machine.
public protocol Board: AnyObject {
    /// Takes the request. It returns at once; the machine acts on it when the current exit has been handled.
    func request(_ request: BoardRequest)
}
