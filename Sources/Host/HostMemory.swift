internal import CHost
internal import Glibc
public import GuestMemory

/// Guest RAM as the host keeps it, handed to KVM as memory slots and to `GuestMemory` as regions.
///
/// Nothing is set aside when it is made: memory costs the host from its first use on. It is memory of this process
/// alone and not a file's, because only then Linux backs it by huge pages from the first touch on: unless
/// `/sys/kernel/mm/transparent_hugepage/enabled` is `never`, while for files the default is `never`. A guest's first
/// touch of a page is an exit to the host's kernel, and with huge pages there are 512 times fewer.
public final class HostMemory: @unchecked Sendable {
    // Unchecked: all stored properties are constants. The bytes are shared with the guest by design, and
    // `GuestMemory` says how to read them.

    /// The first byte; a multiple of `hugePageSize`.
    public let base: UnsafeMutableRawPointer
    /// The number of bytes.
    public let size: UInt64
    /// The granularity of guest RAM and of the host's ordinary pages, in bytes.
    public static let pageSize: UInt64 = 4096
    /// The size of the pages that a second-level x86-64 page-table entry maps, in bytes.
    public static let hugePageSize: UInt64 = 2 << 20

    /// All the bytes.
    public var bytes: UnsafeMutableRawBufferPointer { .init(start: base, count: Int(size)) }

    /// Makes zero-filled guest RAM.
    /// - Parameter size: bytes; a multiple of 4096, not 0, and at most the host's RAM and swap together.
    public init(size: UInt64) throws(HostError) {
        let amount = "\(ByteCount(size)) of guest memory"
        guard size > 0, size % HostMemory.pageSize == 0 else {
            throw HostError(
                "set up", amount, because: "the size is not a multiple of 4096 bytes",
                hint: "give a whole number of MiB")
        }
        // The mapping promises nothing, so the host would only find out while the guest runs, and then kill it.
        let available = HostMemory.hostCapacity()
        guard size <= available else {
            throw HostError(
                "set up", amount, because: "this host has \(ByteCount(available)) of RAM and swap",
                hint: "give the guest less memory")
        }
        base = try HostMemory.map(size: Int(size), amount: amount)
        self.size = size
        // Advice only: a kernel without one of them runs the guest all the same.
        _ = madvise(base, Int(size), Int32(MADV_HUGEPAGE))
        _ = madvise(base, Int(size), Int32(MADV_DONTDUMP))
    }

    deinit {
        munmap(base, Int(size))
    }

    /// The host's RAM and swap together, in bytes: sysinfo(2).
    public static func hostCapacity() -> UInt64 {
        let capacity = chost_host_capacity()
        return capacity == 0 ? .max : capacity
    }

    /// Maps memory at a multiple of 2 MiB, where the host can back it by huge pages.
    private static func map(size: Int, amount: String) throws(HostError) -> UnsafeMutableRawPointer {
        let alignment = Int(hugePageSize)
        // mmap has no alignment argument: map enough to find an aligned address in it, then give the rest back.
        let reserved = size + alignment
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let reservation = mmap(nil, reserved, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard let reservation, reservation != MAP_FAILED else {
            throw HostError("map", amount, errno: errno, hint: "check the address space limit (ulimit -v)")
        }
        let aligned = reservation.alignedUp(toMultipleOf: alignment)
        let before = aligned - reservation
        if before > 0 { munmap(reservation, before) }
        // size and reserved are multiples of the page size, and so is the address: the tail is whole pages.
        let after = reserved - before - size
        if after > 0 { munmap(aligned + size, after) }
        return aligned
    }
}

extension HostMemory {
    /// The memory as guest-physical regions: from 0 up to the hole below 4 GiB, and the rest from 4 GiB on.
    /// - Parameter holeStart: guest-physical address where the hole for devices begins; a multiple of 4096, at
    ///   most 4 GiB. Make it a multiple of 2 MiB, or the upper region cannot be mapped by huge pages.
    /// - Returns: one or two regions, in the order in which they lie in the mapping. They are usable only as
    ///   long as this object lives.
    public func regions(holeStart: UInt64) -> [MemoryRegion] {
        precondition(holeStart % HostMemory.pageSize == 0 && holeStart > 0 && holeStart <= 1 << 32)
        let lowSize = min(size, holeStart)
        let low = MemoryRegion(guestAddress: 0, bytes: .init(start: base, count: Int(lowSize)))
        guard size > lowSize else { return [low] }
        let high = UnsafeMutableRawBufferPointer(start: base + Int(lowSize), count: Int(size - lowSize))
        return [low, MemoryRegion(guestAddress: 1 << 32, bytes: high)]
    }
}
