extension VGAText {
    /// A mode in which the screen shows points, and no characters.
    public struct GraphicsMode: Equatable, Sendable {
        /// Points in a row.
        public let width: Int
        /// Rows.
        public let height: Int
    }
}

extension VGAText.State {
    /// The graphics mode that the guest has set; nil in text modes.
    ///
    /// Either of two bits makes one: the graphics controller then addresses memory without pairs of character and
    /// attribute, the attribute controller then takes points for colors. A driver sets both.
    ///
    /// Source: IBM VGA XGA Technical Reference, Graphics Controller, Miscellaneous Register, bit GM; Attribute
    /// Controller, Attribute Mode Control Register, bit G; Graphics Mode Register, bit C256; CRT Controller, Horizontal
    /// Display-Enable End, Vertical Display-Enable End, Maximum Scan Line, bits DSC and MSL, CRT Mode Control, bit CMS0.
    public var graphicsMode: VGAText.GraphicsMode? {
        guard graphics.registers[6] & 0x01 != 0 || attribute.registers[0x10] & 0x01 != 0 else { return nil }
        let timing = crtController.registers.map { Int($0) }
        // A point of 256 colors is as wide as two of 16.
        let pointsOfACharacter = graphics.registers[5] & 0x40 != 0 ? 4 : 8
        let lines = (timing[0x12] | (timing[0x07] & 0x02) << 7 | (timing[0x07] & 0x40) << 3) + 1
        // With bit CMS0 clear, as in the CGA's modes, each other scan line is of another bank of memory.
        let scanLines = timing[0x09] & 0x1F + 1
        let repeated = timing[0x17] & 0x01 == 0 ? max(scanLines / 2, 1) : scanLines
        let linesOfARow = repeated * (timing[0x09] & 0x80 != 0 ? 2 : 1)
        return VGAText.GraphicsMode(
            width: (timing[0x01] + 1) * pointsOfACharacter, height: max(lines / linesOfARow, 1))
    }
}
