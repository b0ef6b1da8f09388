/// The bytes of a file to be loaded: a view, never a copy, whose every read is checked against its end.
@safe public struct ImageBytes {
    /// The bytes themselves.
    @unsafe public let bytes: UnsafeRawBufferPointer

    /// - Parameter bytes: a mapped file or other memory that stays valid and unchanged while this value, or a part
    ///   of it, is in use.
    @unsafe public init(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = bytes
    }

    /// The number of bytes.
    public var count: Int { unsafe bytes.count }

    /// The little-endian number at an offset, or nil where it is not wholly inside.
    func load<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Number.Type, at offset: UInt64) -> Number? {
        guard let part = slice(at: offset, count: UInt64(MemoryLayout<Number>.size)) else { return nil }
        return unsafe Number(littleEndian: part.bytes.loadUnaligned(as: type))
    }

    /// The part of `count` bytes from an offset, or nil where it is not wholly inside.
    func slice(at offset: UInt64, count: UInt64) -> ImageBytes? {
        let size = UInt64(self.count)
        guard offset <= size, count <= size - offset else { return nil }
        let first = Int(offset)
        return unsafe ImageBytes(UnsafeRawBufferPointer(rebasing: bytes[first..<first + Int(count)]))
    }

    /// Whether the bytes at an offset are these; false where the image ends before.
    func has(_ signature: [UInt8], at offset: UInt64 = 0) -> Bool {
        guard let part = slice(at: offset, count: UInt64(signature.count)) else { return false }
        return unsafe part.bytes.elementsEqual(signature)
    }
}
