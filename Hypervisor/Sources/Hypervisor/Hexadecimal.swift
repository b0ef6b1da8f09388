/// A number with all its digits, as registers are shown.
func hexadecimal(_ value: UInt64, digits: Int = 16) -> String {
    let text = String(value, radix: 16)
    var padding = ""
    for _ in text.utf8.count..<max(digits, text.utf8.count) { padding += "0" }
    return padding + text
}
