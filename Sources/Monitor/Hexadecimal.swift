extension FixedWidthInteger where Self: UnsignedInteger {
    /// Upper-case digits without a prefix, at least `digits` of them, as the manuals' tables print them.
    func digits(_ digits: Int) -> String {
        let text = String(self, radix: 16, uppercase: true)
        return String(repeating: "0", count: Swift.max(0, digits - text.count)) + text
    }

    /// `0x` and at least `digits` upper-case digits.
    func hex(_ digits: Int = 1) -> String { "0x" + self.digits(digits) }
}

extension String {
    /// The text with spaces behind it up to a width.
    func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }

    /// The text with spaces before it up to a width.
    func rightAligned(_ width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }

    /// The text without spaces at its end.
    func withoutTrailingSpaces() -> String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }

    /// The words in lines of at most `width` columns; every line but the first begins with `indent` spaces.
    func wrapped(width: Int = 80, indent: Int = 0) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in split(separator: " ") {
            if line.isEmpty {
                line = (lines.isEmpty ? "" : String(repeating: " ", count: indent)) + word
            } else if line.count + 1 + word.count <= width {
                line += " " + word
            } else {
                lines.append(line)
                line = String(repeating: " ", count: indent) + word
            }
        }
        return lines + [line]
    }
}
