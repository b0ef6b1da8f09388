/// What is wrong with a cpio archive.
public enum CPIOError: Error, Equatable {
    /// A header does not begin with "070701".
    case badMagic(offset: Int)
    /// A header has a digit that is not hexadecimal.
    case badHeader(offset: Int)
    /// It ends in the middle of an entry, or without the trailer.
    case truncated(offset: Int)
}

/// An archive of cpio's format "newc", as QEMU's -initrd gives it. Files are views of it, not copies.
@safe public struct CPIOArchive {
    /// A file.
    @safe public struct File {
        /// Its name, as it is in the archive, without a "./" at its beginning.
        public let name: [UInt8]
        /// What is in it.
        public let data: ImageBytes
    }

    /// The files; folders and the like are left out.
    public private(set) var files: [File] = []

    private static let magic: [UInt8] = [0x30, 0x37, 0x30, 0x37, 0x30, 0x31]
    private static let headerSize: UInt64 = 110

    /// Reads an archive up to its trailer.
    public init(_ image: ImageBytes) throws(CPIOError) {
        var offset: UInt64 = 0
        while true {
            guard let header = image.slice(at: offset, count: Self.headerSize) else {
                throw .truncated(offset: Int(offset))
            }
            guard header.has(Self.magic) else { throw .badMagic(offset: Int(offset)) }
            guard let mode = Self.field(1, of: header), let size = Self.field(6, of: header),
                let nameSize = Self.field(11, of: header)
            else { throw .badHeader(offset: Int(offset)) }
            let nameStart = offset + Self.headerSize
            let dataStart = (nameStart + nameSize + 3) & ~3
            guard nameSize > 0, let name = image.slice(at: nameStart, count: nameSize - 1),
                let data = image.slice(at: dataStart, count: size)
            else { throw .truncated(offset: Int(offset)) }
            var text = unsafe [UInt8](name.bytes)
            if text.elementsEqual("TRAILER!!!".utf8) { return }
            if text.count > 2, text[0] == UInt8(ascii: "."), text[1] == UInt8(ascii: "/") { text.removeFirst(2) }
            // S_IFREG.
            if mode & 0o170000 == 0o100000 { files.append(File(name: text, data: data)) }
            offset = (dataStart + size + 3) & ~3
        }
    }

    /// The file with a name.
    public func file(_ name: [UInt8]) -> ImageBytes? {
        files.first { $0.name == name }?.data
    }

    /// One of the thirteen numbers after the magic, eight hexadecimal digits each.
    private static func field(_ index: UInt64, of header: ImageBytes) -> UInt64? {
        guard let digits = header.slice(at: 6 + 8 * index, count: 8) else { return nil }
        var value: UInt64 = 0
        for byte in unsafe [UInt8](digits.bytes) {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: return nil
            }
            value = value << 4 | UInt64(digit)
        }
        return value
    }
}
