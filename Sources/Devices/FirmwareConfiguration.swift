public import GuestMemory

/// The monitor's way to tell firmware about the machine: numbered items and named files, as QEMU's fw_cfg device has
/// them, which SeaBIOS asks.
///
/// Offset 0 (port 0x510) selects an item, 2 bytes; offset 1 (port 0x511) reads it byte by byte; offsets 4 to 11 (ports
/// 0x514 to 0x51B) take the address of a request for direct memory access, high half first, both big-endian.
///
/// Source: QEMU's documentation, "QEMU Firmware Configuration (fw_cfg) Device".
public final class FirmwareConfiguration: Device {
    /// How many ports it has.
    public static let portCount: UInt64 = 12

    /// Items with numbers of their own.
    public enum Item {
        /// "QEMU": the device is there.
        public static let signature: UInt16 = 0x00
        /// Bit 0: byte by byte; bit 1: direct memory access.
        public static let interfaces: UInt16 = 0x01
        /// The number of CPUs, 2 bytes.
        public static let cpuCount: UInt16 = 0x05
        /// The largest local APIC identifier plus 1, 2 bytes.
        public static let maximumCPUCount: UInt16 = 0x0F
        /// The directory of files.
        public static let directory: UInt16 = 0x19
        /// The first file.
        public static let firstFile: UInt16 = 0x20
    }

    /// A file.
    public struct File: Equatable, Sendable {
        /// Its name, at most 55 bytes.
        public let name: String
        /// What is in it.
        public let bytes: [UInt8]

        /// - Parameters:
        ///   - name: at most 55 bytes.
        ///   - bytes: what is in it.
        public init(_ name: String, _ bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
        }
    }

    private typealias NumberedItem = (key: UInt16, bytes: [UInt8])

    private var items: [NumberedItem]
    private let memory: GuestMemory
    private var selected: [UInt8] = []
    private var position = 0
    private var requestHigh: UInt32 = 0

    /// - Parameters:
    ///   - files: the files, which the directory lists by name.
    ///   - cpus: the number of CPUs.
    ///   - memory: what requests for direct memory access reach.
    public init(files: [File], cpus: Int, memory: GuestMemory) {
        self.memory = memory
        let count = UInt16(clamping: cpus)
        items = [
            (Item.signature, Array("QEMU".utf8)), (Item.interfaces, [0x03, 0, 0, 0]),
            (Item.cpuCount, [UInt8(truncatingIfNeeded: count), UInt8(truncatingIfNeeded: count >> 8)]),
            (Item.maximumCPUCount, [UInt8(truncatingIfNeeded: count), UInt8(truncatingIfNeeded: count >> 8)]),
        ]
        let sorted = files.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        var directory = Self.bigEndian(UInt32(sorted.count))
        for (index, file) in sorted.enumerated() {
            let key = Item.firstFile + UInt16(index)
            directory += Self.bigEndian(UInt32(file.bytes.count))
            directory += [UInt8(truncatingIfNeeded: key >> 8), UInt8(truncatingIfNeeded: key), 0, 0]
            let name = Array(file.name.utf8.prefix(55))
            directory += name + [UInt8](repeating: 0, count: 56 - name.count)
            items.append((key, file.bytes))
        }
        items.append((Item.directory, directory))
    }

    /// Reads the selected item, or the signature of direct memory access.
    public func read(offset: UInt64, width: AccessWidth) -> UInt64 {
        switch offset {
        case 1:
            var value: UInt64 = 0
            for index in 0..<min(width, 8) { value |= UInt64(next()) << UInt64(8 * index) }
            return value
        case 4...11:
            let signature: [UInt8] = Array("QEMU CFG".utf8)
            var value: UInt64 = 0
            for index in 0..<min(width, 12 - Int(offset)) {
                value |= UInt64(signature[Int(offset) - 4 + index]) << UInt64(8 * index)
            }
            return value
        default: return 0
        }
    }

    /// Selects an item, or asks for direct memory access.
    public func write(_ value: UInt64, offset: UInt64, width: AccessWidth) {
        switch (offset, width) {
        case (0, 2): select(UInt16(truncatingIfNeeded: value))
        case (4, 4): requestHigh = UInt32(truncatingIfNeeded: value).byteSwapped
        case (8, 4):
            let low = UInt32(truncatingIfNeeded: value).byteSwapped
            serve(UInt64(requestHigh) << 32 | UInt64(low))
            requestHigh = 0
        case (4, 8): serve(value.byteSwapped)
        default: break
        }
    }

    private func select(_ key: UInt16) {
        selected = items.first { $0.key == key }?.bytes ?? []
        position = 0
    }

    private func next() -> UInt8 {
        guard position < selected.count else { return 0 }
        defer { position += 1 }
        return selected[position]
    }

    // MARK: Direct memory access

    private enum Control {
        static let error: UInt32 = 1 << 0
        static let read: UInt32 = 1 << 1
        static let skip: UInt32 = 1 << 2
        static let select: UInt32 = 1 << 3
        static let write: UInt32 = 1 << 4
    }

    /// A request: control (4 bytes, item in the upper half), length (4) and address (8), all big-endian. Its control is
    /// 0 when it has been served, or the error bit.
    private func serve(_ request: UInt64) {
        do throws(GuestMemoryError) {
            let control = try memory.read(UInt32.self, at: request).byteSwapped
            let length = try memory.read(UInt32.self, at: request &+ 4).byteSwapped
            let target = try memory.read(UInt64.self, at: request &+ 8).byteSwapped
            if control & Control.select != 0 { select(UInt16(truncatingIfNeeded: control >> 16)) }
            var result: UInt32 = 0
            if control & Control.read != 0 {
                if !copy(Int(length), to: target) { result = Control.error }
            } else if control & Control.write != 0 {
                result = Control.error  // nothing here is for firmware to write
            } else if control & Control.skip != 0 {
                position = min(selected.count, position + Int(length))
            }
            try memory.write(result.byteSwapped, at: request)
        } catch {
            // The request itself is outside memory: there is nowhere to answer.
        }
    }

    /// Copies what is left of the item, and zeros behind its end.
    private func copy(_ count: Int, to target: UInt64) -> Bool {
        guard memory.contains(target, count: count) else { return false }
        let available = min(count, selected.count - position)
        do throws(GuestMemoryError) {
            try memory.write(Array(selected[position..<position + available]), at: target)
            position += available
            var filled = available
            while filled < count {
                let step = min(count - filled, 4096)
                try memory.write([UInt8](repeating: 0, count: step), at: target + UInt64(filled))
                filled += step
            }
            return true
        } catch {
            return false
        }
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }
}
