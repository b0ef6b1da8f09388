import CZlib
import Host
import Testing

@Suite struct PNGTests {
    @Test func file_takenApart_hasThePixels() throws {
        let colors: [UInt8] = (0..<7 * 5).map { UInt8($0 % 3) }
        let palette: [[UInt8]] = [[0, 0, 0], [255, 128, 1], [9, 8, 7]]
        let file = try PNG.file(width: 7, colors: colors, palette: palette)
        #expect(file.prefix(8) == [0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10])

        func number(_ place: Int) -> Int { file[place..<place + 4].reduce(0) { $0 << 8 | Int($1) } }
        var chunks: [String: [UInt8]] = [:]
        var names: [String] = []
        var place = 8
        while place < file.count {
            let count = number(place)
            let body = Array(file[place + 4..<place + 8 + count])
            #expect(number(place + 8 + count) == Int(crc32(0, body, uInt(body.count))))
            names.append(String(decoding: body.prefix(4), as: UTF8.self))
            chunks[names.last ?? ""] = Array(body.dropFirst(4))
            place += 12 + count
        }
        #expect(names == ["IHDR", "PLTE", "IDAT", "IEND"])
        #expect(chunks["IHDR"] == [0, 0, 0, 7, 0, 0, 0, 5, 8, 3, 0, 0, 0])
        #expect(chunks["PLTE"] == palette.flatMap { $0 })

        var rows = [UInt8](repeating: 0, count: 5 * 8)
        var size = uLong(rows.count)
        let data = try #require(chunks["IDAT"])
        #expect(uncompress(&rows, &size, data, uLong(data.count)) == Z_OK)
        #expect(size == 40)
        for row in 0..<5 {
            #expect(rows[8 * row] == 0)
            #expect(rows[8 * row + 1..<8 * row + 8] == colors[7 * row..<7 * row + 7])
        }
    }
}
