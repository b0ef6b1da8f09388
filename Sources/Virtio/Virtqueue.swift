public import GuestMemory

/// What a driver has done wrong in a queue.
public enum VirtqueueError: Error, Equatable {
    /// More chains are available or in use than there are descriptors.
    case tooManyChains
    /// A descriptor's number is not in the table.
    case badIndex
    /// A chain has more descriptors than the queue, or leads back into itself.
    case chainTooLong
    /// A chain has 4 GiB or more (section 2.7.4).
    case tooManyBytes
    /// What the device reads comes after what it writes (section 2.7.4.2).
    case readableAfterWritable
    /// A buffer is not in RAM.
    case notInMemory
    /// A table of descriptors that was not negotiated, has others in it, goes on behind itself, or is no whole number
    /// of descriptors (section 2.7.5.3).
    case badIndirectTable
    /// The device's type wants more of a buffer than there is.
    case badRequest
}

/// The device's side of a split virtqueue (virtio 1.2, section 2.7).
///
/// Nothing that is read from the rings is trusted. The first broken rule ends the queue, and with it the device, until
/// the driver resets it: section 2.1.2 has DEVICE_NEEDS_RESET for that.
public final class Virtqueue {
    /// The most descriptors that it can have.
    public let maximumSize: UInt16
    /// How many it has.
    var size: UInt16
    /// Guest-physical address of the descriptor table.
    var descriptorArea: UInt64 = 0
    /// Guest-physical address of the available ring.
    var driverArea: UInt64 = 0
    /// Guest-physical address of the used ring.
    var deviceArea: UInt64 = 0
    /// The guest's memory, to which the chains refer.
    public let memory: GuestMemory
    /// Chains that have been taken and not been given back. They outlive a reset: whoever works on them still refers
    /// to guest memory.
    public private(set) var inFlight = 0
    /// What the driver has done wrong.
    public private(set) var error: VirtqueueError?

    private let registers: StatusRegisters
    private var rings: SplitRings?
    private var features: Features = []
    /// The available index of the chain that is taken next.
    private var nextAvailable: UInt16 = 0
    /// What the device has written to the used index.
    private var nextUsed: UInt16 = 0
    /// The used index at which the driver was last asked whether it wants an interrupt.
    private var askedAt: UInt16 = 0
    private var epoch = 0

    init(maximumSize: UInt16, memory: GuestMemory, registers: StatusRegisters) {
        self.maximumSize = maximumSize
        size = maximumSize
        self.memory = memory
        self.registers = registers
    }

    // MARK: Set-up

    /// Whether it is in use, or something still works on what was taken from it.
    var isReady: Bool { rings != nil || inFlight > 0 }

    /// Begins to use the rings where the driver says that they are. One that is not where it can be is the driver's
    /// error.
    func enable(features: Features) {
        guard rings == nil, inFlight == 0 else { return }
        guard size <= maximumSize,
            let rings = SplitRings(
                memory: memory, size: size, descriptorArea: descriptorArea, driverArea: driverArea,
                deviceArea: deviceArea)
        else {
            fail(.notInMemory)
            return
        }
        self.rings = rings
        self.features = features
        (nextAvailable, nextUsed, askedAt) = (0, 0, 0)
    }

    /// Does not use the rings any more. What has been taken is not given back.
    func disable() {
        rings = nil
        epoch &+= 1
    }

    /// As after power-on.
    func reset() {
        disable()
        size = maximumSize
        (descriptorArea, driverArea, deviceArea) = (0, 0, 0)
        error = nil
    }

    /// Ends the device's work for an error of the driver's.
    public func fail(_ error: VirtqueueError) {
        if self.error == nil { self.error = error }
        registers.fail()
    }

    // MARK: Taking and giving back

    /// The next chain that the driver has made available; nil when there is none, and when the driver has broken a rule.
    ///
    /// Each one that is taken is given back by `push`, whatever becomes of the queue meanwhile.
    public func next() -> DescriptorChain? {
        guard registers.isRunning, let rings else { return nil }
        do throws(VirtqueueError) {
            return try take(from: rings)
        } catch {
            fail(error)
            return nil
        }
    }

    private func take(from rings: SplitRings) throws(VirtqueueError) -> DescriptorChain? {
        var available = rings.availableIndex
        if available == nextAvailable {
            guard features.contains(.eventIndex) else { return nil }
            // Nothing is here: the driver is to tell of the next one. It may have come just before it could know that.
            rings.availableEvent = nextAvailable
            rings.fence()
            available = rings.availableIndex
            if available == nextAvailable { return nil }
        }
        // Each chain takes a descriptor or more, until it has been used.
        guard available &- nextUsed <= rings.size, available &- nextAvailable <= rings.size else {
            throw .tooManyChains
        }
        let head = rings.availableEntry(nextAvailable)
        let chain = try walk(rings, from: head)
        nextAvailable &+= 1
        inFlight += 1
        return chain
    }

    /// Gives a chain back to the driver (section 2.7.8).
    /// - Parameter written: how many bytes from the beginning of its writable part were written.
    public func push(_ chain: DescriptorChain, written: Int) {
        inFlight -= 1
        guard chain.epoch == epoch, registers.isRunning, let rings else { return }
        rings.setUsedEntry(nextUsed, head: UInt32(chain.head), written: UInt32(truncatingIfNeeded: written))
        nextUsed &+= 1
        rings.usedIndex = nextUsed
        if driverWantsInterrupt(rings) { registers.interrupt(.usedBuffer) }
    }

    /// Section 2.7.7.2. The fence has the driver see the used index before its wish is read.
    private func driverWantsInterrupt(_ rings: SplitRings) -> Bool {
        rings.fence()
        guard features.contains(.eventIndex) else { return rings.availableFlags & 1 == 0 }
        let before = askedAt
        askedAt = nextUsed
        return nextUsed &- rings.usedEvent &- 1 < nextUsed &- before
    }

    // MARK: Chains

    /// Follows a chain to its end, and reads each descriptor once.
    private func walk(_ rings: SplitRings, from head: UInt16) throws(VirtqueueError) -> DescriptorChain {
        var walk = ChainWalk(memory: memory, limit: Int(rings.size))
        var index = head
        while true {
            guard index < rings.size else { throw .badIndex }
            let descriptor = rings.descriptor(index)
            if descriptor.flags.contains(.indirect) {
                // Section 2.7.5.3.1: it is the last of the chain.
                guard features.contains(.indirectDescriptors), !descriptor.flags.contains(.next) else {
                    throw .badIndirectTable
                }
                try walk.followTable(descriptor)
                break
            }
            try walk.add(descriptor)
            guard descriptor.flags.contains(.next) else { break }
            index = descriptor.next
        }
        return DescriptorChain(
            head: head, readable: walk.readable, writable: walk.writable, readableCount: walk.readableCount,
            writableCount: walk.writableCount, epoch: epoch)
    }
}

/// What has been seen of a chain so far.
private struct ChainWalk {
    let memory: GuestMemory
    /// So many descriptors may it have: a loop has more.
    let limit: Int
    var descriptors = 0
    var readable: [MemorySegment] = []
    var writable: [MemorySegment] = []
    var readableCount = 0
    var writableCount = 0

    init(memory: GuestMemory, limit: Int) {
        self.memory = memory
        self.limit = limit
    }

    mutating func add(_ descriptor: Descriptor) throws(VirtqueueError) {
        descriptors += 1
        guard descriptors <= limit else { throw .chainTooLong }
        let count = Int(descriptor.length)
        guard readableCount + writableCount + count <= Int(UInt32.max) else { throw .tooManyBytes }
        guard memory.contains(descriptor.address, count: count) else { throw .notInMemory }
        let segment = MemorySegment(address: descriptor.address, count: count)
        if descriptor.flags.contains(.write) {
            writableCount += count
            if count > 0 { writable.append(segment) }
        } else {
            guard writable.isEmpty else { throw .readableAfterWritable }
            readableCount += count
            if count > 0 { readable.append(segment) }
        }
    }

    /// Section 2.7.5.3: a table is a chain of its own, which begins at its first descriptor. Whether the descriptor that
    /// refers to it says that it may be written means nothing (section 2.7.5.3.2).
    mutating func followTable(_ table: Descriptor) throws(VirtqueueError) {
        guard table.length > 0, table.length % 16 == 0 else { throw .badIndirectTable }
        guard memory.contains(table.address, count: Int(table.length)) else { throw .notInMemory }
        var index: UInt32 = 0
        while true {
            guard index < table.length / 16 else { throw .badIndex }
            let descriptor = try read(table.address + 16 * UInt64(index))
            guard !descriptor.flags.contains(.indirect) else { throw .badIndirectTable }
            try add(descriptor)
            guard descriptor.flags.contains(.next) else { return }
            index = UInt32(descriptor.next)
        }
    }

    /// Tables need no alignment, so these are not read as those of the queue are; but each byte is read once, too.
    private func read(_ address: UInt64) throws(VirtqueueError) -> Descriptor {
        do throws(GuestMemoryError) {
            let rest = try memory.read(UInt64.self, at: address + 8)
            return Descriptor(
                address: try memory.read(UInt64.self, at: address), length: UInt32(truncatingIfNeeded: rest),
                flags: Descriptor.Flags(rawValue: UInt16(truncatingIfNeeded: rest >> 32)),
                next: UInt16(truncatingIfNeeded: rest >> 48))
        } catch {
            throw .notInMemory
        }
    }
}
