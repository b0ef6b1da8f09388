/// Takes the monitor's own commands out of what the user types: Ctrl-A and one more key.
///
/// A pure state machine, one byte at a time. Only for terminals: a pipe's bytes all belong to the guest.
public struct EscapeFilter: Equatable, Sendable {
    /// What the user asks of the monitor.
    public enum Command: Equatable, Sendable {
        /// Ctrl-A x: end the machine.
        case stop
        /// Ctrl-A h, and Ctrl-A with any key that means nothing: show `helpText`.
        case help
        /// Ctrl-A s: show the statistics.
        case statistics
        /// Ctrl-A p: a picture of the screen, for machines that have one.
        case screenshot
        /// Ctrl-A b: a break condition on the guest's serial line.
        case sendBreak
    }

    /// What became of a byte.
    public enum Outcome: Equatable, Sendable {
        /// The guest gets this byte.
        case pass(UInt8)
        /// The monitor is asked for something; the guest gets nothing.
        case command(Command)
        /// Ctrl-A itself: the next byte decides.
        case pending
    }

    /// Ctrl-A, the byte that begins a command.
    public static let escape: UInt8 = 0x01

    /// What each key does, one line per key, for a terminal (`\r\n`).
    public static let helpText =
        "\r\nCtrl-A x  stop the machine\r\n"
        + "Ctrl-A s  show statistics\r\n"
        + "Ctrl-A p  save the screen as text and as a picture\r\n"
        + "Ctrl-A b  send a break\r\n"
        + "Ctrl-A a  send Ctrl-A (so does Ctrl-A Ctrl-A)\r\n"
        + "Ctrl-A h  show this help (so does Ctrl-A ?)\r\n"

    private var isEscaped = false

    /// Begins outside a command.
    public init() {}

    /// Takes the next byte that was typed. Letters may be upper or lower case.
    public mutating func take(_ byte: UInt8) -> Outcome {
        guard isEscaped else {
            isEscaped = byte == EscapeFilter.escape
            return isEscaped ? .pending : .pass(byte)
        }
        isEscaped = false
        switch byte {
        case EscapeFilter.escape, UInt8(ascii: "a"), UInt8(ascii: "A"): return .pass(EscapeFilter.escape)
        case UInt8(ascii: "x"), UInt8(ascii: "X"): return .command(.stop)
        case UInt8(ascii: "s"), UInt8(ascii: "S"): return .command(.statistics)
        case UInt8(ascii: "p"), UInt8(ascii: "P"): return .command(.screenshot)
        case UInt8(ascii: "b"), UInt8(ascii: "B"): return .command(.sendBreak)
        default: return .command(.help)
        }
    }
}
