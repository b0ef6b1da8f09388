internal import CKVM

/// A write that KVM gathered instead of leaving KVM_RUN.
public struct CoalescedWrite: Equatable, Sendable {
    /// Guest-physical address or port.
    public let address: UInt64
    /// Bytes: 1, 2, 4 or 8.
    public let width: Int
    /// The value in the low `width` bytes.
    public let value: UInt64
    /// Whether `address` is a port.
    public let isPort: Bool

    /// - Parameters:
    ///   - address: guest-physical address or port.
    ///   - width: bytes.
    ///   - value: the value in the low `width` bytes.
    ///   - isPort: whether `address` is a port.
    public init(address: UInt64, width: Int, value: UInt64, isPort: Bool) {
        self.address = address
        self.width = width
        self.value = value
        self.isPort = isPort
    }
}

extension VirtualCPU {
    /// Takes the writes that were gathered since the last call, oldest first (KVM_CAP_COALESCED_MMIO and
    /// KVM_CAP_COALESCED_PIO, section 4.116). To keep the guest's order, call it before an exit is handled.
    ///
    /// All vCPUs of a machine share one ring. It does not matter which of them takes, but two must not take at the
    /// same time.
    public borrowing func takeCoalescedWrites(_ take: (CoalescedWrite) -> Void) {
        // KVM_CHECK_EXTENSION(KVM_CAP_COALESCED_MMIO) answers the ring's page within the mapping; on x86 it has been
        // KVM_COALESCED_MMIO_PAGE_OFFSET ever since. The kernel's ring fills that one page (KVM_COALESCED_MMIO_MAX).
        let pageSize = 4096
        let offset = Int(KVM_COALESCED_MMIO_PAGE_OFFSET) * pageSize
        guard mappingSize >= offset + pageSize else { return }
        let ring = (UnsafeMutableRawPointer(shared) + offset).assumingMemoryBound(to: kvm_coalesced_mmio_ring.self)
        let room = UInt32(
            (pageSize - MemoryLayout<kvm_coalesced_mmio_ring>.size) / MemoryLayout<kvm_coalesced_mmio>.stride)
        var first = ring.pointee.first
        let last = ckvm_load_acquire(&ring.pointee.last)
        // An index outside the ring is not the kernel's: nothing is read, and the loop below ends.
        guard first < room, last < room else { return }
        while first != last {
            let entry = ckvm_coalesced_entries(ring)[Int(first)]
            let value = withUnsafeBytes(of: entry.data) { $0.load(as: UInt64.self) }
            let width = Int(min(entry.len, 8))
            take(
                CoalescedWrite(
                    address: entry.phys_addr, width: width,
                    value: width == 8 ? value : value & ((1 << (8 * UInt64(width))) - 1),
                    isPort: entry.pio != 0))
            first = (first + 1) % room
            ckvm_store_release(&ring.pointee.first, first)
        }
    }
}
