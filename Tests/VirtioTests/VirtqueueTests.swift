import GuestMemory
import Testing
import Virtio

/// A device that keeps the chains it gets.
private final class Keeper: VirtioDevice {
    let deviceID: UInt32 = 42
    let features: Features = []
    let configuration: [UInt8] = []
    let queueSizes: [UInt16] = [8]
    var queue: Virtqueue?
    var chains: [DescriptorChain] = []

    func connect(_ queues: [Virtqueue]) { queue = queues[0] }
    func reset() {}

    func process(queue: Int) -> Bool {
        while let chain = self.queue?.next() { chains.append(chain) }
        return false
    }
}

@Suite struct VirtqueueTests {
    private static let indirect: UInt64 = 1 << 32 | 1 << 28
    private static let eventIndex: UInt64 = 1 << 32 | 1 << 29
    private static let buffer = VirtioBoard.buffers

    private let device = Keeper()
    private let board: VirtioBoard

    init() { board = VirtioBoard(device) }

    private func segments(_ segments: [MemorySegment]) -> [UInt64] {
        segments.flatMap { [$0.address - Self.buffer, UInt64($0.count)] }
    }

    // MARK: Chains

    @Test func chain_isSplitIntoItsParts() {
        let queue = board.start()[0]
        queue.chain([(Self.buffer, 4, false), (Self.buffer + 8, 0, false), (Self.buffer + 16, 8, true)], first: 2)
        queue.offer(2)
        board.notify(queue)
        #expect(device.chains.count == 1)
        #expect(device.chains.first.map { segments($0.readable) } == [0, 4])
        #expect(device.chains.first.map { segments($0.writable) } == [16, 8])
        #expect(device.chains.first?.head == 2 && device.chains.first?.writableCount == 8)
    }

    @Test func indirectTable_isFollowed() {
        let queue = board.start(Self.indirect)[0]
        let table = Self.buffer + 0x100
        queue.describe(0, Self.buffer, 4, TestQueue.Flag.next, next: 2, table: table)
        queue.describe(2, Self.buffer + 4, 4, TestQueue.Flag.write, table: table)
        queue.describe(5, Self.buffer + 32, 2, TestQueue.Flag.next, next: 6)
        // WRITE on it means nothing.
        queue.describe(6, table, 48, TestQueue.Flag.indirect | TestQueue.Flag.write)
        queue.offer(5)
        board.notify(queue)
        #expect(device.chains.first.map { segments($0.readable) } == [32, 2, 0, 4])
        #expect(device.chains.first.map { segments($0.writable) } == [4, 4])
        #expect(!board.needsReset)
    }

    @Test func indices_wrap() {
        let queue = board.start()[0]
        queue.describe(0, Self.buffer, 4)
        for _ in 0..<70_000 {
            queue.offer(0)
            board.notify(queue)
            guard let chain = device.chains.popLast() else { break }
            device.queue?.push(chain, written: 1)
        }
        #expect(queue.usedIndex == UInt16(truncatingIfNeeded: 70_000) && !board.needsReset)
    }

    // MARK: What no driver may do

    private func breaks(
        _ expected: VirtqueueError, features: UInt64 = 1 << 32, _ arrange: (TestQueue) -> Void
    ) -> Bool {
        let queue = board.start(features)[0]
        arrange(queue)
        board.notify(queue)
        let isBroken = board.needsReset && device.queue?.error == expected && device.chains.isEmpty
        // It stops, and interrupts for it once.
        queue.describe(0, Self.buffer, 4)
        queue.offer(0)
        board.notify(queue)
        guard device.chains.isEmpty, board.line.edges == 1, board.read(.interruptStatus) == 2 else { return false }
        // And a reset mends it.
        let mended = board.start()[0]
        mended.setAvailableIndex(0)
        mended.describe(0, Self.buffer, 4)
        mended.offer(0)
        board.notify(mended)
        return isBroken && device.chains.count == 1 && !board.needsReset
    }

    @Test func headOutsideOfTheTable_breaks() {
        #expect(breaks(.badIndex) { $0.offer(8) })
    }

    @Test func nextOutsideOfTheTable_breaks() {
        #expect(
            breaks(.badIndex) {
                $0.describe(0, Self.buffer, 4, TestQueue.Flag.next, next: 0xFFFF)
                $0.offer(0)
            })
    }

    @Test func loop_breaks() {
        #expect(
            breaks(.chainTooLong) {
                $0.describe(0, Self.buffer, 4, TestQueue.Flag.next, next: 1)
                $0.describe(1, Self.buffer, 4, TestQueue.Flag.next, next: 0)
                $0.offer(0)
            })
    }

    @Test func loopInATable_breaks() {
        #expect(
            breaks(.chainTooLong, features: Self.indirect) {
                $0.describe(0, Self.buffer, 4, TestQueue.Flag.next, next: 0, table: Self.buffer)
                $0.describe(0, Self.buffer, 16, TestQueue.Flag.indirect)
                $0.offer(0)
            })
    }

    @Test func readableAfterWritable_breaks() {
        #expect(
            breaks(.readableAfterWritable) {
                $0.chain([(Self.buffer, 4, true), (Self.buffer, 4, false)])
                $0.offer(0)
            })
    }

    private static let badBuffers: [(UInt64, UInt32)] = [
        (VirtioBoard.base - 1, 4), (VirtioBoard.base + 0xF_FFFD, 4), (.max, 1), (.max - 3, 8), (0, 1),
        (VirtioBoard.base, .max),
    ]

    @Test(arguments: badBuffers)
    func bufferOutsideOfMemory_breaks(address: UInt64, length: UInt32) {
        #expect(
            breaks(.notInMemory) {
                $0.describe(0, address, length, TestQueue.Flag.write)
                $0.offer(0)
            })
    }

    @Test func moreAvailableThanThereCanBe_breaks() {
        #expect(breaks(.tooManyChains) { $0.setAvailableIndex(9) })
    }

    @Test func availableIndexThatGoesBack_breaks() {
        let queue = board.start()[0]
        queue.describe(0, Self.buffer, 4)
        queue.offer(0)
        board.notify(queue)
        queue.setAvailableIndex(0)
        board.notify(queue)
        #expect(board.needsReset && device.queue?.error == .tooManyChains)
    }

    private static let badTables: [(UInt64, UInt32, UInt16)] = [
        (1 << 32, 16, 4), (indirect, 0, 4), (indirect, 17, 4), (indirect, 16, 5),
    ]

    @Test(arguments: badTables)
    func tableThatCannotBe_breaks(features: UInt64, length: UInt32, flags: UInt16) {
        #expect(
            breaks(.badIndirectTable, features: features) {
                $0.describe(0, Self.buffer, length, flags)
                $0.offer(0)
            })
    }

    @Test func tableInATable_breaks() {
        #expect(
            breaks(.badIndirectTable, features: Self.indirect) {
                $0.describe(0, Self.buffer + 64, 16, TestQueue.Flag.indirect, table: Self.buffer)
                $0.describe(0, Self.buffer, 16, TestQueue.Flag.indirect)
                $0.offer(0)
            })
    }

    @Test func tableOutsideOfMemory_breaks() {
        #expect(
            breaks(.notInMemory, features: Self.indirect) {
                $0.describe(0, .max - 15, 16, TestQueue.Flag.indirect)
                $0.offer(0)
            })
    }

    @Test func nextOutsideOfATable_breaks() {
        #expect(
            breaks(.badIndex, features: Self.indirect) {
                $0.describe(0, Self.buffer, 4, TestQueue.Flag.next, next: 1, table: Self.buffer)
                $0.describe(0, Self.buffer, 16, TestQueue.Flag.indirect)
                $0.offer(0)
            })
    }

    // MARK: Interrupts and notifications

    @Test func driverWithoutInterrupts_getsNone() {
        let queue = board.start()[0]
        queue.setAvailableFlags(1)
        queue.describe(0, Self.buffer, 4)
        queue.offer(0)
        board.notify(queue)
        for chain in device.chains { device.queue?.push(chain, written: 0) }
        #expect(queue.usedIndex == 1 && !board.line.isRaised)
    }

    @Test func eventIndex_interruptsWhenItIsPassed() {
        let queue = board.start(Self.eventIndex)[0]
        queue.describe(0, Self.buffer, 4)
        queue.setUsedEvent(2)
        for _ in 0..<4 { queue.offer(0) }
        board.notify(queue)
        var edges: [Int] = []
        for chain in device.chains {
            device.queue?.push(chain, written: 0)
            board.write(1, .interruptAcknowledge)
            edges.append(board.line.edges)
        }
        #expect(edges == [0, 0, 1, 1])
    }

    @Test func eventIndex_tellsTheDriverWhenToNotify() {
        let queue = board.start(Self.eventIndex)[0]
        queue.describe(0, Self.buffer, 4)
        for _ in 0..<3 { queue.offer(0) }
        board.notify(queue)
        #expect(queue.availableEvent == 3)
    }

    // MARK: The driver's side

    @Test func driverQueue_andDevice_understandEachOther() throws {
        board.negotiate(1 << 32)
        let queue = try #require(DriverQueue(memory: board.memory, size: 8, address: VirtioBoard.base))
        board.write(8, .queueSize)
        board.write(UInt32(queue.descriptorArea), .queueDescriptorLow)
        board.write(UInt32(queue.driverArea), .queueDriverLow)
        board.write(UInt32(queue.deviceArea), .queueDeviceLow)
        board.write(1, .queueReady)
        board.write(15, .status)
        for round in 0..<100_000 {
            let readable = [MemorySegment(address: Self.buffer, count: 4)]
            let writable = [MemorySegment(address: Self.buffer + 8, count: round % 5 + 1)]
            let number = try #require(queue.add(readable: readable, writable: writable))
            #expect(queue.freeCount == 6 && queue.deviceWantsNotification && queue.nextUsedBuffer() == nil)
            board.write(0, .queueNotify)
            let last = device.chains.popLast()
            let chain = try #require(last)
            #expect(chain.readable == readable && chain.writable == writable && chain.head == number)
            device.queue?.push(chain, written: round % 5)
            let used = try #require(queue.nextUsedBuffer())
            #expect(used.number == number && used.written == round % 5)
        }
        #expect(queue.freeCount == 8)
        let many = [MemorySegment](repeating: MemorySegment(address: Self.buffer, count: 1), count: 9)
        #expect(queue.add(readable: many, writable: []) == nil)
        #expect(queue.add(readable: [], writable: []) == nil)
    }

    @Test func driverQueue_doesNotBelieveItsDevice() throws {
        let queue = try #require(DriverQueue(memory: board.memory, size: 4, address: VirtioBoard.base))
        _ = queue.add(readable: [MemorySegment(address: Self.buffer, count: 1)], writable: [])
        for (place, head) in [UInt32(4), .max, 0].enumerated() {
            try board.memory.write(head, at: queue.deviceArea + 4 + 8 * UInt64(place))
        }
        try board.memory.write(UInt16(3), at: queue.deviceArea + 2)
        #expect(queue.nextUsedBuffer() == nil && queue.freeCount == 3)
    }
}
