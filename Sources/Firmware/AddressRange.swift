/// A stretch of guest-physical addresses: `start` is in it, `end` is the first one past it.
public struct AddressRange: Equatable, Sendable {
    /// The first address.
    public let start: UInt64
    /// The address just past the last one; never below `start`.
    public let end: UInt64

    /// The range between two addresses; empty when `end` is not above `start`.
    public init(start: UInt64, end: UInt64) {
        self.start = start
        self.end = max(start, end)
    }

    /// The range of `size` bytes from `start`, or nil when it would pass the last 64-bit address.
    public init?(start: UInt64, size: UInt64) {
        let (end, overflow) = start.addingReportingOverflow(size)
        if overflow { return nil }
        self.start = start
        self.end = end
    }

    /// The number of bytes.
    public var size: UInt64 { end - start }

    /// Whether there is no address in it.
    public var isEmpty: Bool { start == end }

    /// Whether `address` is one of its addresses.
    public func contains(_ address: UInt64) -> Bool { address >= start && address < end }

    /// Whether every address of `other` is in this range; an empty `other` must still start inside or at the end.
    public func contains(_ other: AddressRange) -> Bool { other.start >= start && other.end <= end }

    /// Whether the two ranges share an address.
    public func overlaps(_ other: AddressRange) -> Bool {
        !isEmpty && !other.isEmpty && start < other.end && other.start < end
    }
}

extension UInt64 {
    /// The next multiple of `alignment` (a power of two) that is not below this value, or nil past the last one.
    public func alignedUp(to alignment: UInt64) -> UInt64? {
        let mask = alignment &- 1
        let (sum, overflow) = addingReportingOverflow(mask)
        return overflow ? nil : sum & ~mask
    }

    /// The last multiple of `alignment` (a power of two) that is not above this value.
    public func alignedDown(to alignment: UInt64) -> UInt64 { self & ~(alignment &- 1) }
}
