/// A key of a PC's keyboard with 102 keys, by its scan code of set 2, which is what keyboards send.
///
/// Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)", scan codes.
public struct Key: Equatable, Hashable, Sendable {
    /// The scan code of set 2.
    public let code: UInt8
    /// Whether 0xE0 comes before it: a key that the PC's first keyboard did not have.
    public let isExtended: Bool

    /// - Parameters:
    ///   - code: the scan code of set 2.
    ///   - isExtended: whether 0xE0 comes before it.
    public init(_ code: UInt8, isExtended: Bool = false) {
        self.code = code
        self.isExtended = isExtended
    }

    /// Esc.
    public static let escape = Key(0x76)
    /// Backspace.
    public static let backspace = Key(0x66)
    /// Tab.
    public static let tab = Key(0x0D)
    /// Enter.
    public static let enter = Key(0x5A)
    /// The space bar.
    public static let space = Key(0x29)
    /// The left Shift.
    public static let leftShift = Key(0x12)
    /// The left Ctrl.
    public static let leftControl = Key(0x14)
    /// The left Alt.
    public static let leftAlt = Key(0x11)
    /// The arrow up.
    public static let up = Key(0x75, isExtended: true)
    /// The arrow down.
    public static let down = Key(0x72, isExtended: true)
    /// The arrow to the left.
    public static let left = Key(0x6B, isExtended: true)
    /// The arrow to the right.
    public static let right = Key(0x74, isExtended: true)
    /// Home.
    public static let home = Key(0x6C, isExtended: true)
    /// End.
    public static let end = Key(0x69, isExtended: true)
    /// Page Up.
    public static let pageUp = Key(0x7D, isExtended: true)
    /// Page Down.
    public static let pageDown = Key(0x7A, isExtended: true)
    /// Insert.
    public static let insert = Key(0x70, isExtended: true)
    /// Delete.
    public static let delete = Key(0x71, isExtended: true)
    /// F1 to F12.
    public static let functions: [Key] = [
        Key(0x05), Key(0x06), Key(0x04), Key(0x0C), Key(0x03), Key(0x0B), Key(0x83), Key(0x0A), Key(0x01), Key(0x09),
        Key(0x78), Key(0x07),
    ]
}

/// Scan codes of set 2 and what they are in set 1.
public enum ScanCodes {
    /// The byte before the code of a key that is let go, in set 2.
    public static let release: UInt8 = 0xF0
    /// The byte before the code of a key that the first keyboard did not have, in both sets.
    public static let extended: UInt8 = 0xE0

    /// The code of set 1 for a byte of set 2. What is no key's code stays as it is.
    ///
    /// It is the table in the keyboard controller, which software sees as long as it has not turned translation off.
    public static func set1(fromSet2 code: UInt8) -> UInt8 {
        Int(code) < table.count ? table[Int(code)] : code
    }

    private static let table: [UInt8] = [
        0xFF, 0x43, 0x41, 0x3F, 0x3D, 0x3B, 0x3C, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3E, 0x0F, 0x29, 0x59,
        0x65, 0x38, 0x2A, 0x70, 0x1D, 0x10, 0x02, 0x5A, 0x66, 0x71, 0x2C, 0x1F, 0x1E, 0x11, 0x03, 0x5B,
        0x67, 0x2E, 0x2D, 0x20, 0x12, 0x05, 0x04, 0x5C, 0x68, 0x39, 0x2F, 0x21, 0x14, 0x13, 0x06, 0x5D,
        0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5E, 0x6A, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5F,
        0x6B, 0x33, 0x25, 0x17, 0x18, 0x0B, 0x0A, 0x60, 0x6C, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0C, 0x61,
        0x6D, 0x73, 0x28, 0x74, 0x1A, 0x0D, 0x62, 0x6E, 0x3A, 0x36, 0x1C, 0x1B, 0x75, 0x2B, 0x63, 0x76,
        0x55, 0x56, 0x77, 0x78, 0x79, 0x7A, 0x0E, 0x7B, 0x7C, 0x4F, 0x7D, 0x4B, 0x47, 0x7E, 0x7F, 0x6F,
        0x52, 0x53, 0x50, 0x4C, 0x4D, 0x48, 0x01, 0x45, 0x57, 0x4E, 0x51, 0x4A, 0x37, 0x49, 0x46, 0x54,
        0x80, 0x81, 0x82, 0x41, 0x54,
    ]
}

/// Turns scan codes of set 2 into those of set 1, one byte at a time.
public struct ScanCodeTranslation: Equatable, Sendable {
    private var isRelease = false

    /// Between two keys.
    public init() {}

    /// Takes a byte of set 2.
    /// - Returns: the byte of set 1, in which bit 7 says that the key was let go; nil where it takes another byte.
    public mutating func take(_ byte: UInt8) -> UInt8? {
        if byte == ScanCodes.release {
            isRelease = true
            return nil
        }
        defer { isRelease = false }
        let code = ScanCodes.set1(fromSet2: byte)
        return isRelease ? code | 0x80 : code
    }
}
