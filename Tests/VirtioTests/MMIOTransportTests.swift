import Devices
import GuestMemory
import Testing
import Virtio

/// A device with two queues that gives every chain back at once.
private final class Echo: VirtioDevice {
    let deviceID: UInt32 = 42
    let features = Features(rawValue: 1 << 3)
    let configuration: [UInt8] = [1, 2, 3, 4, 5]
    let queueSizes: [UInt16] = [8, 4]
    var queues: [Virtqueue] = []
    var chains: [DescriptorChain] = []
    var resets = 0

    func connect(_ queues: [Virtqueue]) { self.queues = queues }
    func reset() { resets += 1 }

    func process(queue: Int) -> Bool {
        while let chain = queues[queue].next() {
            chains.append(chain)
            queues[queue].push(chain, written: 0)
        }
        return false
    }
}

@Suite struct MMIOTransportTests {
    private let device = Echo()
    private let board: VirtioBoard

    init() { board = VirtioBoard(device) }

    @Test func identity_isThatOfVersion2() {
        #expect(board.read(.magicValue) == 0x7472_6976)
        #expect(board.read(.version) == 2)
        #expect(board.read(.deviceID) == 42)
        #expect(board.read(.vendorID) == 0x554D_4551)
        #expect(board.read(.sharedMemoryLengthLow) == .max)
        board.write(1, .queueSelect)
        #expect(board.read(.queueSizeMax) == 4)
        board.write(2, .queueSelect)
        #expect(board.read(.queueSizeMax) == 0)
    }

    @Test func configuration_isReadInAnyWidth() {
        #expect(board.transport.read(offset: 0x101, width: 1) == 2)
        #expect(board.transport.read(offset: 0x102, width: 2) == 0x0403)
        #expect(board.transport.read(offset: 0x104, width: 4) == 5)
        #expect(board.transport.read(offset: 0xFFF, width: 8) == 0)
        board.transport.write(9, offset: 0x100, width: 1)
        #expect(board.transport.read(offset: 0x100, width: 1) == 1)
    }

    @Test func registers_are32BitsWide() {
        for width in [1, 2, 8] { #expect(board.transport.read(offset: 0, width: width) == 0) }
        #expect(board.transport.read(offset: 2, width: 4) == 0)
        board.transport.write(1, offset: MMIORegister.status.rawValue, width: 1)
        #expect(board.read(.status) == 0)
    }

    @Test func featuresThatAreNotOffered_areRefused() {
        #expect(board.offered == 1 << 3 | 1 << 28 | 1 << 29 | 1 << 32)
        board.negotiate(1 << 4)
        #expect(board.read(.status) == 3)
        board.write(15, .status)
        #expect(board.read(.status) == 3, "without FEATURES_OK there is no DRIVER_OK")
        board.negotiate(1 << 3 | 1 << 32)
        #expect(board.read(.status) == 11)
        // Settled: what is written now counts for nothing.
        board.write(0, .driverFeaturesSelect)
        board.write(.max, .driverFeatures)
        #expect(board.transport.acceptedFeatures == Features(rawValue: 1 << 3 | 1 << 32))
    }

    @Test func bitsOfTheStatus_areNotTakenBack() {
        board.negotiate(1 << 32)
        board.write(1, .status)
        #expect(board.read(.status) == 11)
        board.write(64, .status)
        #expect(board.read(.status) == 11, "DEVICE_NEEDS_RESET is the device's to say")
    }

    @Test func queueBeforeFeatures_isNotTaken() {
        board.setUp(TestQueue(index: 0, size: 8, memory: board.memory))
        #expect(board.read(.queueReady) == 0)
    }

    @Test func reset_forgetsAll() {
        let queues = board.start(size: 4)
        queues[0].describe(0, VirtioBoard.buffers, 4)
        queues[0].offer(0)
        board.notify(queues[0])
        #expect(board.line.isRaised)
        board.write(0, .status)
        #expect(!board.line.isRaised && board.read(.status) == 0 && board.read(.interruptStatus) == 0)
        #expect(board.read(.queueReady) == 0 && board.transport.acceptedFeatures == [] && device.resets == 2)
    }

    @Test func notification_countsOnlyWhenTheDriverIsReady() {
        board.negotiate(1 << 32)
        let queue = TestQueue(index: 0, size: 8, memory: board.memory)
        board.setUp(queue)
        queue.describe(0, VirtioBoard.buffers, 4)
        queue.offer(0)
        board.notify(queue)
        #expect(device.chains.isEmpty)
        board.write(15, .status)
        board.write(7, .queueNotify)
        #expect(device.chains.isEmpty)
        board.notify(queue)
        #expect(device.chains.count == 1)
    }

    @Test(arguments: [0, 3, 16, 65536] as [UInt32])
    func impossibleSize_breaksTheDevice(size: UInt32) {
        board.negotiate(1 << 32)
        board.write(size, .queueSize)
        board.write(UInt32(VirtioBoard.base), .queueDescriptorLow)
        board.write(UInt32(VirtioBoard.base + 0x1000), .queueDriverLow)
        board.write(UInt32(VirtioBoard.base + 0x2000), .queueDeviceLow)
        board.write(1, .queueReady)
        #expect(board.needsReset && board.read(.queueReady) == 0)
        board.write(15, .status)
        #expect(board.line.isRaised && board.read(.interruptStatus) == 2)
        board.write(0, .status)
        #expect(!board.needsReset)
    }

    private static let end: UInt64 = 1 << 20
    private static let below: UInt64 = 0 &- VirtioBoard.base
    /// Offsets from the beginning of memory: the descriptor table's, the available ring's, the used ring's.
    private static let badAreas: [[UInt64]] = [
        [8, 0, 0], [0, 1, 0], [0, 0, 2], [below, 0, 0], [end, 0, 0], [end - 64, 0, 0], [0, end - 2, 0],
        [0, 0, end - 4], [below &- 16, 0, 0],
    ]

    @Test(arguments: badAreas)
    func areasThatCannotBe_breakTheDevice(offsets: [UInt64]) {
        board.negotiate(1 << 32)
        board.write(8, .queueSize)
        let places = offsets.map { VirtioBoard.base &+ $0 }
        let registers: [(MMIORegister, MMIORegister)] = [
            (.queueDescriptorLow, .queueDescriptorHigh), (.queueDriverLow, .queueDriverHigh),
            (.queueDeviceLow, .queueDeviceHigh),
        ]
        for (place, register) in zip(places, registers) {
            board.write(UInt32(truncatingIfNeeded: place), register.0)
            board.write(UInt32(place >> 32), register.1)
        }
        board.write(1, .queueReady)
        #expect(board.needsReset)
    }

    @Test func queueInUse_isNotMoved() {
        let queue = board.start(size: 4)[0]
        board.write(0, .queueSelect)
        board.write(0, .queueDescriptorLow)
        board.write(2, .queueSize)
        queue.describe(3, VirtioBoard.buffers, 4)
        queue.offer(3)
        board.notify(queue)
        #expect(device.chains.count == 1 && !board.needsReset)
    }
}
