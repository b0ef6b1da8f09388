import Host
import Testing

@Suite struct EscapeFilterTests {
    typealias Outcome = EscapeFilter.Outcome

    @Test(
        arguments: [
            ("x", .command(.stop)), ("X", .command(.stop)), ("h", .command(.help)), ("?", .command(.help)),
            ("s", .command(.statistics)), ("p", .command(.screenshot)), ("b", .command(.sendBreak)),
            ("a", .pass(1)), ("\u{01}", .pass(1)), ("\r", .command(.help)), ("\u{0}", .command(.help)),
        ] as [(Unicode.Scalar, Outcome)])
    func take_afterCtrlA_isTheCommand(key: Unicode.Scalar, expected: Outcome) {
        var filter = EscapeFilter()
        #expect(filter.take(1) == .pending)
        #expect(filter.take(UInt8(ascii: key)) == expected)
        // And the next byte is an ordinary one again.
        #expect(filter.take(UInt8(ascii: "x")) == .pass(UInt8(ascii: "x")))
        #expect(filter == EscapeFilter())
    }

    @Test func take_everyOtherByte_passes() {
        var filter = EscapeFilter()
        for byte in UInt8.min...UInt8.max where byte != EscapeFilter.escape {
            #expect(filter.take(byte) == .pass(byte))
        }
    }

    @Test func helpText_namesEveryKey() {
        for key in ["x", "s", "b", "a", "h"] { #expect(EscapeFilter.helpText.contains("Ctrl-A \(key) ")) }
    }
}
