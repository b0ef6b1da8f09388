// A channel of the ATA controller with two drives, under any accesses. No access may trap; nothing outside the disk is
// asked of it, and nothing is written to one that may not be written. The status never contradicts itself; and whatever
// was done before, a driver that does all that a driver should reads the sector that it asks for, and writes that one.
internal import Devices
internal import FuzzInput

private final class Line: InterruptLine {
    var isRaised = false
    func raise() { isRaised = true }
    func lower() { isRaised = false }
}

/// A disk that says how large it likes to be, and fails where the input wants it to. It keeps nothing but rules: each
/// sector begins and ends with a byte of its number.
private final class Store: BlockStore {
    let sectorCount: UInt64
    let isReadOnly: Bool
    var failures: UInt8 = 0
    var writes = 0
    var lastWrite: (sector: UInt64, first: UInt8, last: UInt8) = (0, 0, 0)

    init(sectorCount: UInt64, isReadOnly: Bool) {
        self.sectorCount = sectorCount
        self.isReadOnly = isReadOnly
    }

    private func fails() -> Bool {
        defer { failures = failures >> 1 | failures << 7 }
        return failures & 1 != 0
    }

    private func checkRange(_ sector: UInt64, _ count: Int) {
        check(count % sectorSize == 0, "whole sectors are asked for")
        check(sector <= sectorCount && UInt64(count / sectorSize) <= sectorCount - sector, "they are on the disk")
    }

    func read(sector: UInt64, into target: inout MutableRawSpan) -> BlockResult {
        checkRange(sector, target.byteCount)
        for index in 0..<target.byteCount / sectorSize {
            let mark = Self.mark(sector &+ UInt64(index))
            target.storeBytes(of: mark, toByteOffset: index * sectorSize, as: UInt8.self)
            target.storeBytes(of: mark, toByteOffset: (index + 1) * sectorSize - 1, as: UInt8.self)
        }
        return fails() ? .failed : .done
    }

    static func mark(_ sector: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: sector &* 0x9E37_79B9 >> 5) }

    func write(_ source: RawSpan, sector: UInt64) -> BlockResult {
        checkRange(sector, source.byteCount)
        if isReadOnly { return .readOnly }
        writes += 1
        lastWrite = (
            sector, unsafe source.unsafeLoad(fromByteOffset: 0, as: UInt8.self),
            unsafe source.unsafeLoad(fromByteOffset: source.byteCount - 1, as: UInt8.self)
        )
        return fails() ? .failed : .done
    }

    func flush() -> BlockResult { fails() ? .failed : .done }
}

private final class Run {
    let (first, second): (Store, Store)
    let hasSecond: Bool
    let line = Line()
    let channel: ATAChannel
    /// What was last written to the control block.
    var control: UInt8 = 0
    var items = [UInt8](repeating: 0x5A, count: 4096)

    init(_ input: inout FuzzInput) {
        let choice = input.byte()
        let sizes: [UInt64] = [1, 63, 1 << 20, 1 << 28, 1 << 48, .max]
        first = Store(sectorCount: sizes[Int(choice & 7) % sizes.count], isReadOnly: choice & 0x08 != 0)
        second = Store(sectorCount: sizes[Int(choice >> 4 & 7) % sizes.count], isReadOnly: true)
        hasSecond = choice & 0x80 != 0
        channel = ATAChannel(first: first, second: hasSecond ? second : nil, number: 0, interrupt: line)
    }

    func write(_ value: UInt64, _ offset: UInt64, width: Int = 1) {
        channel.write(value, offset: offset, width: width)
        guard offset != 0 else { return }
        for index in 0..<width where offset &+ UInt64(index) == ATAChannel.controlOffset {
            control = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
        }
    }

    func step(_ input: inout FuzzInput) {
        let operation = input.byte()
        let width = 1 << Int(operation & 1 | operation >> 1 & 1)
        switch operation {
        case 0x00...0x5F:
            // A register of the command block, as drivers write it: mostly the small values that mean something.
            write(UInt64(input.byte()), UInt64(operation >> 3 & 7))
        case 0x60...0x7F: _ = channel.read(offset: UInt64(operation & 7), width: width)
        case 0x80...0x8F: write(UInt64(input.byte()), ATAChannel.controlOffset)
        case 0x90...0x9F: _ = channel.read(offset: ATAChannel.controlOffset, width: 1)
        case 0xA0...0xBF:
            let size = (Int(input.byte()) * 16 + 16) / width * width
            unsafe items.withUnsafeMutableBytes { bytes in
                unsafe unsafeReadItems(channel, UnsafeMutableRawBufferPointer(rebasing: bytes[..<size]), width)
            }
        case 0xC0...0xDF:
            let size = (Int(input.byte()) * 16 + 16) / width * width
            unsafe items.withUnsafeBytes { bytes in
                unsafe unsafeWriteItems(channel, UnsafeRawBufferPointer(rebasing: bytes[..<size]), width)
            }
        case 0xE0...0xE7: first.failures = input.byte()
        case 0xE8...0xEF: drive(operation, sector: input.number(bytes: 4), mark: input.byte())
        case 0xF0...0xF7: write(input.number(bytes: 8), input.number(bytes: 8), width: 1 << Int(operation & 3))
        default: _ = channel.read(offset: input.number(bytes: 8), width: 1 << Int(operation & 3))
        }
        checkRules()
    }

    /// Reads or writes one sector of the first drive, as a driver does.
    func drive(_ operation: UInt8, sector: UInt64, mark: UInt8) {
        let isWrite = operation & 1 != 0
        let sector = sector & 0x0FFF_FFFF
        first.failures = 0
        write(0x02, ATAChannel.controlOffset)
        write(0xE0 | sector >> 24, 6)
        write(1, 2)
        for index in 0..<3 as Range<UInt64> { write(sector >> (8 * index) & 0xFF, 3 + index) }
        write(isWrite ? 0x30 : 0x20, 7)
        let status = channel.read(offset: 7, width: 1)
        let writes = first.writes
        guard sector < first.sectorCount, !(isWrite && first.isReadOnly) else {
            check(status == 0x51, "what cannot be done fails")
            return
        }
        check(status == 0x58, "the drive asks for data, or gives them")
        if isWrite {
            for index in 0..<256 {
                // Each sector has marks of its own at both ends.
                channel.write(index == 0 ? UInt64(mark) : UInt64(~mark) << 8, offset: 0, width: 2)
            }
            check(first.writes == writes + 1, "one sector is one write")
            check(first.lastWrite == (sector, mark, ~mark), "and goes where it should")
        } else {
            var last: UInt64 = 0
            let start = channel.read(offset: 0, width: 2)
            for _ in 1..<256 { last = channel.read(offset: 0, width: 2) }
            let expected = UInt64(Store.mark(sector))
            check(start & 0xFF == expected && last >> 8 == expected, "the sector is the one that was asked for")
            check(first.writes == writes, "a read writes nothing")
        }
        check(channel.read(offset: 7, width: 1) == 0x50, "and then it is ready")
    }

    func checkRules() {
        check(second.writes == 0, "a disk that may not be written is not written")
        check(!first.isReadOnly || first.writes == 0, "nor the other one")
        check(!line.isRaised || control & 0x02 == 0, "no interrupt when they are switched off")
        let status = channel.read(offset: ATAChannel.controlOffset, width: 1)
        if !hasSecond, channel.read(offset: 6, width: 1) & 0x10 != 0 {
            check(status == 0, "a drive that is not there says nothing")
            return
        }
        check(status & 0x80 == 0 || control & 0x04 != 0, "a drive is busy in a reset only")
        guard status & 0x80 == 0 else { return }
        check(status & 0x40 != 0, "it is ready at all other times")
        check(status & 0x09 != 0x09, "a command that has failed moves no data")
        check(status & 0x20 == 0 || status & 0x01 != 0, "a fault is an error")
    }
}

/// libFuzzer's entry point.
@c(LLVMFuzzerTestOneInput)
public func fuzzOne(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = unsafe FuzzInput(data, count)
    let run = Run(&input)
    while !input.isEmpty { run.step(&input) }
    return 0
}

@unsafe private func unsafeReadItems(_ channel: ATAChannel, _ bytes: UnsafeMutableRawBufferPointer, _ width: Int) {
    var span = unsafe MutableRawSpan(_unsafeBytes: bytes)
    channel.readItems(offset: 0, width: width, into: &span)
}

@unsafe private func unsafeWriteItems(_ channel: ATAChannel, _ bytes: UnsafeRawBufferPointer, _ width: Int) {
    channel.writeItems(unsafe RawSpan(_unsafeBytes: bytes), offset: 0, width: width)
}
