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
        guard let ring = coalescedRing else { return }
        takeCoalescedWrites(ring, from: ring.pointee.first) { write, next in
            take(write)
            ckvm_store_release(&ring.pointee.first, next)
        }
    }

    /// Takes the writes that were gathered from a place in the ring on, and does not give their room back to KVM, which
    /// ``limitCoalescedWrites(to:after:)`` does.
    /// - Parameter place: 0 for a new machine; afterwards, where the next call goes on.
    public borrowing func takeCoalescedWrites(from place: inout UInt32, _ take: (CoalescedWrite) -> Void) {
        guard let ring = coalescedRing else { return }
        takeCoalescedWrites(ring, from: place) { write, next in
            take(write)
            place = next
        }
    }

    /// Whether something was gathered at this place of the ring.
    public borrowing func hasCoalescedWrites(from place: UInt32) -> Bool {
        guard let ring = coalescedRing else { return false }
        return ckvm_load_acquire(&ring.pointee.last) != place
    }

    /// Lets KVM gather no more than so many writes, counted from a place in the ring; the one behind them exits. KVM
    /// may leave off earlier: the ring has 170 places, and Linux before 6.12 takes one that is half full for full.
    /// - Returns: whether KVM heeds it. A ring without any room behind its last place looks empty to Linux before 6.12.
    public borrowing func limitCoalescedWrites(to count: Int, after place: UInt32) -> Bool {
        guard let ring = coalescedRing, place < Self.coalescedRoom else { return false }
        // KVM keeps the place before `first` empty. That `first` is 0 and the last place the empty one, Linux before
        // 6.12 does not see: one less will do, if there is one.
        let wanted = min(UInt32(clamping: count), Self.coalescedRoom - 2)
        var first = (place + 1 + wanted) % Self.coalescedRoom
        if first == 0 {
            if wanted == 0 { return false }
            first = Self.coalescedRoom - 1
        }
        ckvm_store_release(&ring.pointee.first, first)
        return true
    }

    private static var coalescedRoom: UInt32 {
        UInt32((4096 - MemoryLayout<kvm_coalesced_mmio_ring>.size) / MemoryLayout<kvm_coalesced_mmio>.stride)
    }

    /// The ring, where the kernel has one.
    private var coalescedRing: UnsafeMutablePointer<kvm_coalesced_mmio_ring>? {
        // KVM_CHECK_EXTENSION(KVM_CAP_COALESCED_MMIO) answers the ring's page within the mapping; on x86 it has been
        // KVM_COALESCED_MMIO_PAGE_OFFSET ever since. The kernel's ring fills that one page (KVM_COALESCED_MMIO_MAX).
        let pageSize = 4096
        let offset = Int(KVM_COALESCED_MMIO_PAGE_OFFSET) * pageSize
        guard mappingSize >= offset + pageSize else { return nil }
        return (UnsafeMutableRawPointer(shared) + offset).assumingMemoryBound(to: kvm_coalesced_mmio_ring.self)
    }

    private borrowing func takeCoalescedWrites(
        _ ring: UnsafeMutablePointer<kvm_coalesced_mmio_ring>, from first: UInt32,
        _ take: (_ write: CoalescedWrite, _ next: UInt32) -> Void
    ) {
        var first = first
        let last = ckvm_load_acquire(&ring.pointee.last)
        // An index outside the ring is not the kernel's: nothing is read, and the loop below ends.
        guard first < Self.coalescedRoom, last < Self.coalescedRoom else { return }
        while first != last {
            let entry = ckvm_coalesced_entries(ring)[Int(first)]
            let value = withUnsafeBytes(of: entry.data) { $0.load(as: UInt64.self) }
            let width = Int(min(entry.len, 8))
            first = (first + 1) % Self.coalescedRoom
            take(
                CoalescedWrite(
                    address: entry.phys_addr, width: width,
                    value: width == 8 ? value : value & ((1 << (8 * UInt64(width))) - 1),
                    isPort: entry.pio != 0),
                first)
        }
    }
}
