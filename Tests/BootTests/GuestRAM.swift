import Boot
import Firmware
import Glibc
import GuestMemory

/// Guest memory of a board for tests, zero-filled, freed with the object.
final class GuestRAM {
    let memory: GuestMemory
    private let storage: [UnsafeMutableRawBufferPointer]

    /// - Parameter ranges: where there is RAM.
    init(_ ranges: [AddressRange]) {
        storage = ranges.map {
            // calloc takes fresh pages from the system, which are zero without being touched.
            UnsafeMutableRawBufferPointer(start: calloc(Int($0.size), 1), count: Int($0.size))
        }
        memory = GuestMemory(
            regions: zip(ranges, storage).map { MemoryRegion(guestAddress: $0.start, bytes: $1) })
    }

    /// RAM from 0.
    convenience init(mebibytes: UInt64) {
        self.init([AddressRange(start: 0, end: mebibytes << 20)])
    }

    deinit { for bytes in storage { free(bytes.baseAddress) } }

    func parameters(
        commandLine: String = "", initrd: ImageBytes? = nil, acpiRootPointer: UInt64? = nil
    ) -> BootParameters {
        BootParameters(
            commandLine: Array(commandLine.utf8), initrd: initrd, memoryMap: E820Map(memory: memory),
            acpiRootPointer: acpiRootPointer)
    }

    func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type, at address: UInt64
    ) throws -> Number {
        try memory.read(type, at: address)
    }
}

/// Lends bytes as an image for the time of a call.
@discardableResult
func withImage<Result>(_ bytes: [UInt8], _ body: (ImageBytes) throws -> Result) rethrows -> Result {
    try bytes.withUnsafeBytes { try body(ImageBytes($0)) }
}

extension [UInt8] {
    /// Stores a little-endian number.
    mutating func store<Number: FixedWidthInteger>(_ value: Number, at offset: Int) {
        for byte in 0..<Number.bitWidth / 8 { self[offset + byte] = UInt8(truncatingIfNeeded: value >> (byte * 8)) }
    }
}
