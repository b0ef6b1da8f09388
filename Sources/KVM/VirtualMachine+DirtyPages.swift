internal import CKVM
internal import Glibc

extension VirtualMachine {
    /// KVM_GET_DIRTY_LOG (section 4.8): the pages of a slot written since the last call, one bit a page, lowest first.
    ///
    /// Unless KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 is enabled, the call also clears the log.
    /// - Parameters:
    ///   - slot: a slot with ``MemorySlotOptions/logDirtyPages``; another has no log (ENOENT).
    ///   - pages: the number of pages in the slot, as the kernel writes that many bits; too few are EFAULT.
    public borrowing func dirtyLog(slot: UInt32, pages: Int) throws(KVMError) -> [UInt64] {
        let words = try Self.words(ofPages: pages, operation: "KVM_GET_DIRTY_LOG")
        let bitmap = try GuardedBuffer(count: words * 8, operation: "KVM_GET_DIRTY_LOG")
        var log = kvm_dirty_log()
        log.slot = slot
        log.dirty_bitmap = bitmap.bytes.baseAddress
        let result = ckvm_call_with(descriptor.number, Request.getDirtyLog.number, &log)
        guard result >= 0 else { throw Request.getDirtyLog.error(result, hint: Self.dirtyHint(-result, slot, pages)) }
        return Array(bitmap.bytes.bindMemory(to: UInt64.self))
    }

    /// KVM_CLEAR_DIRTY_LOG (section 4.117): clears and protects again the pages whose bits are set.
    /// - Parameters:
    ///   - slot: a slot with ``MemorySlotOptions/logDirtyPages``.
    ///   - firstPage: the page of the bitmap's first bit, a multiple of 64.
    ///   - pages: how many pages, a multiple of 64 unless they reach the slot's end.
    ///   - bitmap: one bit a page.
    public borrowing func clearDirtyLog(
        slot: UInt32, firstPage: UInt64, pages: Int, bitmap: [UInt64]
    ) throws(KVMError) {
        guard
            let count = UInt32(exactly: pages),
            bitmap.count >= (try Self.words(ofPages: pages, operation: "KVM_CLEAR_DIRTY_LOG"))
        else {
            throw KVMError(
                operation: "KVM_CLEAR_DIRTY_LOG", errno: EINVAL, hint: "\(pages) pages do not fit the bitmap")
        }
        var copy = bitmap
        let result = copy.withUnsafeMutableBytes { bytes in
            var log = kvm_clear_dirty_log()
            log.slot = slot
            log.first_page = firstPage
            log.num_pages = count
            log.dirty_bitmap = bytes.baseAddress
            return ckvm_call_with(descriptor.number, Request.clearDirtyLog.number, &log)
        }
        guard result >= 0 else { throw Request.clearDirtyLog.error(result, hint: Self.dirtyHint(-result, slot, pages)) }
    }

    /// KVM_CAP_DIRTY_LOG_RING (section 8.29): from now on each vCPU tells the pages it writes, in slots with
    /// ``MemorySlotOptions/logDirtyPages``, through a ring of its own. Before any vCPU; it excludes
    /// ``dirtyLog(slot:pages:)``.
    /// - Parameter entries: of each ring, a power of two; `check(.dirtyLogRing)` answers the most bytes, 16 an entry.
    public borrowing func enableDirtyRings(entries: UInt32) throws(KVMError) {
        try enable(.dirtyLogRing, UInt64(entries) * UInt64(MemoryLayout<kvm_dirty_gfn>.stride))
    }

    /// KVM_RESET_DIRTY_RINGS (section 8.29): gives the entries that were taken back to the kernel, which protects
    /// their pages again.
    /// - Returns: how many entries, of all vCPUs.
    @discardableResult
    public borrowing func resetDirtyRings() throws(KVMError) -> Int {
        Int(try descriptor.call(.resetDirtyRings))
    }

    private static func words(ofPages pages: Int, operation: String) throws(KVMError) -> Int {
        guard pages >= 0, pages <= Int(UInt32.max) else {
            throw KVMError(operation: operation, errno: EINVAL, hint: "a slot cannot have \(pages) pages")
        }
        return (pages + 63) / 64
    }

    private static func dirtyHint(_ errno: Int32, _ slot: UInt32, _ pages: Int) -> String {
        switch errno {
        case ENOENT: "slot \(slot) does not exist or does not log its dirty pages"
        case EFAULT: "slot \(slot) has more than \(pages) pages"
        case ENXIO: "the dirty rings are on"
        default: ""
        }
    }
}

/// A page that a vCPU wrote (`struct kvm_dirty_gfn`).
public struct DirtyPage: Hashable, Sendable {
    /// The memory slot.
    public let slot: UInt32
    /// The page's number within the slot.
    public let page: UInt64
    /// Names a page of a slot.
    public init(slot: UInt32, page: UInt64) {
        self.slot = slot
        self.page = page
    }
}

/// The pages that one vCPU wrote (KVM_CAP_DIRTY_LOG_RING; section 8.29): mapped from the vCPU, and unmapped when its
/// owner goes.
///
/// Its methods belong to one thread, not necessarily the vCPU's.
public struct DirtyRing: ~Copyable {
    private let entries: UnsafeMutablePointer<kvm_dirty_gfn>
    private let count: Int
    private var position = 0

    init(descriptor: Int32, entries count: UInt32) throws(KVMError) {
        let operation = "mmap of a vCPU's dirty ring"
        guard count > 0, count & (count - 1) == 0 else {
            throw KVMError(operation: operation, errno: EINVAL, hint: "\(count) entries are not a power of two")
        }
        let bytes = Int(count) * MemoryLayout<kvm_dirty_gfn>.stride
        let offset = Int(KVM_DIRTY_LOG_PAGE_OFFSET) * 4096
        guard
            let mapping = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, offset),
            mapping != MAP_FAILED
        else {
            throw KVMError(operation: operation, errno: errno)
        }
        // mmap itself takes any size, and a page that is not there is SIGBUS when it is touched: touch all of them by
        // MADV_POPULATE_READ (22), which answers EFAULT instead.
        guard madvise(mapping, bytes, 22) == 0 else {
            let error = KVMError(
                operation: operation, errno: errno, hint: "the dirty rings are not enabled with \(count) entries")
            munmap(mapping, bytes)
            throw error
        }
        entries = mapping.bindMemory(to: kvm_dirty_gfn.self, capacity: Int(count))
        self.count = Int(count)
    }

    deinit {
        munmap(entries, count * MemoryLayout<kvm_dirty_gfn>.stride)
    }

    /// Takes the pages written since the last call, oldest first, each at least once.
    ///
    /// They stay in the ring until ``VirtualMachine/resetDirtyRings()``; do both on ``VMExit/dirtyRingFull``.
    public mutating func take(_ take: (DirtyPage) -> Void) {
        // A ring's worth at most, whatever the flags say.
        for _ in 0..<count {
            let entry = entries + position
            guard ckvm_load_acquire(&entry.pointee.flags) & UInt32(KVM_DIRTY_GFN_F_MASK) == 1 else { return }
            take(DirtyPage(slot: entry.pointee.slot, page: entry.pointee.offset))
            // KVM_DIRTY_GFN_F_RESET: the kernel may have it back.
            ckvm_store_release(&entry.pointee.flags, 1 << 1)
            position = (position + 1) % count
        }
    }
}

extension VirtualCPU {
    /// Maps the ring of the pages that this vCPU writes (section 8.29), at most once a vCPU.
    /// - Parameter entries: as given to ``VirtualMachine/enableDirtyRings(entries:)``.
    public borrowing func makeDirtyRing(entries: UInt32) throws(KVMError) -> DirtyRing {
        try DirtyRing(descriptor: descriptor.number, entries: entries)
    }
}
