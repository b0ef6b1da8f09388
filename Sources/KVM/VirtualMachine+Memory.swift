internal import CKVM
internal import Glibc

/// What KVM does with a memory slot besides mapping it.
public struct MemorySlotOptions: OptionSet, Sendable {
    public let rawValue: UInt32
    /// - Parameter rawValue: KVM_MEM_ bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// KVM_MEM_LOG_DIRTY_PAGES: remember which pages the guest writes.
    public static let logDirtyPages = MemorySlotOptions(rawValue: 1 << 0)
    /// KVM_MEM_READONLY: the guest's writes come out as MMIO exits.
    public static let readOnly = MemorySlotOptions(rawValue: 1 << 1)
}

extension VirtualMachine {
    /// KVM_SET_USER_MEMORY_REGION: shows host memory to the guest, moves a slot or changes its options.
    /// - Parameters:
    ///   - slot: the slot's number, from 0.
    ///   - guestAddress: guest-physical address, page-aligned.
    ///   - memory: host memory, page-aligned, that stays mapped while the slot stands.
    ///   - options: dirty logging, read-only.
    public borrowing func setMemory(
        slot: UInt32, guestAddress: UInt64, memory: UnsafeMutableRawBufferPointer, options: MemorySlotOptions = []
    ) throws(KVMError) {
        let region = kvm_userspace_memory_region(
            slot: slot, flags: options.rawValue, guest_phys_addr: guestAddress, memory_size: UInt64(memory.count),
            userspace_addr: UInt64(UInt(bitPattern: memory.baseAddress)))
        try descriptor.set(
            .setUserMemoryRegion, region,
            hint: "slot \(slot), \(memory.count) bytes at guest address 0x\(String(guestAddress, radix: 16))")
    }

    /// KVM_SET_USER_MEMORY_REGION with size 0: takes a slot away.
    public borrowing func removeMemory(slot: UInt32) throws(KVMError) {
        var region = kvm_userspace_memory_region()
        region.slot = slot
        try descriptor.set(.setUserMemoryRegion, region)
    }

    /// KVM_GET_DIRTY_LOG: the pages of a slot written since the last call, one bit a page, lowest first.
    ///
    /// Unless KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 is enabled, the call also clears the log.
    /// - Parameter pages: the number of pages in the slot.
    public borrowing func dirtyLog(slot: UInt32, pages: Int) throws(KVMError) -> [UInt64] {
        var bitmap = [UInt64](repeating: 0, count: (pages + 63) / 64)
        let result = bitmap.withUnsafeMutableBytes { bytes in
            var log = kvm_dirty_log()
            log.slot = slot
            log.dirty_bitmap = bytes.baseAddress
            return ckvm_call_with(descriptor.number, Request.getDirtyLog.number, &log)
        }
        guard result >= 0 else { throw Request.getDirtyLog.error(result) }
        return bitmap
    }

    /// KVM_CLEAR_DIRTY_LOG: clears and protects again the pages whose bits are set.
    /// - Parameters:
    ///   - firstPage: the page of the bitmap's first bit, a multiple of 64.
    ///   - pages: how many pages, a multiple of 64 unless they reach the slot's end.
    ///   - bitmap: one bit a page.
    public borrowing func clearDirtyLog(
        slot: UInt32, firstPage: UInt64, pages: Int, bitmap: [UInt64]
    ) throws(KVMError) {
        guard bitmap.count >= (pages + 63) / 64 else {
            throw KVMError(operation: "KVM_CLEAR_DIRTY_LOG", errno: EINVAL, hint: "the bitmap is too short")
        }
        var copy = bitmap
        let result = copy.withUnsafeMutableBytes { bytes in
            var log = kvm_clear_dirty_log()
            log.slot = slot
            log.first_page = firstPage
            log.num_pages = UInt32(pages)
            log.dirty_bitmap = bytes.baseAddress
            return ckvm_call_with(descriptor.number, Request.clearDirtyLog.number, &log)
        }
        guard result >= 0 else { throw Request.clearDirtyLog.error(result) }
    }

    /// KVM_SET_TSS_ADDR: three pages of guest-physical space that Intel's KVM uses for real mode; before any vCPU.
    public borrowing func setTSSAddress(_ address: UInt64) throws(KVMError) {
        try descriptor.call(.setTSSAddress, UInt(address))
    }

    /// KVM_SET_IDENTITY_MAP_ADDR: one page, likewise; before any vCPU.
    public borrowing func setIdentityMapAddress(_ address: UInt64) throws(KVMError) {
        try descriptor.set(.setIdentityMapAddress, address)
    }

    /// KVM_REGISTER_COALESCED_MMIO: writes to the range are gathered in a ring instead of exiting one by one
    /// (see ``VirtualCPU/takeCoalescedWrites(_:)``).
    /// - Parameter isPort: the range is in the port address space (KVM_CAP_COALESCED_PIO).
    public borrowing func coalesceWrites(address: UInt64, size: UInt32, isPort: Bool) throws(KVMError) {
        try descriptor.set(.registerCoalescedMMIO, coalescedZone(address, size, isPort))
    }

    /// KVM_UNREGISTER_COALESCED_MMIO.
    public borrowing func stopCoalescingWrites(address: UInt64, size: UInt32, isPort: Bool) throws(KVMError) {
        try descriptor.set(.unregisterCoalescedMMIO, coalescedZone(address, size, isPort))
    }

    private borrowing func coalescedZone(
        _ address: UInt64, _ size: UInt32, _ isPort: Bool
    ) -> kvm_coalesced_mmio_zone {
        var zone = kvm_coalesced_mmio_zone()
        zone.addr = address
        zone.size = size
        zone.pio = isPort ? 1 : 0
        return zone
    }
}
