internal import CHost
internal import Glibc
public import GuestMemory

/// Guest RAM as the host keeps it, handed to KVM as memory slots and to `GuestMemory` as regions.
///
/// Nothing is set aside when it is made: a page costs the host memory from its first use on.
public final class HostMemory: @unchecked Sendable {
    // Unchecked: all stored properties are constants. The bytes are shared with the guest by design, and
    // `GuestMemory` says how to read them.

    /// The first byte; a multiple of `hugePageSize`.
    public let base: UnsafeMutableRawPointer
    /// The number of bytes.
    public let size: UInt64
    /// Whether huge pages can be had depends on it.
    public let backing: Backing
    private let file: OwnedDescriptor

    /// What the mapping is made of.
    public enum Backing: Equatable, Sendable {
        /// A memfd, mapped shared: another process can have the RAM by its descriptor (a device in a process of
        /// its own, a snapshot). Linux backs it by huge pages only if the administrator allows them for shared
        /// memory (`/sys/kernel/mm/transparent_hugepage/shmem_enabled`: `advise`, `within_size` or `always`); the
        /// default is `never`, and recent kernels hold to it even for `collapse`.
        case sharedFile
        /// Memory of this process alone. Linux backs it by huge pages from the first touch on, unless
        /// `/sys/kernel/mm/transparent_hugepage/enabled` is `never`; the default is `always` or `madvise`.
        case privateMemory
    }

    /// The granularity of guest RAM and of the host's ordinary pages, in bytes.
    public static let pageSize: UInt64 = 4096
    /// The size of the pages that a second-level x86-64 page-table entry maps, in bytes.
    public static let hugePageSize: UInt64 = 2 << 20

    /// The memfd behind the mapping, sealed against changes of its size; -1 for `privateMemory`. It is closed with
    /// this object.
    public var descriptor: Int32 { file.rawValue }

    /// All the bytes.
    public var bytes: UnsafeMutableRawBufferPointer { .init(start: base, count: Int(size)) }

    /// Makes zero-filled guest RAM.
    /// - Parameters:
    ///   - size: bytes; a multiple of 4096, not 0, and at most the host's RAM and swap together.
    ///   - backing: what the mapping is made of.
    public init(size: UInt64, backing: Backing = .sharedFile) throws(HostError) {
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
        let file =
            switch backing {
            case .sharedFile: try HostMemory.makeFile(size: size, amount: amount)
            case .privateMemory: OwnedDescriptor(owning: -1)
            }
        base = try HostMemory.map(file.rawValue, size: Int(size), amount: amount)
        self.file = file
        self.size = size
        self.backing = backing
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

    /// An anonymous file of the given size that can neither grow nor shrink.
    private static func makeFile(size: UInt64, amount: String) throws(HostError) -> OwnedDescriptor {
        let flags = UInt32(CHOST_MFD_CLOEXEC)
        // Since Linux 6.3 an administrator may insist on MFD_NOEXEC_SEAL; older kernels refuse it.
        var number = chost_memfd_create("guest-memory", flags | UInt32(CHOST_MFD_NOEXEC_SEAL))
        if number == -EINVAL {
            number = chost_memfd_create("guest-memory", flags | UInt32(CHOST_MFD_ALLOW_SEALING))
        }
        guard number >= 0 else {
            throw HostError("make a file for", amount, errno: -number, hint: "this needs memfd_create(2)")
        }
        let file = OwnedDescriptor(owning: number)
        guard let length = off_t(exactly: size), ftruncate(file.rawValue, length) == 0 else {
            throw HostError("reserve", amount, errno: errno, hint: "check the file size limit (ulimit -f)")
        }
        // Whoever the descriptor is passed to cannot take pages away from under the guest. A kernel that
        // does not seal still runs it.
        let seals = CHOST_F_SEAL_SHRINK | CHOST_F_SEAL_GROW | CHOST_F_SEAL_SEAL
        _ = fcntl(file.rawValue, Int32(CHOST_F_ADD_SEALS), Int32(seals))
        return file
    }

    /// Maps the file at a multiple of 2 MiB, where the host can back it by huge pages.
    private static func map(
        _ descriptor: Int32, size: Int, amount: String
    ) throws(HostError) -> UnsafeMutableRawPointer {
        let hint = "check the address space limit (ulimit -v)"
        let alignment = Int(hugePageSize)
        // mmap has no alignment argument: reserve enough to find an aligned address, then give the rest back.
        let reserved = size + alignment
        let reservation = mmap(nil, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let reservation, reservation != MAP_FAILED else {
            throw HostError("find address space for", amount, errno: errno, hint: hint)
        }
        let aligned = reservation.alignedUp(toMultipleOf: alignment)
        let sharing = descriptor >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS
        let mapping = mmap(
            aligned, size, PROT_READ | PROT_WRITE, sharing | MAP_NORESERVE | MAP_FIXED, descriptor, 0)
        guard let mapping, mapping != MAP_FAILED else {
            let reason = errno
            munmap(reservation, reserved)
            throw HostError("map", amount, errno: reason, hint: hint)
        }
        let before = aligned - reservation
        if before > 0 { munmap(reservation, before) }
        // size and reserved are multiples of the page size, and so is the address: the tail is whole pages.
        let after = reserved - before - size
        if after > 0 { munmap(aligned + size, after) }
        return mapping
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

    /// What `collapse` achieved.
    public struct Collapse: Equatable, Sendable {
        /// Bytes of the range that huge pages now back.
        public let backed: UInt64
        /// Bytes of the range, rounded out to huge pages, that were asked for.
        public let asked: UInt64
        /// The `errno` value of the last huge page that was refused; nil when there was none.
        /// EINVAL: the kernel is older than 6.1, or may not do it for this `backing`. ENOMEM: no free huge page.
        public let refusal: Int32?
    }

    /// Backs a range by huge pages now (MADV_COLLAPSE, Linux 6.1), where the host can.
    ///
    /// A guest's first touch of a page is an exit to the host's kernel; with huge pages there are 512 times fewer.
    /// It costs the host the whole range at once, so ask for what the guest will certainly use. Whether it can be
    /// had depends on `backing`.
    /// - Parameter range: bytes from `base`, rounded outwards to 2 MiB; what lies outside the memory is left out.
    public func collapse(_ range: Range<UInt64>) -> Collapse {
        let step = HostMemory.hugePageSize
        let start = min(range.lowerBound, size) / step * step
        let lastWhole = size / step * step
        let end = range.isEmpty ? start : min((min(range.upperBound, size) + step - 1) / step * step, lastWhole)
        guard start < end else { return Collapse(backed: 0, asked: 0, refusal: nil) }
        var backed: UInt64 = 0
        var refusal: Int32?
        for offset in stride(from: start, to: end, by: Int(step)) {
            // The kernel refuses an extent without any page as truncated, so the first page is made before.
            let page = base + Int(offset)
            chost_touch(page)
            if madvise(page, Int(step), Int32(CHOST_MADV_COLLAPSE)) == 0 {
                backed += step
            } else {
                refusal = errno
                if errno == EINVAL { break }
            }
        }
        return Collapse(backed: backed, asked: end - start, refusal: refusal)
    }
}
