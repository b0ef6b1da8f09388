import Devices
import Testing

@Suite struct TextScreenTests {
    /// Registers as firmware leaves them, with some changed.
    private func state(_ changes: (port: UInt64, index: UInt8, value: UInt8)...) -> VGAText.State {
        let vga = VGAText()
        for change in changes {
            vga.writeByte(change.index, offset: change.port)
            vga.writeByte(change.value, offset: change.port + 1)
        }
        return vga.state
    }

    /// Text memory with a text from a place on, white on blue.
    private func memory(_ text: String, at place: Int = 0) -> [UInt8] {
        var memory = [UInt8](repeating: 0, count: TextScreen.memorySize)
        for index in 0..<memory.count / 2 { memory[2 * index + 1] = 0x07 }
        for (index, byte) in text.utf8.enumerated() {
            let cell = (place + index) * 2 % memory.count
            memory[cell] = byte
            memory[cell + 1] = 0x1F
        }
        return memory
    }

    @Test func screen_asFirmwareLeavesIt_is80By25() {
        let screen = TextScreen(state(), memory: memory("hello", at: 82))
        #expect(screen.columns == 80 && screen.rows == 25)
        #expect(screen.text() == "\n  hello\n")
        #expect(screen.cells[82] == TextScreen.Cell(character: UInt8(ascii: "h"), attribute: 0x1F))
    }

    @Test func start_elsewhere_movesTheScreenAndWrapsAround() {
        let screen = TextScreen(
            state((0x14, 0x0C, 0x3F), (0x14, 0x0D, 0xFE)), memory: memory("wrap", at: 0x3FFE))
        #expect(screen.text() == "wrap\n")
    }

    @Test func cursor_isWhereTheRegistersSay_orNowhere() {
        let shown = TextScreen(state((0x14, 0x0E, 0), (0x14, 0x0F, 85)), memory: [])
        #expect(shown.cursor?.row == 1 && shown.cursor?.column == 5)
        #expect(shown.cursor?.firstLine == 13 && shown.cursor?.lastLine == 14)
        #expect(TextScreen(state((0x14, 0x0A, 0x2D)), memory: []).cursor == nil)
        #expect(TextScreen(state((0x14, 0x0E, 0x3F)), memory: []).cursor == nil, "off the screen")
    }

    @Test func characters_areThoseOfCodePage437() {
        var bytes: [UInt8] = []
        for code in [0x03, 0x41, 0x80, 0xC9, 0xDB, 0xE3, 0xFE] as [UInt8] { bytes += [code, 0x07] }
        #expect(TextScreen(state(), memory: bytes).text() == "♥AÇ╔█π■\n")
        #expect(Set((UInt8(1)...0xFE).map { CodePage437.character($0) }).count == 254, "each is another one")
    }

    @Test func colors_inATerminal_areSwappedAndBackgroundsThatBlinkAreDark() {
        let text = TextScreen(state(), memory: [0x41, 0x4E, 0x42, 0x4E, 0x43, 0x91]).terminalText(row: 0, columns: 3)
        // Yellow on red for two characters; then blue on blue, whose bit 7 blinks.
        #expect(text == "\u{1B}[0;93;41mAB\u{1B}[0;5;34;44mC")
    }

    @Test func palette_untilItIsProgrammed_isThePCs() {
        #expect(TextScreen(state(), memory: []).palette == TextScreen.standardPalette)
        let vga = VGAText()
        vga.writeByte(1, offset: 0x08)
        for value in [63, 32, 0] as [UInt8] { vga.writeByte(value, offset: 0x09) }
        #expect(TextScreen(vga.state, memory: []).palette[1] == [255, 130, 0])
    }

    @Test func registers_ofAnyValue_giveAScreenOfSomeSize() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let vga = VGAText()
            for _ in 0..<200 {
                vga.writeByte(.random(in: 0...255, using: &random), offset: .random(in: 0..<32, using: &random))
            }
            let screen = TextScreen(vga.state, memory: [UInt8](repeating: 0x41, count: .random(in: 0...0x8000)))
            #expect((1...132).contains(screen.columns) && (1...60).contains(screen.rows))
            #expect(screen.cells.count == screen.columns * screen.rows)
            if let mode = vga.state.graphicsMode { #expect(mode.width > 0 && mode.height > 0) }
            _ = screen.text()
            _ = screen.terminalText(row: screen.rows - 1, columns: 200)
            #expect(screen.pixels().colors.allSatisfy { $0 < 16 })
        }
    }

    // MARK: Pixels

    @Test func font_everyPrintableCharacter_isAnotherPicture() {
        let pictures = (UInt8(0x21)...0x7E).map { code in (0..<16).map { Font8x16.pixels($0, of: code) } }
        #expect(Set(pictures).count == pictures.count)
        #expect(pictures.allSatisfy { $0.contains { $0 != 0 } })
        #expect((0..<16).allSatisfy { Font8x16.pixels($0, of: 0x20) == 0 })
        #expect(Font8x16.pixels(-1, of: 0x41) == 0 && Font8x16.pixels(16, of: 0x41) == 0)
    }

    @Test func font_lines_joinAtTheEdges() {
        // ─ and ┼, ═ and ╬: what leaves one on the right enters the other on the left; │ goes from top to bottom.
        for (one, other) in [(0xC4, 0xC5), (0xCD, 0xCE), (0xC3, 0xB4), (0xC9, 0xBB)] as [(UInt8, UInt8)] {
            for line in 0..<16 {
                let leaves = Font8x16.pixels(line, of: one) & 0x01 != 0
                let enters = Font8x16.pixels(line, of: other) & 0x80 != 0
                #expect(leaves == enters, "\(one) and \(other), line \(line)")
            }
        }
        #expect((0..<16).allSatisfy { Font8x16.pixels($0, of: 0xB3) == 0x18 })
        #expect(Font8x16.pixels(0, of: 0xDA) == 0, "a corner has nothing above")
    }

    @Test func pixels_ofACell_areItsCharacterInItsColors() {
        let screen = TextScreen(state((0x14, 0x0A, 0x20)), memory: [0xDD, 0x2E, 0x20, 0x50])
        let (width, height, colors) = screen.pixels()
        #expect(width == 640 && height == 400 && colors.count == 640 * 400)
        #expect(colors[..<16] == [14, 14, 14, 14, 2, 2, 2, 2, 5, 5, 5, 5, 5, 5, 5, 5])
    }
}
