internal import ArgumentParser

/// A number of bytes as users write it: `256M`, `1G`, `65536K`; without a letter it counts MiB.
struct MemorySize: ExpressibleByArgument {
    let bytes: UInt64

    init(bytes: UInt64) { self.bytes = bytes }

    init?(argument: String) {
        let shifts: [Character: UInt64] = ["k": 10, "m": 20, "g": 30, "t": 40]
        var digits = Substring(argument.lowercased())
        for suffix in ["ib", "b"] where digits.hasSuffix(suffix) {
            digits.removeLast(suffix.count)
            break
        }
        var shift: UInt64 = 20
        if let last = digits.last, let known = shifts[last] {
            shift = known
            digits.removeLast()
        }
        guard let number = UInt64(digits), number <= UInt64.max >> shift else { return nil }
        bytes = number << shift
    }

    var defaultValueDescription: String { "\(bytes >> 20)M" }
}

/// An address as users write it: `0x7C00` or decimal.
struct GuestAddress: ExpressibleByArgument {
    let value: UInt64

    init?(argument: String) {
        let text = argument.lowercased()
        let parsed = text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
        guard let parsed else { return nil }
        value = parsed
    }
}
