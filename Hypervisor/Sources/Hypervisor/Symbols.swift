import Boot

/// The names of this program's functions: the file "symbols" of the boot bundle, if it has one. Each line is an address in
/// 16 hexadecimal digits, a space and a name, in the order of the addresses.
enum Symbols {
    // Kept for the program's death, which can ask nobody: this belongs to the console's state.
    nonisolated(unsafe) private static var start: UInt64 = 0
    nonisolated(unsafe) private static var size = 0

    /// Remembers where the names are.
    static func use(_ file: ImageBytes) {
        unsafe start = UInt64(UInt(bitPattern: file.bytes.baseAddress))
        unsafe size = file.count
    }

    /// The name of the function that an address is in, with the offset from its beginning; empty when it is not known.
    static func name(of address: UInt64) -> String {
        guard let bytes = unsafe UnsafePointer<UInt8>(bitPattern: UInt(start)) else { return "" }
        var found: (value: UInt64, line: Int)?
        var place = 0
        while unsafe place + 17 < size {
            guard let value = unsafe number(bytes + place), value <= address else { break }
            found = (value, place + 17)
            while unsafe place < size && bytes[place] != UInt8(ascii: "\n") { place += 1 }
            place += 1
        }
        guard let found else { return "" }
        var name: [UInt8] = []
        var index = found.line
        while unsafe index < size && bytes[index] != UInt8(ascii: "\n") {
            unsafe name.append(bytes[index])
            index += 1
        }
        return " \(text(name)) + \(address - found.value)"
    }

    @unsafe private static func number(_ digits: UnsafePointer<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for index in 0..<16 {
            let digit = unsafe digits[index]
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }
}
