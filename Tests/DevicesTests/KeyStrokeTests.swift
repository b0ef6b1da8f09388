import Devices
import Testing

@Suite struct KeyStrokeTests {
    @Test(arguments: [
        ("a", [Key(0x1C)]), ("A", [.leftShift, Key(0x1C)]), ("!", [.leftShift, Key(0x16)]), (" ", [.space]),
        ("\n", [.enter]), ("\r", [.enter]), ("\u{03}", [.leftControl, Key(0x21)]), ("\u{7F}", [.backspace]),
        ("|", [.leftShift, Key(0x5D)]), ("\u{1C}", [.leftControl, Key(0x5D)]),
    ])
    func ascii_isTypedAsOnAKeyboardOfTheUSA(text: String, keys: [Key]) {
        #expect(KeyStroke(ascii: Array(text.utf8)[0])?.keys == keys)
    }

    @Test func everyPrintableCharacter_hasAKey() {
        #expect((UInt8(0x20)...0x7E).allSatisfy { KeyStroke(ascii: $0) != nil })
        #expect(KeyStroke(ascii: 0) == nil)
        #expect((UInt8(0x80)...0xFF).allSatisfy { KeyStroke(ascii: $0) == nil })
    }

    @Test(arguments: [
        ("\u{1B}[A", [KeyStroke(.up)]), ("\u{1B}OB", [KeyStroke(.down)]), ("\u{1B}[3~", [KeyStroke(.delete)]),
        ("\u{1B}[15~", [KeyStroke(Key.functions[4])]), ("\u{1B}[24~", [KeyStroke(Key.functions[11])]),
        ("\u{1B}OP", [KeyStroke(Key.functions[0])]), ("\u{1B}[1;5C", [KeyStroke(.right)]),
        ("\u{1B}\u{1B}[Ax", [KeyStroke(.escape), KeyStroke(.up), KeyStroke(Key(0x22))]),
        ("\u{1B}x", [KeyStroke(Key(0x22), holding: .leftAlt)]), ("\u{1B}[999~a", [KeyStroke(Key(0x1C))]),
        ("é", []),
    ])
    func terminalSequences_areTheKeysBehindThem(text: String, strokes: [KeyStroke]) {
        var keys = TerminalKeys()
        #expect(text.utf8.flatMap { keys.take($0) } == strokes)
        #expect(!keys.isInSequence)
    }

    @Test func escapeAlone_isTheKeyAfterAWhile() {
        var keys = TerminalKeys()
        #expect(keys.take(0x1B).isEmpty)
        #expect(keys.isInSequence)
        #expect(keys.settle() == [KeyStroke(.escape)])
        #expect(keys.settle().isEmpty)
    }

    @Test func garbage_neverGrowsWithoutEnd() {
        var keys = TerminalKeys()
        for _ in 0..<1000 { _ = keys.take(0x1B) }
        _ = keys.take(UInt8(ascii: "["))
        for _ in 0..<1000 { _ = keys.take(UInt8(ascii: "0")) }
        // At most one sequence is still open, and a final byte ends it.
        _ = keys.take(UInt8(ascii: "~"))
        #expect(keys.take(UInt8(ascii: "a")).count <= 1)
    }
}
