internal import GuestMemory
internal import Synchronization

/// The memory of a split virtqueue, as driver and device share it (virtio 1.2, section 2.7): the descriptor table, the
/// available ring, which the driver writes, and the used ring, which the device writes.
///
/// Both sides may run at the same time, and the other one may be hostile: each field is read once, by one load, and
/// what it says is checked by whoever reads it. Indices into the rings are taken modulo their size here.
@safe struct SplitRings {
    /// How many descriptors there are, and entries of each ring: a power of two, at most 32,768.
    let size: UInt16
    private let descriptors: UnsafeMutableRawPointer
    private let available: UnsafeMutableRawPointer
    private let used: UnsafeMutableRawPointer

    /// The rings at guest-physical addresses; nil when they may not be there: the size is no power of two, an area is
    /// not aligned (section 2.7: 16, 2 and 4 bytes), or not wholly in one region of RAM.
    init?(memory: GuestMemory, size: UInt16, descriptorArea: UInt64, driverArea: UInt64, deviceArea: UInt64) {
        guard size > 0, size <= 1 << 15, size.nonzeroBitCount == 1,
            let descriptors = unsafe Self.area(memory, descriptorArea, count: 16 * Int(size), alignment: 16),
            let available = unsafe Self.area(memory, driverArea, count: 6 + 2 * Int(size), alignment: 2),
            let used = unsafe Self.area(memory, deviceArea, count: 6 + 8 * Int(size), alignment: 4)
        else { return nil }
        self.size = size
        unsafe self.descriptors = descriptors
        unsafe self.available = available
        unsafe self.used = used
    }

    @unsafe private static func area(
        _ memory: GuestMemory, _ address: UInt64, count: Int, alignment: UInt64
    ) -> UnsafeMutableRawPointer? {
        do throws(GuestMemoryError) {
            guard address % alignment == 0, let start = unsafe try memory.bytes(at: address, count: count).baseAddress,
                UInt64(UInt(bitPattern: start)) % alignment == 0
            else { return nil }
            return unsafe start
        } catch {
            return nil
        }
    }

    private func place(_ index: UInt16) -> Int { Int(index & (size - 1)) }

    // MARK: The descriptor table (section 2.7.5)

    /// A descriptor; the index is below `size`.
    func descriptor(_ index: UInt16) -> Descriptor {
        unsafe Descriptor.load(descriptors + 16 * place(index))
    }

    /// Writes a descriptor: the driver's part.
    func setDescriptor(_ index: UInt16, _ descriptor: Descriptor) {
        unsafe descriptor.store(descriptors + 16 * place(index))
    }

    // MARK: The available ring (section 2.7.6)

    /// flags: whether the driver wants no interrupts (bit 0).
    var availableFlags: UInt16 {
        get { unsafe load16(available) }
        nonmutating set { unsafe store16(available, newValue) }
    }

    /// idx: how many chains the driver has made available, modulo 65,536. What it wrote before this is seen after it.
    var availableIndex: UInt16 {
        get { unsafe atomic16(available + 2).pointee.load(ordering: .acquiring) }
        nonmutating set { unsafe atomic16(available + 2).pointee.store(newValue, ordering: .releasing) }
    }

    /// ring: the first descriptor of a chain.
    func availableEntry(_ index: UInt16) -> UInt16 { unsafe load16(available + 4 + 2 * place(index)) }

    /// Writes an entry: the driver's part.
    func setAvailableEntry(_ index: UInt16, _ head: UInt16) {
        unsafe store16(available + 4 + 2 * place(index), head)
    }

    /// used_event: the used index at which the driver wants to be interrupted.
    var usedEvent: UInt16 {
        get { unsafe load16(available + 4 + 2 * Int(size)) }
        nonmutating set { unsafe store16(available + 4 + 2 * Int(size), newValue) }
    }

    // MARK: The used ring (section 2.7.8)

    /// flags: whether the device wants no notifications (bit 0).
    var usedFlags: UInt16 { unsafe load16(used) }

    /// idx: how many chains the device has used, modulo 65,536.
    var usedIndex: UInt16 {
        get { unsafe atomic16(used + 2).pointee.load(ordering: .acquiring) }
        nonmutating set { unsafe atomic16(used + 2).pointee.store(newValue, ordering: .releasing) }
    }

    /// ring: the first descriptor of a chain that has been used, and how many bytes were written into it.
    func usedEntry(_ index: UInt16) -> (head: UInt32, written: UInt32) {
        unsafe (load32(used + 4 + 8 * place(index)), load32(used + 8 + 8 * place(index)))
    }

    /// Writes an entry: the device's part.
    func setUsedEntry(_ index: UInt16, head: UInt32, written: UInt32) {
        unsafe store32(used + 4 + 8 * place(index), head)
        unsafe store32(used + 8 + 8 * place(index), written)
    }

    /// avail_event: the available index at which the device wants to be notified.
    var availableEvent: UInt16 {
        get { unsafe load16(used + 4 + 8 * Int(size)) }
        nonmutating set { unsafe store16(used + 4 + 8 * Int(size), newValue) }
    }

    /// Orders everything before it before everything after it: between saying at which index one wants to be told, and
    /// looking whether the other side is there already (sections 2.7.7.1 and 2.7.10.1).
    func fence() { atomicMemoryFence(ordering: .sequentiallyConsistent) }
}

/// A descriptor (virtio 1.2, section 2.7.5, struct virtq_desc).
struct Descriptor: Equatable {
    /// addr: guest-physical.
    var address: UInt64
    /// len: in bytes.
    var length: UInt32
    var flags: Flags
    /// next: the next one of the chain, if flags say so.
    var next: UInt16

    /// VIRTQ_DESC_F_….
    struct Flags: OptionSet, Equatable {
        let rawValue: UInt16
        /// NEXT: the chain goes on.
        static let next = Flags(rawValue: 1)
        /// WRITE: the device writes, otherwise it reads.
        static let write = Flags(rawValue: 2)
        /// INDIRECT: it is a table of descriptors.
        static let indirect = Flags(rawValue: 4)
    }

    /// Reads one, once: two loads of eight bytes.
    @unsafe static func load(_ place: UnsafeMutableRawPointer) -> Descriptor {
        let address = unsafe atomic64(place).pointee.load(ordering: .relaxed)
        let rest = unsafe atomic64(place + 8).pointee.load(ordering: .relaxed)
        return Descriptor(
            address: address, length: UInt32(truncatingIfNeeded: rest),
            flags: Flags(rawValue: UInt16(truncatingIfNeeded: rest >> 32)),
            next: UInt16(truncatingIfNeeded: rest >> 48))
    }

    @unsafe func store(_ place: UnsafeMutableRawPointer) {
        unsafe atomic64(place).pointee.store(address, ordering: .relaxed)
        let rest = UInt64(length) | UInt64(flags.rawValue) << 32 | UInt64(next) << 48
        unsafe atomic64(place + 8).pointee.store(rest, ordering: .relaxed)
    }
}

@unsafe private func atomic16(_ place: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Atomic<UInt16>> {
    unsafe place.assumingMemoryBound(to: Atomic<UInt16>.self)
}

@unsafe private func atomic32(_ place: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Atomic<UInt32>> {
    unsafe place.assumingMemoryBound(to: Atomic<UInt32>.self)
}

@unsafe private func atomic64(_ place: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Atomic<UInt64>> {
    unsafe place.assumingMemoryBound(to: Atomic<UInt64>.self)
}

@unsafe private func load16(_ place: UnsafeMutableRawPointer) -> UInt16 {
    unsafe atomic16(place).pointee.load(ordering: .relaxed)
}

@unsafe private func store16(_ place: UnsafeMutableRawPointer, _ value: UInt16) {
    unsafe atomic16(place).pointee.store(value, ordering: .relaxed)
}

@unsafe private func load32(_ place: UnsafeMutableRawPointer) -> UInt32 {
    unsafe atomic32(place).pointee.load(ordering: .relaxed)
}

@unsafe private func store32(_ place: UnsafeMutableRawPointer, _ value: UInt32) {
    unsafe atomic32(place).pointee.store(value, ordering: .relaxed)
}
