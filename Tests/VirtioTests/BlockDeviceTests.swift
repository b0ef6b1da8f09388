import Devices
import GuestMemory
import Testing
import Virtio

/// A backend that keeps requests until the test ends them.
private final class SlowBackend: BlockBackend {
    let sectorCount: UInt64 = 64
    let isReadOnly = false
    let maximumSegments = 126
    var requests: [BlockRequest] = []
    func submit(_ request: BlockRequest) { requests.append(request) }
}

@Suite struct BlockDeviceTests {
    private static let header = VirtioBoard.buffers
    private static let data = VirtioBoard.buffers + 0x1000
    private static let status = VirtioBoard.buffers + 0x800

    private let disk: MemoryDisk
    private let board: VirtioBoard
    private let queue: TestQueue

    init() {
        self.init(isReadOnly: false)
    }

    private init(isReadOnly: Bool) {
        let bytes = (0..<64 * sectorSize).map { UInt8(truncatingIfNeeded: $0 / sectorSize) }
        disk = MemoryDisk(bytes, isReadOnly: isReadOnly)
        board = VirtioBoard(BlockDevice(backend: StoreBackend(disk), identifier: [UInt8]("a disk".utf8)))
        queue = board.start()[0]
    }

    /// Does a request with 512 bytes, or as many as given, of data; its status.
    private func request(
        _ type: UInt32, sector: UInt64 = 0, count: UInt32 = 512, deviceWrites: Bool = true
    ) -> UInt8 {
        queue.write(type, at: Self.header)
        queue.write(sector, at: Self.header + 8)
        queue.write(UInt8(0xEE), at: Self.status)
        var parts: [(UInt64, UInt32, Bool)] = [(Self.header, 16, false)]
        if count > 0 { parts.append((Self.data, count, deviceWrites)) }
        parts.append((Self.status, 1, true))
        queue.chain(parts)
        queue.offer(0)
        board.notify(queue)
        return queue.read(at: Self.status)
    }

    @Test func configuration_tellsCapacityAndSegments() {
        #expect(board.read(.deviceID) == 2)
        #expect(board.transport.read(offset: 0x100, width: 8) == 64)
        #expect(board.transport.read(offset: 0x100 + 12, width: 4) == 126)
        #expect(board.transport.read(offset: 0x100 + 20, width: 4) == 512)
        #expect(board.offered & 1 << 5 == 0)
    }

    @Test func read_givesTheSector() {
        #expect(request(0, sector: 5) == 0)
        #expect(queue.read(UInt8.self, at: Self.data) == 5)
        #expect(queue.read(UInt8.self, at: Self.data + 511) == 5)
        #expect(queue.usedIndex == 1 && queue.usedEntry(0) == [0, 513])
        #expect(board.line.isRaised && board.read(.interruptStatus) == 1)
        board.write(1, .interruptAcknowledge)
        #expect(!board.line.isRaised)
    }

    @Test func write_changesTheSectorOnly() {
        for index in 0..<512 { queue.write(UInt8(0xAB), at: Self.data + UInt64(index)) }
        #expect(request(1, sector: 63, deviceWrites: false) == 0)
        #expect(disk.bytes.suffix(512).allSatisfy { $0 == 0xAB })
        #expect(disk.bytes[62 * 512 + 511] == 62)
        #expect(queue.usedEntry(0) == [0, 1])
    }

    @Test func flush_succeeds() { #expect(request(4, count: 0) == 0) }

    @Test func getID_givesTheName() throws {
        #expect(request(8, count: 20) == 0)
        #expect(try board.memory.readBytes(at: Self.data, count: 7) == [UInt8]("a disk\0".utf8))
    }

    @Test(arguments: [(UInt64(64), UInt32(512)), (63, 1024), (.max, 512), (1 << 55, 512), (0, 511), (0, 513)])
    func whatIsNotOnTheDisk_isAnError(sector: UInt64, count: UInt32) {
        let before = disk.bytes
        #expect(request(0, sector: sector, count: count) == 1)
        #expect(request(1, sector: sector, count: count, deviceWrites: false) == 1)
        #expect(disk.bytes == before)
        #expect(!board.needsReset)
    }

    @Test func unknownRequest_isUnsupported() {
        for type: UInt32 in [2, 3, 5, 11, 13, 14, .max] { #expect(request(type) == 2) }
    }

    @Test func readOnlyDisk_refusesWrites() {
        let other = BlockDeviceTests(isReadOnly: true)
        let before = other.disk.bytes
        #expect(other.board.offered & 1 << 5 != 0)
        #expect(other.request(1, deviceWrites: false) == 1)
        #expect(other.disk.bytes == before)
        #expect(other.request(0) == 0)
    }

    @Test func headerAndDataInPieces_areTheSameRequest() {
        queue.write(UInt32(0), at: Self.header)
        queue.write(UInt64(7), at: Self.header + 8)
        queue.chain([
            (Self.header, 3, false), (Self.header + 3, 13, false), (Self.data, 100, true), (Self.data + 100, 413, true),
        ])
        queue.offer(0)
        board.notify(queue)
        #expect(queue.read(UInt8.self, at: Self.data + 511) == 7)
        // The status is the last byte.
        #expect(queue.read(UInt8.self, at: Self.data + 512) == 0)
        #expect(queue.usedEntry(0) == [0, 513])
    }

    @Test func requestWithoutHeaderOrStatus_breaksTheDevice() {
        for parts in [[(Self.header, UInt32(15), false), (Self.status, 1, true)], [(Self.header, 16, false)]] {
            let board = VirtioBoard(BlockDevice(backend: StoreBackend(disk), identifier: []))
            let queue = board.start()[0]
            queue.chain(parts)
            queue.offer(0)
            board.notify(queue)
            #expect(board.needsReset)
            #expect(board.transport.inFlight == 0)
        }
    }

    @Test func tooLongRequest_isAnError() {
        // All descriptors at the same place: more than the disk has, and more than 8 MiB.
        let big = MemoryDisk([UInt8](repeating: 0, count: 16 << 20))
        let board = VirtioBoard(BlockDevice(backend: StoreBackend(big), identifier: []))
        let queue = board.start(size: 128)[0]
        queue.write(UInt32(0), at: Self.header)
        queue.write(UInt64(0), at: Self.header + 8)
        var parts: [(UInt64, UInt32, Bool)] = [(Self.header, 16, false)]
        for _ in 0..<65 { parts.append((VirtioBoard.base + 0x9_0000, 128 << 10, true)) }
        queue.chain(parts + [(Self.status, 1, true)])
        queue.offer(0)
        board.notify(queue)
        #expect(queue.read(UInt8.self, at: Self.status) == 1)
    }

    @Test func muchWork_isDoneInParts() {
        let big = MemoryDisk([UInt8](repeating: 0x11, count: 1 << 20))
        let board = VirtioBoard(BlockDevice(backend: StoreBackend(big), identifier: []))
        let queue = board.start(size: 128)[0]
        queue.write(UInt32(0), at: Self.header)
        queue.write(UInt64(0), at: Self.header + 8)
        queue.chain([(Self.header, 16, false), (VirtioBoard.base + 0x9_0000, 256 << 10, true), (Self.status, 1, true)])
        for _ in 0..<10 { queue.offer(0) }
        board.write(0, .queueNotify)
        #expect(queue.usedIndex == 4 && board.transport.hasUnfinishedWork)
        board.notify(queue)
        #expect(queue.usedIndex == 10 && !board.transport.hasUnfinishedWork)
    }

    // MARK: Requests that take time

    private func slow() -> (SlowBackend, VirtioBoard, TestQueue) {
        let backend = SlowBackend()
        let board = VirtioBoard(BlockDevice(backend: backend, identifier: []))
        let queue = board.start()[0]
        queue.write(UInt32(0), at: Self.header)
        queue.write(UInt64(0), at: Self.header + 8)
        queue.chain([(Self.header, 16, false), (Self.data, 512, true), (Self.status, 1, true)])
        queue.chain([(Self.header, 16, false), (Self.data, 512, true), (Self.status, 1, true)], first: 3)
        return (backend, board, queue)
    }

    @Test func laterCompletion_interruptsThen() {
        let (backend, board, queue) = slow()
        queue.offer(0)
        queue.offer(3)
        board.notify(queue)
        #expect(backend.requests.count == 2 && queue.usedIndex == 0 && !board.line.isRaised)
        backend.requests[1].complete(.done)
        backend.requests[1].complete(.failed)
        #expect(queue.usedIndex == 1 && queue.usedEntry(0) == [3, 513] && board.line.isRaised)
        backend.requests[0].complete(.failed)
        #expect(queue.usedIndex == 2 && queue.usedEntry(1) == [0, 0])
        #expect(queue.read(UInt8.self, at: Self.status) == 1)
    }

    @Test func reset_isOverWhenNobodyUsesTheMemory() {
        let (backend, board, queue) = slow()
        queue.offer(0)
        board.notify(queue)
        board.write(0, .status)
        #expect(board.read(.status) == 15)
        // A driver that does not wait gets no queue.
        board.negotiate(1 << 32)
        board.setUp(queue)
        board.write(15, .status)
        queue.offer(3)
        board.notify(queue)
        #expect(backend.requests.count == 1)
        backend.requests[0].complete(.done)
        #expect(board.read(.status) == 0 && queue.usedIndex == 0 && !board.line.isRaised)
        let queues = board.start()
        #expect(board.read(.status) == 15 && board.read(.queueReady) == 1 && queues.count == 1)
    }

    @Test func moreRequestsThanDescriptors_breakTheDevice() {
        let (backend, board, queue) = slow()
        for _ in 0..<queue.size { queue.offer(0) }
        board.notify(queue)
        #expect(backend.requests.count == queue.size && !board.needsReset)
        queue.offer(0)
        board.notify(queue)
        #expect(board.needsReset && backend.requests.count == queue.size)
        // What is under way comes to its end, and tells nobody.
        let before = queue.usedIndex
        for request in backend.requests { request.complete(.done) }
        #expect(board.transport.inFlight == 0 && queue.usedIndex == before)
    }
}
