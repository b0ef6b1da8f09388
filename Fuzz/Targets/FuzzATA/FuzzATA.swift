// A channel of the ATA controller with two drives, under any accesses. No access may trap; nothing outside the disk is
// asked of it, and nothing is written to one that may not be written.
internal import Devices
internal import FuzzInput

private final class Line: InterruptLine {
    var isRaised = false
    func raise() { isRaised = true }
    func lower() { isRaised = false }
}

/// A disk that says how large it likes to be, and fails where the input wants it to. It keeps nothing but rules.
private final class Store: BlockStore {
    let sectorCount: UInt64
    let isReadOnly: Bool
    var failures: UInt8 = 0
    var writes = 0

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
        return fails() ? .failed : .done
    }

    func write(_ source: RawSpan, sector: UInt64) -> BlockResult {
        checkRange(sector, source.byteCount)
        if isReadOnly { return .readOnly }
        writes += 1
        return fails() ? .failed : .done
    }

    func flush() -> BlockResult { fails() ? .failed : .done }
}

/// libFuzzer's entry point.
@c(LLVMFuzzerTestOneInput)
public func fuzzOne(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = unsafe FuzzInput(data, count)
    let choice = input.byte()
    let sizes: [UInt64] = [1, 63, 1 << 20, 1 << 28, 1 << 48, .max]
    let first = Store(sectorCount: sizes[Int(choice & 7) % sizes.count], isReadOnly: choice & 0x08 != 0)
    let second = Store(sectorCount: sizes[Int(choice >> 4 & 7) % sizes.count], isReadOnly: true)
    let line = Line()
    let channel = ATAChannel(first: first, second: choice & 0x80 != 0 ? second : nil, number: 0, interrupt: line)
    var items = [UInt8](repeating: 0x5A, count: 4096)
    while !input.isEmpty {
        let operation = input.byte()
        let width = 1 << Int(operation & 1 | operation >> 1 & 1)
        switch operation {
        case 0x00...0x5F:
            // A register of the command block, as drivers write it: mostly the small values that mean something.
            channel.write(UInt64(input.byte()), offset: UInt64(operation >> 3 & 7), width: 1)
        case 0x60...0x7F: _ = channel.read(offset: UInt64(operation & 7), width: width)
        case 0x80...0x8F: channel.write(UInt64(input.byte()), offset: ATAChannel.controlOffset, width: 1)
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
        case 0xE0...0xEF: first.failures = input.byte()
        case 0xF0...0xF7:
            channel.write(input.number(bytes: 8), offset: input.number(bytes: 8), width: 1 << Int(operation & 3))
        default: _ = channel.read(offset: input.number(bytes: 8), width: 1 << Int(operation & 3))
        }
        check(second.writes == 0, "a disk that may not be written is not written")
        check(!first.isReadOnly || first.writes == 0, "nor the other one")
    }
    return 0
}

@unsafe private func unsafeReadItems(_ channel: ATAChannel, _ bytes: UnsafeMutableRawBufferPointer, _ width: Int) {
    var span = unsafe MutableRawSpan(_unsafeBytes: bytes)
    channel.readItems(offset: 0, width: width, into: &span)
}

@unsafe private func unsafeWriteItems(_ channel: ATAChannel, _ bytes: UnsafeRawBufferPointer, _ width: Int) {
    channel.writeItems(unsafe RawSpan(_unsafeBytes: bytes), offset: 0, width: width)
}
