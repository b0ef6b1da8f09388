internal import CZlib

/// A picture with at most 256 colors as a PNG file.
///
/// Source: W3C, Portable Network Graphics (Third Edition), sections 5 and 11.
public enum PNG {
    /// Makes the file.
    /// - Parameters:
    ///   - width: pixels in a row.
    ///   - colors: for each pixel, row by row, the number of its color.
    ///   - palette: the colors: red, green and blue, 0 to 255 each; at most 256.
    public static func file(width: Int, colors: [UInt8], palette: [[UInt8]]) throws(HostError) -> [UInt8] {
        let height = width > 0 ? colors.count / width : 0
        var rows: [UInt8] = []
        rows.reserveCapacity(colors.count + height)
        for row in 0..<height {
            rows.append(0)  // filter: none
            rows += colors[row * width..<(row + 1) * width]
        }
        var size = compressBound(uLong(rows.count))
        var data = [UInt8](repeating: 0, count: Int(size))
        guard compress2(&data, &size, rows, uLong(rows.count), Z_BEST_COMPRESSION) == Z_OK else {
            throw HostError("compress", "a picture", because: "there is not enough memory", hint: "free some")
        }
        let header = bigEndian(UInt32(width)) + bigEndian(UInt32(height)) + [8, 3, 0, 0, 0]  // 8 bits, by a palette
        return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + chunk("IHDR", header)
            + chunk("PLTE", palette.flatMap { $0 }) + chunk("IDAT", Array(data.prefix(Int(size)))) + chunk("IEND", [])
    }

    private static func chunk(_ type: String, _ contents: [UInt8]) -> [UInt8] {
        let body = Array(type.utf8) + contents
        return bigEndian(UInt32(contents.count)) + body
            + bigEndian(UInt32(truncatingIfNeeded: crc32(0, body, uInt(body.count))))
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }
}
