/// A font of 8 by 16 pixels for code page 437, drawn for this project.
///
/// A character is a matrix of 5 columns and 8 rows, the last one for what goes below the line. Each of its points becomes
/// two pixels wide and two high, so that all strokes are equally strong. Lines and blocks are made by rule, to the edges
/// of the cell, so that they join.
public enum Font8x16 {
    /// A line of a character's picture.
    /// - Parameters:
    ///   - line: 0, the top, to 15.
    ///   - character: the code.
    /// - Returns: eight pixels, the leftmost in bit 7.
    public static func pixels(_ line: Int, of character: UInt8) -> UInt8 {
        guard (0..<16).contains(line) else { return 0 }
        switch character {
        case 0xB0...0xB2, 0xDB...0xDF: return block(line, character)
        case 0xB3...0xDA: return box(line, character)
        default:
            let row = UInt8(truncatingIfNeeded: matrix(of: character) >> UInt64(8 * (7 - line / 2))) & 0x1F
            // Five points from bit 6 on, each with its right neighbour.
            return row << 2 | row << 1
        }
    }

    /// The matrix, its first row in the highest byte.
    private static func matrix(of character: UInt8) -> UInt64 {
        switch character {
        case 0x20...0x7F: ascii[Int(character) - 0x20]
        case 0x01...0x1F: symbols[Int(character) - 1]
        case 0x80...0xAF: letters[Int(character) - 0x80]
        case 0xE0...0xFE: signs[Int(character) - 0xE0]
        default: 0
        }
    }

    // MARK: Blocks and lines

    private static func block(_ line: Int, _ character: UInt8) -> UInt8 {
        switch character {
        case 0xB0: line % 2 == 0 ? 0x22 : 0x88
        case 0xB1: line % 2 == 0 ? 0xAA : 0x55
        case 0xB2: line % 2 == 0 ? 0xDD : 0x77
        case 0xDB: 0xFF
        case 0xDC: line < 8 ? 0x00 : 0xFF
        case 0xDD: 0xF0
        case 0xDE: 0x0F
        default: line < 8 ? 0xFF : 0x00
        }
    }

    /// What goes out of the cell's middle: to the left, right, up and down, 0 nothing, 1 one line, 2 two lines.
    private typealias Arms = (left: Int, right: Int, top: Int, bottom: Int)

    private static func box(_ line: Int, _ character: UInt8) -> UInt8 {
        let digits = arms[Int(character) - 0xB3]
        let arm: Arms = (Int(digits / 1000), Int(digits / 100 % 10), Int(digits / 10 % 10), Int(digits % 10))
        // One line goes through columns 3 and 4 and rows 7 and 8; two leave these free and take their neighbours.
        var pixels: UInt8 = 0
        for column in 0..<8 where isLine(column, line, arm) { pixels |= 0x80 >> UInt8(column) }
        return pixels
    }

    /// Each arm reaches to the far side of the lines that cross it, so that corners close.
    private static func isLine(_ column: Int, _ line: Int, _ arm: Arms) -> Bool {
        func isAcross(_ weight: Int) -> Bool {
            weight == 1 ? line == 7 || line == 8 : weight == 2 && (line == 5 || line == 6 || line == 9 || line == 10)
        }
        func isDown(_ weight: Int) -> Bool {
            weight == 1 ? column == 3 || column == 4 : weight == 2 && (column == 2 || column == 5)
        }
        let reach = max(arm.top, arm.bottom) == 2 ? 5 : 4
        let depth = max(arm.left, arm.right) == 2 ? 10 : 8
        return isAcross(arm.left) && column <= reach || isAcross(arm.right) && column >= 7 - reach
            || isDown(arm.top) && line <= depth || isDown(arm.bottom) && line >= 15 - depth
    }

    /// Codes 0xB3 to 0xDA; the digits are left, right, up and down.
    private static let arms: [UInt16] = [
        0011, 1011, 2011, 1022, 1002, 2001, 2022, 0022, 2002, 2020, 1020, 2010, 1001, 0110, 1110, 1101, 0111, 1100,
        1111,
        0211, 0122, 0220, 0202, 2220, 2202, 0222, 2200, 2222, 2210, 1120, 2201, 1102, 0120, 0210, 0201, 0102, 1122,
        2211,
        1010, 0101,
    ]

    // MARK: Matrices

    /// Codes 0x20 to 0x7F.
    private static let ascii: [UInt64] = [
        0x0000_0000_0000_0000, 0x0404_0404_0400_0400, 0x0A0A_0A00_0000_0000, 0x0A0A_1F0A_1F0A_0A00,
        0x040F_140E_051E_0400, 0x1819_0204_0813_0300, 0x0C12_1408_1512_0D00, 0x0404_0800_0000_0000,
        0x0204_0808_0804_0200, 0x0804_0202_0204_0800, 0x0004_150E_1504_0000, 0x0004_041F_0404_0000,
        0x0000_0000_000C_0408, 0x0000_001F_0000_0000, 0x0000_0000_000C_0C00, 0x0001_0204_0810_0000,
        0x0E11_1315_1911_0E00, 0x040C_0404_0404_0E00, 0x0E11_0102_0408_1F00, 0x1F02_0402_0111_0E00,
        0x0206_0A12_1F02_0200, 0x1F10_1E01_0111_0E00, 0x0608_101E_1111_0E00, 0x1F01_0204_0808_0800,
        0x0E11_110E_1111_0E00, 0x0E11_110F_0102_0C00, 0x000C_0C00_0C0C_0000, 0x000C_0C00_0C04_0800,
        0x0204_0810_0804_0200, 0x0000_1F00_1F00_0000, 0x0804_0201_0204_0800, 0x0E11_0102_0400_0400,
        0x0E11_010D_1515_0E00, 0x0E11_111F_1111_1100, 0x1E11_111E_1111_1E00, 0x0E11_1010_1011_0E00,
        0x1C12_1111_1112_1C00, 0x1F10_101E_1010_1F00, 0x1F10_101E_1010_1000, 0x0E11_1017_1111_0F00,
        0x1111_111F_1111_1100, 0x0E04_0404_0404_0E00, 0x0702_0202_0212_0C00, 0x1112_1418_1412_1100,
        0x1010_1010_1010_1F00, 0x111B_1515_1111_1100, 0x1111_1915_1311_1100, 0x0E11_1111_1111_0E00,
        0x1E11_111E_1010_1000, 0x0E11_1111_1512_0D00, 0x1E11_111E_1412_1100, 0x0F10_100E_0101_1E00,
        0x1F04_0404_0404_0400, 0x1111_1111_1111_0E00, 0x1111_1111_110A_0400, 0x1111_1115_1515_0A00,
        0x1111_0A04_0A11_1100, 0x1111_110A_0404_0400, 0x1F01_0204_0810_1F00, 0x0E08_0808_0808_0E00,
        0x0010_0804_0201_0000, 0x0E02_0202_0202_0E00, 0x040A_1100_0000_0000, 0x0000_0000_0000_001F,
        0x0804_0200_0000_0000, 0x0000_0E01_0F11_0F00, 0x1010_1619_1111_1E00, 0x0000_0E10_1011_0E00,
        0x0101_0D13_1111_0F00, 0x0000_0E11_1F10_0E00, 0x0609_081C_0808_0800, 0x0000_0F11_110F_010E,
        0x1010_1619_1111_1100, 0x0400_0C04_0404_0E00, 0x0200_0602_0202_120C, 0x1010_1214_1814_1200,
        0x0C04_0404_0404_0E00, 0x0000_1A15_1511_1100, 0x0000_1619_1111_1100, 0x0000_0E11_1111_0E00,
        0x0000_1E11_111E_1010, 0x0000_0D13_110F_0101, 0x0000_1619_1010_1000, 0x0000_0F10_0E01_1E00,
        0x0808_1C08_0809_0600, 0x0000_1111_1113_0D00, 0x0000_1111_110A_0400, 0x0000_1111_1515_0A00,
        0x0000_110A_040A_1100, 0x0000_1111_110F_010E, 0x0000_1F02_0408_1F00, 0x0204_0408_0404_0200,
        0x0404_0404_0404_0400, 0x0804_0402_0404_0800, 0x0000_0815_0200_0000, 0x0004_0A11_1111_1F00,
    ]

    /// Codes 1 to 31.
    private static let symbols: [UInt64] = [
        0x0E11_1B11_1B15_110E, 0x0E1F_151F_151B_1F0E, 0x000A_1F1F_1F0E_0400, 0x0004_0E1F_1F0E_0400,
        0x040E_0415_1F15_040E, 0x040E_1F1F_1F15_040E, 0x0000_000E_0E0E_0000, 0x1F1F_1F11_1111_1F1F,
        0x0000_0E11_1111_0E00, 0x1F1F_110E_0E0E_111F, 0x0703_050E_1111_0E00, 0x0E11_110E_041F_0400,
        0x0605_0404_040C_1C08, 0x0F09_0F09_091B_1B00, 0x0415_0E1B_0E15_0400, 0x1018_1C1E_1C18_1000,
        0x0103_070F_0703_0100, 0x040E_1504_0415_0E04, 0x0A0A_0A0A_0A00_0A00, 0x0F15_150D_0505_0500,
        0x0E10_0E11_110E_010E, 0x0000_0000_001F_1F00, 0x040E_1504_150E_041F, 0x040E_1504_0404_0400,
        0x0404_0404_150E_0400, 0x0004_021F_0204_0000, 0x0004_081F_0804_0000, 0x0000_1010_1010_1F00,
        0x000A_0A1F_0A0A_0000, 0x0004_040E_0E1F_1F00, 0x001F_1F0E_0E04_0400,
    ]

    /// Codes 0x80 to 0xAF.
    private static let letters: [UInt64] = [
        0x0E11_1010_110E_040C, 0x0A00_1111_1113_0D00, 0x0204_0E11_1F10_0E00, 0x040A_0E01_0F11_0F00,
        0x0A00_0E01_0F11_0F00, 0x0804_0E01_0F11_0F00, 0x0404_0E01_0F11_0F00, 0x0000_0E10_110E_040C,
        0x040A_0E11_1F10_0E00, 0x0A00_0E11_1F10_0E00, 0x0804_0E11_1F10_0E00, 0x0A00_0C04_0404_0E00,
        0x040A_0C04_0404_0E00, 0x0804_0C04_0404_0E00, 0x0A00_0E11_1F11_1100, 0x040A_0E11_1F11_1100,
        0x0204_1F10_1E10_1F00, 0x0000_1A05_0F14_0B00, 0x0F14_141F_1414_1700, 0x040A_0E11_1111_0E00,
        0x0A00_0E11_1111_0E00, 0x0804_0E11_1111_0E00, 0x040A_1111_1113_0D00, 0x0804_1111_1113_0D00,
        0x0A00_1111_110F_010E, 0x0A0E_1111_1111_0E00, 0x0A11_1111_1111_0E00, 0x040E_1514_150E_0400,
        0x0609_081C_0808_1F00, 0x110A_1F04_1F04_0400, 0x1C12_1C17_1212_1300, 0x0305_040E_0404_1408,
        0x0204_0E01_0F11_0F00, 0x0204_0C04_0404_0E00, 0x0204_0E11_1111_0E00, 0x0204_1111_1113_0D00,
        0x0D12_0016_1911_1100, 0x0D12_0019_1513_1100, 0x0E01_0F11_0F00_1F00, 0x0E11_1111_0E00_1F00,
        0x0400_0408_1011_0E00, 0x0000_001F_1010_0000, 0x0000_001F_0101_0000, 0x1012_1408_1601_0207,
        0x1012_1408_1505_0701, 0x0400_0404_0404_0400, 0x0005_0A14_0A05_0000, 0x0014_0A05_0A14_0000,
    ]

    /// Codes 0xE0 to 0xFE.
    private static let signs: [UInt64] = [
        0x0000_0D12_1212_0D00, 0x0E11_1E11_1116_1010, 0x1F11_1010_1010_1000, 0x0000_1F0A_0A0A_0A00,
        0x1F08_0402_0408_1F00, 0x0000_0F12_1212_0C00, 0x0000_1111_1113_1D10, 0x0000_0F14_0404_0400,
        0x040E_1515_150E_0400, 0x0E11_111F_1111_0E00, 0x0E11_1111_0A0A_1B00, 0x0708_0E11_1111_0E00,
        0x0000_0A15_150A_0000, 0x0001_0E13_1519_0E10, 0x0608_101E_1008_0600, 0x0E11_1111_1111_1100,
        0x001F_001F_001F_0000, 0x0404_1F04_0400_1F00, 0x0804_0204_0800_1F00, 0x0204_0804_0200_1F00,
        0x0609_0804_0404_0404, 0x0404_0404_0412_0C00, 0x0004_001F_0004_0000, 0x0008_1502_0815_0200,
        0x0C12_120C_0000_0000, 0x0000_000C_0C00_0000, 0x0000_0004_0000_0000, 0x0702_0202_120A_0600,
        0x1619_1100_0000_0000, 0x0C12_0408_1E00_0000, 0x0000_0E0E_0E0E_0000,
    ]
}

extension TextScreen {
    /// The screen as pixels: 8 by 16 for each cell.
    /// - Returns: the size, and for each pixel, row by row, the number of its color, 0 to 15.
    public func pixels() -> (width: Int, height: Int, colors: [UInt8]) {
        let (width, height) = (columns * 8, rows * 16)
        var colors: [UInt8] = []
        colors.reserveCapacity(width * height)
        for row in 0..<rows {
            for line in 0..<16 {
                for column in 0..<columns {
                    let cell = cells[row * columns + column]
                    let isCursor =
                        cursor.map {
                            $0.row == row && $0.column == column && line >= $0.firstLine && line <= $0.lastLine
                        } ?? false
                    let pixels = isCursor ? 0xFF : Font8x16.pixels(line, of: cell.character)
                    for bit in UInt8(0)..<8 {
                        colors.append(pixels & 0x80 >> bit != 0 ? foreground(cell) : background(cell))
                    }
                }
            }
        }
        return (width, height, colors)
    }
}
