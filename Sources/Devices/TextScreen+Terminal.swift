extension TextScreen {
    /// What draws a row in a terminal from where its cursor is: colors and characters, but for blanks on black at the
    /// end.
    ///
    /// Source: ECMA-48, SGR; colors 8 to 15 are those that terminals have added as 90 to 97 and 100 to 107.
    /// - Parameters:
    ///   - row: the row, from 0; one that is not there is empty.
    ///   - columns: how many of its characters, from the left.
    public func terminalText(row: Int, columns limit: Int) -> String {
        var text = ""
        var last: UInt8?
        var cells = cells(row: row, columns: limit)
        while let cell = cells.last, CodePage437.character(cell.character) == " ", background(cell) == 0 {
            cells.removeLast()
        }
        for cell in cells {
            if cell.attribute != last {
                last = cell.attribute
                let (front, back) = (Int(foreground(cell)), Int(background(cell)))
                let blink = blinks && cell.attribute & 0x80 != 0 ? "5;" : ""
                text +=
                    "\u{1B}[0;\(blink)\((front < 8 ? 30 : 82) + Self.terminalColor(front));"
                    + "\((back < 8 ? 40 : 92) + Self.terminalColor(back))m"
            }
            text.unicodeScalars.append(CodePage437.character(cell.character))
        }
        return text
    }

    /// The first cells of a row; of a row that is not there, none.
    /// - Parameters:
    ///   - row: the row, from 0.
    ///   - columns: how many of its cells at the most.
    public func cells(row: Int, columns limit: Int) -> ArraySlice<Cell> {
        guard row >= 0, row < rows else { return [] }
        return cells[row * columns..<(row + 1) * columns].prefix(max(limit, 0))
    }

    /// A PC's colors have blue in bit 0 and red in bit 2; a terminal's the other way round.
    private static func terminalColor(_ color: Int) -> Int {
        color & 0b1010 | (color & 1) << 2 | (color & 4) >> 2
    }
}
