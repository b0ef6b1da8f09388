/// What went wrong when an access to guest-physical memory was refused.
public enum GuestMemoryError: Error, Equatable {
    /// `count` bytes from `address` are not all inside one region of guest RAM.
    case outOfRange(address: UInt64, count: Int)
}

/// One contiguous stretch of guest-physical memory and where the host keeps it.
@safe public struct MemoryRegion {
    /// Guest-physical address of the first byte.
    public let guestAddress: UInt64
    /// The bytes themselves; `bytes.count` is the size of the region.
    @unsafe public let bytes: UnsafeMutableRawBufferPointer

    /// - Parameters:
    ///   - guestAddress: guest-physical address of the first byte.
    ///   - bytes: host memory that stays mapped for as long as the region is used.
    @unsafe public init(guestAddress: UInt64, bytes: UnsafeMutableRawBufferPointer) {
        self.guestAddress = guestAddress
        unsafe self.bytes = bytes
    }

    /// The number of bytes.
    public var size: UInt64 { unsafe UInt64(bytes.count) }

    /// The guest-physical address just past the last byte.
    public var end: UInt64 { guestAddress + size }
}

/// The guest-physical address space: every access is checked against the regions, and one that is not
/// wholly inside a region is an error, never a trap in the monitor.
///
/// The guest changes this memory while the monitor reads it. So read a field once, check the copy, use the copy.
public final class GuestMemory {
    /// The regions, lowest address first; they do not overlap.
    public let regions: [MemoryRegion]

    /// - Parameter regions: non-overlapping regions in any order. Their memory must outlive this object.
    public init(regions: [MemoryRegion]) {
        self.regions = regions.sorted { $0.guestAddress < $1.guestAddress }
    }

    /// The number of bytes of RAM in all regions.
    public var size: UInt64 { regions.reduce(0) { $0 + $1.size } }

    /// The host bytes behind a guest-physical range.
    /// - Parameters:
    ///   - address: guest-physical address of the first byte.
    ///   - count: number of bytes; 0 is allowed anywhere inside a region and at its end.
    @unsafe public func bytes(
        at address: UInt64, count: Int
    ) throws(GuestMemoryError) -> UnsafeMutableRawBufferPointer {
        for region in regions where address >= region.guestAddress {
            let offset = address - region.guestAddress
            if offset <= region.size, count >= 0, UInt64(count) <= region.size - offset {
                let first = Int(offset)
                return unsafe UnsafeMutableRawBufferPointer(rebasing: region.bytes[first..<first + count])
            }
        }
        throw .outOfRange(address: address, count: count)
    }

    /// Whether every byte of the range is RAM in one region.
    public func contains(_ address: UInt64, count: Int) -> Bool {
        do throws(GuestMemoryError) {
            _ = unsafe try bytes(at: address, count: count)
            return true
        } catch {
            return false
        }
    }

    /// Reads a value, in the byte order of the host (little-endian on both of the project's machines).
    public func read<Value: BitwiseCopyable>(
        _ type: Value.Type = Value.self, at address: UInt64
    ) throws(GuestMemoryError) -> Value {
        unsafe try bytes(at: address, count: MemoryLayout<Value>.size).loadUnaligned(as: type)
    }

    /// Writes a value, in the byte order of the host.
    public func write<Value: BitwiseCopyable>(_ value: Value, at address: UInt64) throws(GuestMemoryError) {
        unsafe try bytes(at: address, count: MemoryLayout<Value>.size).storeBytes(of: value, as: Value.self)
    }

    /// Copies an array of bytes into guest memory.
    public func write(_ source: [UInt8], at address: UInt64) throws(GuestMemoryError) {
        let target = unsafe try bytes(at: address, count: source.count)
        unsafe target.copyBytes(from: source)
    }

    /// Copies host bytes into guest memory.
    @unsafe public func write(_ source: UnsafeRawBufferPointer, at address: UInt64) throws(GuestMemoryError) {
        let target = unsafe try bytes(at: address, count: source.count)
        unsafe target.copyMemory(from: source)
    }

    /// Copies `count` bytes out of guest memory.
    public func readBytes(at address: UInt64, count: Int) throws(GuestMemoryError) -> [UInt8] {
        unsafe [UInt8](try bytes(at: address, count: count))
    }
}
