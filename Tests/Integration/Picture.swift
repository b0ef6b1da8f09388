import CZlib
import Foundation
import Testing

/// A picture: red, green and blue for each pixel, row by row.
struct Picture {
    let width: Int
    let height: Int
    private var colors: [[UInt8]] = []

    /// - Parameter color: red, green and blue of the pixel in a column and a row.
    init(width: Int, height: Int, color: (_ column: Int, _ row: Int) -> [UInt8]) {
        self.width = width
        self.height = height
        for row in 0..<height { for column in 0..<width { colors.append(color(column, row)) } }
    }

    /// Takes a PNG file with a palette apart, whose rows are unfiltered.
    init(contentsOf path: String) throws {
        let file = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        func number(_ place: Int) -> Int { file[place..<place + 4].reduce(0) { $0 << 8 | Int($1) } }
        (width, height) = (number(16), number(20))
        var palette: [UInt8] = []
        var rows = [UInt8](repeating: 0, count: height * (width + 1))
        var place = 8
        while place < file.count {
            let count = number(place)
            let body = Array(file[place + 8..<place + 8 + count])
            switch String(decoding: file[place + 4..<place + 8], as: UTF8.self) {
            case "PLTE": palette = body
            case "IDAT":
                var size = uLong(rows.count)
                try #require(uncompress(&rows, &size, body, uLong(body.count)) == Z_OK)
                try #require(size == uLong(rows.count))
            default: break
            }
            place += 12 + count
        }
        for row in 0..<height {
            let start = row * (width + 1)
            try #require(rows[start] == 0)
            for index in rows[start + 1...start + width] {
                colors.append(Array(palette[3 * Int(index)..<3 * Int(index) + 3]))
            }
        }
    }

    func color(_ column: Int, _ row: Int) -> [UInt8] { colors[row * width + column] }

    /// What to say of two pictures that are not the same in each pixel; nil when they are.
    func difference(from other: Picture) -> String? {
        guard (width, height) == (other.width, other.height) else {
            return "\(width) by \(height) pixels and not \(other.width) by \(other.height)"
        }
        let places = colors.indices.filter { colors[$0] != other.colors[$0] }
        guard let first = places.first else { return nil }
        return "\(places.count) of \(colors.count) pixels, first (\(first % width), \(first / width)): "
            + "\(colors[first]) and not \(other.colors[first])"
    }
}
