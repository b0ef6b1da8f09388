/// ACPI machine language, put together from typed pieces (ACPI specification 6.3, chapter 20).
///
/// Each value is a piece of encoded AML: an object, or a term that makes one.
public struct AML: Equatable, Sendable {
    /// The encoded bytes.
    public let bytes: [UInt8]

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    private enum Opcode {
        static let zero: UInt8 = 0x00
        static let one: UInt8 = 0x01
        static let name: UInt8 = 0x08
        static let bytePrefix: UInt8 = 0x0A
        static let wordPrefix: UInt8 = 0x0B
        static let doubleWordPrefix: UInt8 = 0x0C
        static let stringPrefix: UInt8 = 0x0D
        static let quadWordPrefix: UInt8 = 0x0E
        static let scope: UInt8 = 0x10
        static let buffer: UInt8 = 0x11
        static let package: UInt8 = 0x12
        static let device: [UInt8] = [0x5B, 0x82]
    }

    // MARK: Data

    /// An integer, in the shortest form that holds it.
    public static func integer(_ value: UInt64) -> AML {
        switch value {
        case 0: AML([Opcode.zero])
        case 1: AML([Opcode.one])
        case ...0xFF: AML([Opcode.bytePrefix, UInt8(value)])
        case ...0xFFFF: AML([Opcode.wordPrefix] + littleEndian(value, count: 2))
        case ...0xFFFF_FFFF: AML([Opcode.doubleWordPrefix] + littleEndian(value, count: 4))
        default: AML([Opcode.quadWordPrefix] + littleEndian(value, count: 8))
        }
    }

    /// A string of ASCII characters.
    public static func string(_ text: StaticString) -> AML {
        AML([Opcode.stringPrefix] + ascii(text) + [0])
    }

    /// The number that stands for a Plug and Play identifier such as "PNP0501" (19.3.4, EISAID): three letters of
    /// 5 bits, then four hexadecimal digits, most significant byte first.
    public static func eisaIdentifier(_ text: StaticString) -> AML {
        var value: UInt32 = 0
        for (index, character) in ascii(text).enumerated() {
            if index < 3 {
                value = value << 5 | UInt32(character & 0x1F)
            } else {
                let isDigit = character < 0x41
                value = value << 4 | UInt32(isDigit ? character & 0xF : (character & 0x1F) + 9)
            }
        }
        // Always in four bytes, however small the number is after swapping.
        return AML([Opcode.doubleWordPrefix] + littleEndian(UInt64(value.byteSwapped), count: 4))
    }

    /// A package of at most 255 elements.
    public static func package(_ elements: [AML]) -> AML {
        AML([Opcode.package] + withLength([UInt8(truncatingIfNeeded: elements.count)] + joined(elements)))
    }

    /// A buffer.
    public static func buffer(_ bytes: [UInt8]) -> AML {
        AML([Opcode.buffer] + withLength(integer(UInt64(bytes.count)).bytes + bytes))
    }

    /// A buffer of resource descriptors with its end tag, as _CRS gives it (6.4).
    public static func resourceTemplate(_ resources: [ACPIResource]) -> AML {
        let endTag: [UInt8] = [0x79, 0x00]  // a checksum of 0 means: not to be checked
        return buffer(resources.flatMap { $0.bytes } + endTag)
    }

    // MARK: Named objects

    /// `Name (name, value)`.
    public static func name(_ name: StaticString, _ value: AML) -> AML {
        AML([Opcode.name] + nameString(name) + value.bytes)
    }

    /// `Scope (name) { … }`.
    public static func scope(_ name: StaticString, _ contents: [AML]) -> AML {
        AML([Opcode.scope] + withLength(nameString(name) + joined(contents)))
    }

    /// `Device (name) { … }`.
    public static func device(_ name: StaticString, _ contents: [AML]) -> AML {
        AML(Opcode.device + withLength(nameString(name) + joined(contents)))
    }

    /// `Device` named by a letter and a number in three hexadecimal digits: `V00A`.
    public static func device(_ letter: Unicode.Scalar, _ number: Int, _ contents: [AML]) -> AML {
        let digits = [8, 4, 0].map { shift -> UInt8 in
            let digit = UInt8(truncatingIfNeeded: number >> shift & 0xF)
            return digit < 10 ? 0x30 + digit : 0x41 + digit - 10
        }
        return AML(Opcode.device + withLength([UInt8(truncatingIfNeeded: letter.value)] + digits + joined(contents)))
    }

    // MARK: Encoding

    /// One after the other.
    static func joined(_ pieces: [AML]) -> [UInt8] { pieces.flatMap { $0.bytes } }

    /// A name: `\` or nothing, then one segment, filled up to four characters with `_` (20.2.2).
    private static func nameString(_ text: StaticString) -> [UInt8] {
        var characters = ascii(text)
        let isRooted = characters.first == 0x5C
        let length = isRooted ? 5 : 4
        while characters.count < length { characters.append(0x5F) }
        return characters
    }

    /// PkgLength, which counts itself, and the contents (20.2.4).
    private static func withLength(_ contents: [UInt8]) -> [UInt8] {
        if contents.count + 1 < 1 << 6 { return [UInt8(contents.count + 1)] + contents }
        for following in 1...3 where contents.count + 1 + following < 1 << (4 + 8 * following) {
            let length = contents.count + 1 + following
            let first = UInt8(following << 6 | length & 0xF)
            return [first] + littleEndian(UInt64(length >> 4), count: following) + contents
        }
        // 256 MiB and more cannot be written; the caller's tables are bounded by 128 KiB.
        return []
    }

    private static func littleEndian(_ value: UInt64, count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
    }

}
