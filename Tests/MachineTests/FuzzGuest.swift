import Devices
import Foundation
import GuestMemory
import Host
import Machine
import Synchronization
import TestGuests

/// The guest that reads and writes everything at random (Tests/Guests/fuzz.S), and what is looked at afterwards.
struct FuzzGuest {
    /// Which of its tables it uses.
    enum Table: UInt32 {
        /// Without what ends the machine: all rounds are made, and it ends with status 0.
        case fenced = 0
        /// With everything.
        case wild = 1
    }

    /// From which sector on the fenced table addresses none: 64 is the end of the addresses, 65,536 the most that a
    /// command goes on for.
    static let fence = 64 + 65_536
    private static let progressAddress = TestProgram.address + 16

    let seed: UInt32
    let rounds: UInt32
    let table: Table

    /// The flat binary for ``TestProgram/address``.
    var bytes: [UInt8] {
        let guest = test_guest_fuzz()
        var bytes = Array(UnsafeBufferPointer(start: guest.bytes, count: guest.end - guest.bytes))
        for (index, number) in [seed, rounds, table.rawValue].enumerated() {
            withUnsafeBytes(of: number.littleEndian) { bytes.replaceSubrange(4 + 4 * index..<8 + 4 * index, with: $0) }
        }
        return bytes
    }

    /// A BIOS image that copies the guest to where it runs, so that there is a device for firmware to ask.
    var firmware: [UInt8] {
        let guest = bytes
        var image = [UInt8](repeating: 0xF4, count: 0x1_0000)
        image.replaceSubrange(0..<guest.count, with: guest)
        let copier: [UInt8] = [
            0xFC,  // cld
            0xB8, 0x00, 0xF0,  // movw $0xF000, %ax
            0x8E, 0xD8,  // movw %ax, %ds
            0x31, 0xC0,  // xorw %ax, %ax
            0x8E, 0xC0,  // movw %ax, %es
            0x31, 0xF6,  // xorw %si, %si
            0xBF, 0x00, 0x80,  // movw $0x8000, %di
            0xB9, 0x00, 0x40,  // movw $0x4000, %cx
            0xF3, 0xA4,  // rep movsb
            0xEA, 0x00, 0x80, 0x00, 0x00,  // ljmp $0, $0x8000
        ]
        precondition(guest.count <= 0x4000)
        image.replaceSubrange(0xFF00..<0xFF00 + copier.count, with: copier)
        image.replaceSubrange(0xFFF0..<0xFFF5, with: [0xEA, 0x00, 0xFF, 0x00, 0xF0])  // ljmp $0xF000, $0xFF00
        return image
    }

    /// How many rounds have been made.
    static func progress(_ machine: Machine) throws -> UInt32 {
        try machine.memory.read(UInt32.self, at: progressAddress)
    }

    /// Runs a machine with it to its end, while the host types, sends characters and looks at the screen. A guest that
    /// makes no more rounds has stopped its processor: that machine is stopped.
    static func run(_ machine: Machine) throws -> StopReason {
        try machine.start()
        var character: UInt8 = 0
        var last = (progress: try progress(machine), time: ContinuousClock.now)
        while machine.stopReason == nil {
            usleep(2000)
            character &+= 1
            _ = machine.serialPort.receive([character, character &+ 1])
            if let stroke = KeyStroke(ascii: character & 0x7F) { _ = machine.keyboard?.type(stroke) }
            if character % 16 == 0, case .text(let screen)? = machine.screen?.look() {
                _ = screen.terminalText(row: 24, columns: 132)
            }
            let progress = try progress(machine)
            if progress != last.progress {
                last = (progress, .now)
            } else if ContinuousClock.now - last.time > .seconds(60) {
                machine.stop(.stopped)
            }
        }
        return machine.wait()
    }
}

/// A disk that keeps what it should hold beside what it holds: all that was written, sector by sector.
final class WatchedDisk: BlockStore {
    private let store: any BlockStore
    private(set) var written: [UInt64: [UInt8]] = [:]
    /// Requests that no drive may make.
    private(set) var violations: [String] = []

    init(_ store: any BlockStore) {
        self.store = store
    }

    var sectorCount: UInt64 { store.sectorCount }
    var isReadOnly: Bool { store.isReadOnly }

    private func check(_ sector: UInt64, _ bytes: Int) {
        if bytes == 0 || bytes % sectorSize != 0 || sector + UInt64(bytes / sectorSize) > sectorCount {
            violations.append("\(bytes) bytes at sector \(sector)")
        }
    }

    func read(sector: UInt64, into target: inout MutableRawSpan) -> BlockResult {
        check(sector, target.byteCount)
        return store.read(sector: sector, into: &target)
    }

    func write(_ source: RawSpan, sector: UInt64) -> BlockResult {
        check(sector, source.byteCount)
        if isReadOnly { violations.append("a write to a disk that is only read") }
        source.withUnsafeBytes { bytes in
            for index in 0..<bytes.count / sectorSize {
                written[sector + UInt64(index)] = Array(bytes[index * sectorSize..<(index + 1) * sectorSize])
            }
        }
        return store.write(source, sector: sector)
    }

    func flush() -> BlockResult { store.flush() }
}
