/// What a person does to type one character on a keyboard of the USA: one key, with Shift, Ctrl or Alt held.
///
/// At most three keys, so that all their codes have room in the keyboard.
public struct KeyStroke: Equatable, Sendable {
    /// The keys, those that are held first.
    public let keys: [Key]

    /// - Parameters:
    ///   - key: the key.
    ///   - modifier: what is held meanwhile.
    public init(_ key: Key, holding modifier: Key? = nil) {
        keys = modifier.map { [$0, key] } ?? [key]
    }

    /// How a character of ASCII is typed; nil for one that has no keys: 0, and what is no ASCII.
    public init?(ascii byte: UInt8) {
        switch byte {
        case 0x08, 0x7F: self.init(.backspace)
        case 0x09: self.init(.tab)
        case 0x0A, 0x0D: self.init(.enter)
        case 0x1B: self.init(.escape)
        case 0x01...0x1A:
            // Ctrl and a letter.
            guard let letter = Self.key(of: byte + 0x60)?.key else { return nil }
            self.init(letter, holding: .leftControl)
        case 0x1C...0x1F:
            let sign = [UInt8(ascii: "\\"), UInt8(ascii: "]"), UInt8(ascii: "6"), UInt8(ascii: "-")][Int(byte - 0x1C)]
            guard let key = Self.key(of: sign)?.key else { return nil }
            self.init(key, holding: .leftControl)
        default:
            guard let (key, isShifted) = Self.key(of: byte) else { return nil }
            self.init(key, holding: isShifted ? .leftShift : nil)
        }
    }

    private static func key(of byte: UInt8) -> (key: Key, isShifted: Bool)? {
        for (code, plain, shifted) in layout {
            if byte == plain { return (Key(code), false) }
            if byte == shifted { return (Key(code), true) }
        }
        return nil
    }

    private typealias Row = (code: UInt8, plain: UInt8, shifted: UInt8)

    /// Scan code of set 2, and the key's characters without and with Shift.
    private static let layout: [Row] = [
        (0x0E, "`", "~"), (0x16, "1", "!"), (0x1E, "2", "@"), (0x26, "3", "#"), (0x25, "4", "$"), (0x2E, "5", "%"),
        (0x36, "6", "^"), (0x3D, "7", "&"), (0x3E, "8", "*"), (0x46, "9", "("), (0x45, "0", ")"), (0x4E, "-", "_"),
        (0x55, "=", "+"), (0x15, "q", "Q"), (0x1D, "w", "W"), (0x24, "e", "E"), (0x2D, "r", "R"), (0x2C, "t", "T"),
        (0x35, "y", "Y"), (0x3C, "u", "U"), (0x43, "i", "I"), (0x44, "o", "O"), (0x4D, "p", "P"), (0x54, "[", "{"),
        (0x5B, "]", "}"), (0x5D, "\\", "|"), (0x1C, "a", "A"), (0x1B, "s", "S"), (0x23, "d", "D"), (0x2B, "f", "F"),
        (0x34, "g", "G"), (0x33, "h", "H"), (0x3B, "j", "J"), (0x42, "k", "K"), (0x4B, "l", "L"), (0x4C, ";", ":"),
        (0x52, "'", "\""), (0x1A, "z", "Z"), (0x22, "x", "X"), (0x21, "c", "C"), (0x2A, "v", "V"), (0x32, "b", "B"),
        (0x31, "n", "N"), (0x3A, "m", "M"), (0x41, ",", "<"), (0x49, ".", ">"), (0x4A, "/", "?"), (0x29, " ", " "),
    ].map { (code: UInt8, plain: Unicode.Scalar, shifted: Unicode.Scalar) in
        (code, UInt8(ascii: plain), UInt8(ascii: shifted))
    }
}

/// Finds the keys behind what a terminal sends: characters, and escape sequences of keys that have no character.
///
/// Source: ECMA-48 for the form of the sequences; xterm's "Control Sequences" for the keys' own.
public struct TerminalKeys: Equatable, Sendable {
    private var sequence: [UInt8] = []

    /// Between two keys.
    public init() {}

    /// Takes a byte.
    /// - Returns: the strokes that it completes. What belongs to no key of this keyboard is dropped.
    public mutating func take(_ byte: UInt8) -> [KeyStroke] {
        if sequence.isEmpty {
            if byte == Self.escape {
                sequence = [byte]
                return []
            }
            return KeyStroke(ascii: byte).map { [$0] } ?? []
        }
        if sequence == [Self.escape], byte != UInt8(ascii: "["), byte != UInt8(ascii: "O") {
            // Esc was a key of its own, or, before a character, Alt.
            sequence = []
            if byte == Self.escape {
                sequence = [byte]
                return [KeyStroke(.escape)]
            }
            guard let stroke = KeyStroke(ascii: byte), stroke.keys.count == 1 else { return [KeyStroke(.escape)] }
            return [KeyStroke(stroke.keys[0], holding: .leftAlt)]
        }
        sequence.append(byte)
        let isFinal = sequence.count > 2 && (0x40...0x7E).contains(byte)
        guard isFinal || sequence.count > 8 else { return [] }
        defer { sequence = [] }
        return Self.key(of: sequence).map { [KeyStroke($0)] } ?? []
    }

    /// The terminal has sent nothing for a while: an Esc that waits for more was the key.
    public mutating func settle() -> [KeyStroke] {
        defer { sequence = [] }
        return sequence == [Self.escape] ? [KeyStroke(.escape)] : []
    }

    /// Whether a sequence has begun.
    public var isInSequence: Bool { !sequence.isEmpty }

    private static let escape: UInt8 = 0x1B

    private static func key(of sequence: [UInt8]) -> Key? {
        guard let last = sequence.last else { return nil }
        switch last {
        case UInt8(ascii: "A"): return .up
        case UInt8(ascii: "B"): return .down
        case UInt8(ascii: "C"): return .right
        case UInt8(ascii: "D"): return .left
        case UInt8(ascii: "H"): return .home
        case UInt8(ascii: "F"): return .end
        case UInt8(ascii: "P")...UInt8(ascii: "S"): return Key.functions[Int(last - UInt8(ascii: "P"))]
        case UInt8(ascii: "~"):
            var number = 0
            for digit in sequence.dropFirst(2) {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { break }
                number = number * 10 + Int(digit - UInt8(ascii: "0"))
            }
            return numbered(number)
        default: return nil
        }
    }

    private static func numbered(_ number: Int) -> Key? {
        switch number {
        case 1, 7: .home
        case 2: .insert
        case 3: .delete
        case 4, 8: .end
        case 5: .pageUp
        case 6: .pageDown
        case 11...15: Key.functions[number - 11]
        case 17...21: Key.functions[number - 12]
        case 23...24: Key.functions[number - 13]
        default: nil
        }
    }
}
