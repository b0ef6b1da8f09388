internal import CKVM

/// What KVM does with a memory slot besides mapping it.
public struct MemorySlotOptions: OptionSet, Sendable {
    /// The bits as KVM defines them.
    public let rawValue: UInt32
    /// - Parameter rawValue: KVM_MEM_ bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// KVM_MEM_LOG_DIRTY_PAGES: remember which pages the guest writes.
    public static let logDirtyPages = MemorySlotOptions(rawValue: 1 << 0)
    /// KVM_MEM_READONLY: the guest's writes come out as MMIO exits.
    public static let readOnly = MemorySlotOptions(rawValue: 1 << 1)
}

extension VirtualMachine {
    /// KVM_SET_USER_MEMORY_REGION (section 4.35): shows host memory to the guest, moves a slot or changes its options.
    /// - Parameters:
    ///   - slot: the slot's number, from 0.
    ///   - guestAddress: guest-physical address, page-aligned.
    ///   - memory: host memory, page-aligned, that stays mapped while the slot stands. A slot cannot be resized.
    ///   - options: dirty logging, read-only.
    public borrowing func setMemory(
        slot: UInt32, guestAddress: UInt64, memory: UnsafeMutableRawBufferPointer, options: MemorySlotOptions = []
    ) throws(KVMError) {
        let region = kvm_userspace_memory_region(
            slot: slot, flags: options.rawValue, guest_phys_addr: guestAddress, memory_size: UInt64(memory.count),
            userspace_addr: UInt64(UInt(bitPattern: memory.baseAddress)))
        try descriptor.set(
            .setUserMemoryRegion, region,
            hint: "slot \(slot), \(memory.count) bytes at guest address 0x\(String(guestAddress, radix: 16)): "
                + "addresses and size must be multiples of 4096, and slots must not overlap")
    }

    /// KVM_SET_USER_MEMORY_REGION with size 0 (section 4.35): takes a slot away.
    public borrowing func removeMemory(slot: UInt32) throws(KVMError) {
        var region = kvm_userspace_memory_region()
        region.slot = slot
        try descriptor.set(.setUserMemoryRegion, region, hint: "there is no slot \(slot)")
    }

    /// KVM_SET_TSS_ADDR (section 4.36): three pages of guest-physical space, below 4 GiB and in no slot, that KVM on
    /// Intel uses for real mode; before any vCPU runs. KVM on AMD takes it and does not use it.
    public borrowing func setTSSAddress(_ address: UInt64) throws(KVMError) {
        try descriptor.call(.setTSSAddress, UInt(address), hint: "three pages below 4 GiB are needed")
    }

    /// KVM_SET_IDENTITY_MAP_ADDR (section 4.40): one page, likewise; before any vCPU is made. 0 is 0xFFFBC000.
    public borrowing func setIdentityMapAddress(_ address: UInt64) throws(KVMError) {
        try descriptor.set(.setIdentityMapAddress, address, hint: "it must be set before the first vCPU is made")
    }

    /// KVM_REGISTER_COALESCED_MMIO (section 4.116): writes to the range are gathered in a ring instead of exiting one by one
    /// (see ``VirtualCPU/takeCoalescedWrites(_:)``).
    /// - Parameter isPort: the range is in the port address space (KVM_CAP_COALESCED_PIO).
    public borrowing func coalesceWrites(address: UInt64, size: UInt32, isPort: Bool) throws(KVMError) {
        try descriptor.set(.registerCoalescedMMIO, coalescedZone(address, size, isPort))
    }

    /// KVM_UNREGISTER_COALESCED_MMIO (section 4.116): takes away the ranges that lie within this one.
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
