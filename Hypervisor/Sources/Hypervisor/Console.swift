import Architecture

/// The machine's console, by the firmware's legacy call until the machine's own UART is known.
///
/// This is one of the two places with state of the whole program: whatever dies must be able to tell why.
enum Console {
    /// The address of the UART's registers; 0 while it is not known.
    nonisolated(unsafe) private static var uart: UInt64 = 0

    /// Writes to this UART from now on.
    static func use(uart address: UInt64) { unsafe uart = address }

    /// Whether the machine's own UART is known.
    static var isKnown: Bool { unsafe uart != 0 }

    /// Writes a byte.
    static func write(_ byte: UInt8) {
        if let registers = unsafe UnsafeMutablePointer<UInt8>(bitPattern: UInt(uart)) {
            // LSR bit 5: the transmitter takes a character.
            while unsafe loadVolatile(registers + 5) & 0x20 == 0 {}
            unsafe storeVolatile(registers, byte)
        } else {
            _ = sbi_call(1, 0, UInt64(byte), 0, 0, 0, 0)
        }
    }

    /// The next byte that has been typed, if there is one.
    static func read() -> UInt8? {
        if let registers = unsafe UnsafeMutablePointer<UInt8>(bitPattern: UInt(uart)) {
            guard unsafe loadVolatile(registers + 5) & 1 == 1 else { return nil }
            return unsafe loadVolatile(registers)
        }
        let result = sbi_call(2, 0, 0, 0, 0, 0, 0)
        return result.error < 0 ? nil : UInt8(truncatingIfNeeded: result.error)
    }

    /// Lets the UART interrupt when something has been typed (IER bit 0).
    static func enableInterrupt() {
        guard let registers = unsafe UnsafeMutablePointer<UInt8>(bitPattern: UInt(uart)) else { return }
        unsafe storeVolatile(registers + 1, 1)
    }

    /// Writes a line.
    static func line(_ text: String) {
        for byte in text.utf8 { write(byte) }
        write(UInt8(ascii: "\r"))
        write(UInt8(ascii: "\n"))
    }

    /// Writes bytes as a line.
    static func line(_ prefix: StaticString, _ bytes: [UInt8]) {
        for index in 0..<prefix.utf8CodeUnitCount { unsafe write(prefix.utf8Start[index]) }
        for byte in bytes { write(byte) }
        write(UInt8(ascii: "\r"))
        write(UInt8(ascii: "\n"))
    }
}

@unsafe private func loadVolatile(_ pointer: UnsafeMutablePointer<UInt8>) -> UInt8 {
    unsafe volatile_load_8(pointer)
}

@unsafe private func storeVolatile(_ pointer: UnsafeMutablePointer<UInt8>, _ value: UInt8) {
    unsafe volatile_store_8(pointer, value)
}

/// What Swift's `print` writes by.
@c(putchar) func putchar(_ character: Int32) -> Int32 {
    Console.write(UInt8(truncatingIfNeeded: character))
    return character
}
