/// What a VGA in text mode shows: a value, taken from its registers and its memory at one moment.
///
/// Source: IBM VGA XGA Technical Reference, "Alphanumeric modes".
public struct TextScreen: Equatable, Sendable {
    /// A character with its colors.
    public struct Cell: Equatable, Sendable {
        /// The character, a code of code page 437.
        public var character: UInt8
        /// Bits 3 to 0 the color of the character, 7 to 4 that of its background.
        public var attribute: UInt8

        /// - Parameters:
        ///   - character: a code of code page 437.
        ///   - attribute: the colors.
        public init(character: UInt8, attribute: UInt8) {
            self.character = character
            self.attribute = attribute
        }
    }

    /// The cursor: a bar over some lines of a cell.
    public struct Cursor: Equatable, Sendable {
        /// The column, from 0.
        public var column: Int
        /// The row, from 0.
        public var row: Int
        /// The first of the bar's lines, from the top of the cell, from 0.
        public var firstLine: Int
        /// The last of them.
        public var lastLine: Int
    }

    /// The size of the text memory at 0xB8000 in bytes.
    public static let memorySize = 0x8000

    /// Characters in a row: 1 to 132.
    public let columns: Int
    /// Rows: 1 to 60.
    public let rows: Int
    /// The cells, row by row.
    public let cells: [Cell]
    /// The cursor; nil when it is hidden or outside the screen.
    public let cursor: Cursor?
    /// Whether bit 7 of an attribute lets the character blink, so that there are eight colors for backgrounds.
    public let blinks: Bool
    /// The sixteen colors: red, green and blue, 0 to 255 each.
    public let palette: [[UInt8]]

    /// - Parameters:
    ///   - state: the registers.
    ///   - memory: the text memory, two bytes a cell: character, attribute. What is missing at its end is empty.
    public init(_ state: VGAText.State, memory: [UInt8]) {
        let registers = state.crtController.registers
        func register(_ index: Int) -> Int { index < registers.count ? Int(registers[index]) : 0 }
        columns = min(max(register(0x01) + 1, 1), 132)
        let height = register(0x09) & 0x1F + 1
        let lines = (register(0x12) | (register(0x07) & 0x02) << 7 | (register(0x07) & 0x40) << 3) + 1
        rows = min(max(lines / height, 1), 60)
        // The distance from row to row, in cells.
        let pitch = register(0x13) == 0 ? columns : register(0x13) * 2

        let first = state.firstCharacter
        var cells: [Cell] = []
        cells.reserveCapacity(columns * rows)
        for row in 0..<rows {
            for column in 0..<columns {
                let place = (first + row * pitch + column) * 2 % Self.memorySize
                let isThere = place + 1 < memory.count
                cells.append(
                    Cell(character: isThere ? memory[place] : 0, attribute: isThere ? memory[place + 1] : 0x07))
            }
        }
        self.cells = cells

        let offset = state.cursor - first
        let (startLine, endLine) = (register(0x0A) & 0x1F, register(0x0B) & 0x1F)
        if state.showsCursor, offset >= 0, offset / pitch < rows, offset % pitch < columns, startLine <= endLine {
            cursor = Cursor(
                column: offset % pitch, row: offset / pitch, firstLine: startLine * 16 / height,
                lastLine: min((endLine * 16 + 15) / height, 15))
        } else {
            cursor = nil
        }
        let attributes = state.attribute.registers
        blinks = attributes.count > 0x10 && attributes[0x10] & 0x08 != 0
        palette = (0..<16).map { index in
            let entry = index < attributes.count ? Int(attributes[index] & 0x3F) : 0
            let color = Array(state.palette[3 * entry..<3 * entry + 3])
            guard state.palette.contains(where: { $0 != 0 }) else { return Self.standardPalette[index] }
            return color.map { $0 << 2 | $0 >> 4 }
        }
    }

    /// The color of a cell's character, 0 to 15.
    public func foreground(_ cell: Cell) -> UInt8 { cell.attribute & 0x0F }

    /// The color of a cell's background, 0 to 15.
    public func background(_ cell: Cell) -> UInt8 { cell.attribute >> 4 & (blinks ? 0x07 : 0x0F) }

    /// The colors of a PC before anybody changes them. Number 6 is brown, and no dark yellow.
    public static let standardPalette: [[UInt8]] = [
        [0, 0, 0], [0, 0, 170], [0, 170, 0], [0, 170, 170], [170, 0, 0], [170, 0, 170], [170, 85, 0], [170, 170, 170],
        [85, 85, 85], [85, 85, 255], [85, 255, 85], [85, 255, 255], [255, 85, 85], [255, 85, 255], [255, 255, 85],
        [255, 255, 255],
    ]

    // MARK: As text

    /// The characters, a line for each row, without the spaces at the ends of rows and the empty rows at the end.
    public func text() -> String {
        var lines: [String] = []
        for row in 0..<rows {
            var scalars = cells[row * columns..<(row + 1) * columns].map { CodePage437.character($0.character) }
            while scalars.last == " " { scalars.removeLast() }
            var line = ""
            line.unicodeScalars.append(contentsOf: scalars)
            lines.append(line)
        }
        while lines.last == "" { lines.removeLast() }
        var text = ""
        for line in lines { text += line + "\n" }
        return text
    }
}
