// virtio devices on virtio-mmio, under any accesses to registers, any rings and any completions by slow backends. No
// access may trap or go on for long; nothing outside guest memory is written, and nothing outside the disk is asked for;
// what is under way is never more than there are descriptors; and whatever was done before, after a reset a driver that
// does what a driver should reads the sector that it asks for.
internal import Devices
internal import FuzzInput
internal import GuestMemory
internal import Virtio

private final class Line: InterruptLine {
    var isRaised = false
    func raise() { isRaised = true }
    func lower() { isRaised = false }
}

private final class Port: CharacterPort {
    var count = 0
    func transmit(_ byte: UInt8) { count += 1 }
}

private func mark(_ sector: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: sector &* 0x9E37_79B9 >> 5) }

/// A disk whose sectors begin and end with a byte of their number.
private final class Store: BlockStore {
    let sectorCount: UInt64
    let isReadOnly: Bool
    var calls = 0

    init(sectorCount: UInt64, isReadOnly: Bool) {
        self.sectorCount = sectorCount
        self.isReadOnly = isReadOnly
    }

    private func checkRange(_ sector: UInt64, _ count: Int) {
        calls += 1
        check(count % sectorSize == 0, "whole sectors are asked for")
        check(sector <= sectorCount && UInt64(count / sectorSize) <= sectorCount - sector, "they are on the disk")
    }

    func read(sector: UInt64, into target: inout MutableRawSpan) -> BlockResult {
        checkRange(sector, target.byteCount)
        for index in 0..<target.byteCount / sectorSize {
            let mark = mark(sector &+ UInt64(index))
            target.storeBytes(of: mark, toByteOffset: index * sectorSize, as: UInt8.self)
            target.storeBytes(of: mark, toByteOffset: (index + 1) * sectorSize - 1, as: UInt8.self)
        }
        return .done
    }

    func write(_ source: RawSpan, sector: UInt64) -> BlockResult {
        checkRange(sector, source.byteCount)
        check(!isReadOnly, "a disk that may not be written is not asked to")
        return .done
    }

    func flush() -> BlockResult { .done }
}

/// A backend that ends requests when the input wants it to, in any order.
private final class SlowBackend: BlockBackend {
    let store: StoreBackend
    var isSlow: Bool
    var waiting: [BlockRequest] = []

    init(_ store: StoreBackend, isSlow: Bool) {
        self.store = store
        self.isSlow = isSlow
    }

    var sectorCount: UInt64 { store.sectorCount }
    var isReadOnly: Bool { store.isReadOnly }
    var maximumSegments: Int { store.maximumSegments }

    func submit(_ request: BlockRequest) {
        if isSlow { waiting.append(request) } else { store.submit(request) }
    }

    func finish(_ choice: UInt8) {
        guard !waiting.isEmpty else { return }
        let request = waiting.remove(at: Int(choice) % waiting.count)
        if choice & 0x80 != 0 { request.complete(.failed) } else { store.submit(request) }
    }

    func finishAll() { while !waiting.isEmpty { finish(0) } }
}

private final class SlowSource: EntropySource {
    var waiting: [EntropyRequest] = []
    func submit(_ request: EntropyRequest) { waiting.append(request) }
    func finish(_ choice: UInt8) {
        guard !waiting.isEmpty else { return }
        waiting.remove(at: Int(choice) % waiting.count).complete([UInt8](repeating: choice, count: Int(choice) * 8))
    }
}

/// Guest memory between two guards.
@safe private final class Memory {
    static let base: UInt64 = 0x8000_0000
    static let size = 1 << 16
    private static let guardSize = 4096
    private static let mark: UInt8 = 0xC5
    let memory: GuestMemory
    private let bytes: UnsafeMutableRawBufferPointer

    init() {
        unsafe bytes = .allocate(byteCount: Self.size + 2 * Self.guardSize, alignment: 4096)
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: Self.mark)
        let inside = unsafe UnsafeMutableRawBufferPointer(
            rebasing: bytes[Self.guardSize..<Self.guardSize + Self.size])
        unsafe inside.initializeMemory(as: UInt8.self, repeating: 0)
        memory = unsafe GuestMemory(regions: [MemoryRegion(guestAddress: Self.base, bytes: inside)])
    }

    deinit { unsafe bytes.deallocate() }

    var isKept: Bool {
        unsafe bytes.prefix(Self.guardSize).allSatisfy { $0 == Self.mark }
            && bytes.suffix(Self.guardSize).allSatisfy { $0 == Self.mark }
    }

    func write<Value: BitwiseCopyable>(_ value: Value, at address: UInt64) {
        do { try memory.write(value, at: address) } catch { return }
    }

    func byte(at address: UInt64) -> UInt8 {
        do { return try memory.read(at: address) } catch { return 0 }
    }
}

private final class Run {
    let memory = Memory()
    let line = Line()
    let port = Port()
    let store: Store
    let backend: SlowBackend
    let console: ConsoleDevice
    let source = SlowSource()
    let transport: MMIOTransport
    let isDisk: Bool

    init(_ input: inout FuzzInput) {
        let choice = input.byte()
        store = Store(sectorCount: [0, 1, 100, .max][Int(choice & 3)], isReadOnly: choice & 4 != 0)
        backend = SlowBackend(StoreBackend(store), isSlow: choice & 8 != 0)
        console = ConsoleDevice(port: port)
        isDisk = choice >> 4 % 4 < 2
        let device: any VirtioDevice
        switch choice >> 4 % 4 {
        case 0, 1: device = BlockDevice(backend: backend, identifier: [1, 2, 3])
        case 2: device = console
        default: device = EntropyDevice(source: source)
        }
        transport = MMIOTransport(device: device, memory: memory.memory, interrupt: line)
    }

    func write(_ value: UInt32, _ register: MMIORegister) {
        transport.write(UInt64(value), offset: register.rawValue, width: 4)
    }

    func read(_ register: MMIORegister) -> UInt32 { UInt32(transport.read(offset: register.rawValue, width: 4)) }

    /// What a driver does up to DRIVER_OK, with the rings of each queue at a place of its own.
    func start(features: UInt64, size: UInt32) {
        write(0, .status)
        write(3, .status)
        for half in [UInt32(0), 1] {
            write(half, .driverFeaturesSelect)
            write(UInt32(truncatingIfNeeded: features >> UInt64(32 * half)), .driverFeatures)
        }
        write(11, .status)
        for queue in 0..<UInt32(transport.queues.count) {
            let place = UInt32(Memory.base) + queue * 0x2000
            write(queue, .queueSelect)
            write(size, .queueSize)
            write(place, .queueDescriptorLow)
            write(0, .queueDescriptorHigh)
            write(place + 0x1000, .queueDriverLow)
            write(0, .queueDriverHigh)
            write(place + 0x1800, .queueDeviceLow)
            write(0, .queueDeviceHigh)
            write(1, .queueReady)
        }
        write(15, .status)
    }

    /// An address that is often in memory.
    func address(_ input: inout FuzzInput) -> UInt64 {
        let choice = input.byte()
        if choice < 0xF0 { return Memory.base + UInt64(choice) << 8 + UInt64(choice & 0x10) }
        return choice < 0xF8 ? Memory.base &+ UInt64(Memory.size) &- UInt64(choice & 7) : input.number(bytes: 8)
    }

    func describe(_ place: UInt64, _ input: inout FuzzInput) {
        memory.write(address(&input), at: place)
        let length = input.byte()
        let bytes = length < 0xF0 ? UInt32(length) * 16 : UInt32(truncatingIfNeeded: input.number(bytes: 4))
        memory.write(bytes, at: place + 8)
        memory.write(UInt16(input.byte() & 7), at: place + 12)
        memory.write(UInt16(input.byte() % 16), at: place + 14)
    }

    func step(_ input: inout FuzzInput) {
        let operation = input.byte()
        let queue = Memory.base + UInt64(operation & 1) * 0x2000
        switch operation {
        case 0x00...0x3F: describe(queue + 16 * UInt64(operation >> 1 & 15), &input)
        case 0x40...0x4F: describe(address(&input) & ~15, &input)
        case 0x50...0x6F: memory.write(UInt16(input.byte() % 16), at: queue + 0x1004 + UInt64(operation >> 1 & 15) * 2)
        case 0x70...0x7F: memory.write(UInt16(input.byte()), at: queue + 0x1002)
        case 0x80...0x87: memory.write(UInt16(input.byte()), at: queue + 0x1000 + UInt64(input.byte()))
        case 0x88...0xA7: notify(UInt32(operation & 1))
        case 0xA8...0xAF: write(input.byte() & 1 == 0 ? 3 : .max, .interruptAcknowledge)
        case 0xB0...0xBF: memory.write(input.number(bytes: 4), at: address(&input))
        case 0xC0...0xC7:
            start(features: UInt64(input.byte()) << 28 & 0x3_3000_0000, size: 1 << UInt32(operation & 7))
        case 0xC8...0xCF: backend.finish(input.byte())
        case 0xD0...0xD7: source.finish(input.byte())
        case 0xD8...0xDF: _ = console.receive(input.bytes(Int(operation)).span)
        case 0xE0...0xE7: write(UInt32(input.byte()), .status)
        case 0xE8...0xEF: drive(UInt64(input.byte()))
        case 0xF0...0xF7:
            transport.write(input.number(bytes: 8), offset: UInt64(input.byte()) * 4, width: 4)
        case 0xF8...0xFB:
            transport.write(input.number(bytes: 8), offset: input.number(bytes: 8), width: 1 << Int(operation & 3))
        default: _ = transport.read(offset: input.number(bytes: 2), width: 1 << Int(operation & 3))
        }
        checkRules()
    }

    func notify(_ queue: UInt32) {
        let (characters, calls) = (port.count, store.calls)
        write(queue, .queueNotify)
        check(port.count - characters <= 4096, "a console does not print for long")
        check(store.calls - calls <= 128 * 126, "a disk does not work for long")
    }

    /// Reads a sector, as a driver does.
    func drive(_ sector: UInt64) {
        guard isDisk, sector < store.sectorCount else { return }
        write(0, .status)
        backend.finishAll()
        check(read(.status) == 0, "a reset is over when nobody uses the memory")
        let wasSlow = backend.isSlow
        backend.isSlow = false
        start(features: 1 << 32, size: 8)
        check(read(.status) == 15, "a driver that does all that it should starts")
        let place = Memory.base + 0x8000
        memory.write(UInt64(0), at: place)
        memory.write(sector, at: place + 8)
        for (index, part) in [(place, 16, 1), (place + 512, 512, 3), (place + 16, 1, 2)].enumerated() {
            let descriptor = Memory.base + 16 * UInt64(index)
            memory.write(part.0, at: descriptor)
            memory.write(UInt32(part.1), at: descriptor + 8)
            memory.write(UInt16(part.2), at: descriptor + 12)
            memory.write(UInt16(index + 1), at: descriptor + 14)
        }
        memory.write(UInt32(0), at: Memory.base + 0x1000)
        memory.write(UInt16(0), at: Memory.base + 0x1004)
        memory.write(UInt16(1), at: Memory.base + 0x1002)
        memory.write(UInt8(0xEE), at: place + 16)
        write(0, .queueNotify)
        check(memory.byte(at: place + 16) == 0, "the request succeeds")
        check(memory.byte(at: place + 512) == mark(sector), "the sector is the one that was asked for")
        check(memory.byte(at: place + 1023) == mark(sector), "and all of it")
        check(line.isRaised, "and the driver is told")
        backend.isSlow = wasSlow
    }

    func checkRules() {
        check(line.isRaised == (read(.interruptStatus) != 0), "the line follows the status")
        for queue in transport.queues {
            check(queue.inFlight >= 0 && queue.inFlight <= Int(queue.maximumSize), "no more is under way than fits")
        }
    }
}

/// libFuzzer's entry point.
@c(LLVMFuzzerTestOneInput)
public func fuzzOne(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = unsafe FuzzInput(data, count)
    let run = Run(&input)
    run.start(features: 1 << 32 | 3 << 28, size: 8)
    while !input.isEmpty { run.step(&input) }
    check(run.memory.isKept, "nothing outside of memory is written")
    return 0
}
