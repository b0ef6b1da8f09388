import Devices
import GuestMemory
import Testing
import Virtio

private final class RecordingPort: CharacterPort {
    var bytes: [UInt8] = []
    func transmit(_ byte: UInt8) { bytes.append(byte) }
}

private final class CountingSource: CharacterSource {
    var calls = 0
    func receiverHasRoom() { calls += 1 }
}

/// A source that answers later, or never.
private final class SlowSource: EntropySource {
    var requests: [EntropyRequest] = []
    func submit(_ request: EntropyRequest) { requests.append(request) }
}

@Suite struct ConsoleDeviceTests {
    private let port = RecordingPort()
    private let console: ConsoleDevice
    private let board: VirtioBoard
    private let queues: [TestQueue]

    init() {
        console = ConsoleDevice(port: port)
        board = VirtioBoard(console)
        queues = board.start()
    }

    @Test func whatIsPrinted_comesOut() {
        for (index, byte) in "hello".utf8.enumerated() {
            queues[1].write(byte, at: VirtioBoard.buffers + UInt64(index))
        }
        queues[1].chain([(VirtioBoard.buffers, 2, false), (VirtioBoard.buffers + 2, 3, false)])
        queues[1].offer(0)
        board.notify(queues[1])
        #expect(port.bytes == [UInt8]("hello".utf8))
        #expect(queues[1].usedEntry(0) == [0, 0] && board.line.isRaised)
    }

    @Test func longText_isSentInParts() {
        queues[1].describe(0, VirtioBoard.buffers, 10_000)
        queues[1].offer(0)
        board.write(1, .queueNotify)
        #expect(port.bytes.count == 4096 && board.transport.hasUnfinishedWork && queues[1].usedIndex == 0)
        board.notify(queues[1])
        #expect(port.bytes.count == 10_000 && queues[1].usedIndex == 1)
    }

    @Test func resetInTheMiddle_forgetsTheRest() {
        queues[1].describe(0, VirtioBoard.buffers, 10_000)
        queues[1].offer(0)
        board.write(1, .queueNotify)
        board.write(0, .status)
        #expect(board.read(.status) == 0 && board.transport.inFlight == 0)
    }

    @Test func whatIsTyped_goesIn() throws {
        let source = CountingSource()
        console.source = source
        #expect(console.receive([1, 2, 3].span) == 0 && !console.hasRoom)
        queues[0].describe(0, VirtioBoard.buffers, 0, TestQueue.Flag.write)
        queues[0].describe(1, VirtioBoard.buffers, 2, TestQueue.Flag.write)
        queues[0].offer(0)
        queues[0].offer(1)
        board.notify(queues[0])
        #expect(source.calls == 1 && console.hasRoom)
        #expect(console.receive([1, 2, 3].span) == 2)
        #expect(try board.memory.readBytes(at: VirtioBoard.buffers, count: 3) == [1, 2, 0])
        #expect(queues[0].usedEntry(1) == [1, 2] && !console.hasRoom)
        board.write(0, .status)
        #expect(board.transport.inFlight == 0)
    }
}

@Suite struct EntropyDeviceTests {
    @Test func bytes_comeWhenTheSourceHasThem() throws {
        let source = SlowSource()
        let board = VirtioBoard(EntropyDevice(source: source))
        let queue = board.start()[0]
        queue.describe(0, VirtioBoard.buffers, 4000, TestQueue.Flag.write)
        queue.describe(1, VirtioBoard.buffers, 4, 0)
        queue.describe(2, VirtioBoard.buffers + 0x2000, 2, TestQueue.Flag.write)
        for head in [UInt16(0), 1, 2] { queue.offer(head) }
        board.notify(queue)
        #expect(source.requests.map { $0.count } == [1024, 2])
        #expect(queue.usedIndex == 1 && queue.usedEntry(0) == [1, 0])
        source.requests[0].complete([1, 2, 3])
        source.requests[0].complete([9])
        source.requests[1].complete([5, 6, 7])
        #expect(queue.usedEntry(1) == [0, 3] && queue.usedEntry(2) == [2, 2])
        #expect(try board.memory.readBytes(at: VirtioBoard.buffers, count: 4) == [1, 2, 3, 0])
        #expect(try board.memory.readBytes(at: VirtioBoard.buffers + 0x2000, count: 3) == [5, 6, 0])
    }

    @Test func aSourceThatNeverAnswers_isNotAskedForEver() {
        let source = SlowSource()
        let board = VirtioBoard(EntropyDevice(source: source))
        let queue = board.start()[0]
        queue.describe(0, VirtioBoard.buffers, 4, TestQueue.Flag.write)
        for _ in 0..<100 {
            queue.offer(0)
            board.notify(queue)
        }
        #expect(source.requests.count == 8 && board.needsReset)
    }
}
