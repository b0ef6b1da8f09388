/// A line being written, byte by byte, into room that is kept: once it is warm, a line allocates nothing.
struct TextLine {
    private(set) var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(256) }

    /// Begins a new line in the same room.
    mutating func clear() { bytes.removeAll(keepingCapacity: true) }

    /// The line as a String.
    var text: String { String(decoding: bytes, as: UTF8.self) }

    mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    mutating func append(byte: UInt8) { bytes.append(byte) }

    mutating func append(decimal value: UInt64, width: Int = 1, fill: UInt8 = UInt8(ascii: " ")) {
        append(value, radix: 10, width: width, fill: fill)
    }

    mutating func append(hex value: UInt64, digits: Int = 1) {
        append("0x")
        append(value, radix: 16, width: digits, fill: UInt8(ascii: "0"))
    }

    private mutating func append(_ value: UInt64, radix: UInt64, width: Int, fill: UInt8) {
        var count = 1
        var rest = value
        while rest >= radix {
            rest /= radix
            count += 1
        }
        for _ in 0..<max(0, width - count) { bytes.append(fill) }
        let start = bytes.count
        for _ in 0..<count { bytes.append(0) }
        rest = value
        for place in (start..<start + count).reversed() {
            let digit = UInt8(rest % radix)
            bytes[place] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10
            rest /= radix
        }
    }
}
