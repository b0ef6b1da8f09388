import RISCV

/// The 31 registers in eight lines of four columns, for a report of a death. Where x0 would be is left blank.
func printRegisters(_ value: (Int) -> UInt64) {
    for row in 0..<8 {
        var line = " "
        for column in 0..<4 {
            let index = row + 8 * column
            line += " \(padded(index == 0 ? "" : registerName(index), to: 3)) "
            line += index == 0 ? padded("", to: 16) : hexadecimal(value(index))
        }
        Console.line(line)
    }
}

private func padded(_ text: String, to width: Int) -> String {
    var text = text
    while text.utf8.count < width { text += " " }
    return text
}
