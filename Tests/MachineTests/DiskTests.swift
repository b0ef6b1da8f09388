import Devices
import Host
import Machine
import Synchronization
import Testing

/// Counts the exits at a port.
private final class PortCount: ExitObserver, @unchecked Sendable {
    // Unchecked: constants and an atomic.
    private let port: UInt64
    private let count = Atomic<Int>(0)

    init(port: UInt64) { self.port = port }

    func observe(_ record: ExitRecord) {
        if record.kind == .portIn, record.address == port { count.add(1, ordering: .relaxed) }
    }

    var value: Int { count.load(ordering: .relaxed) }
}

/// A machine that boots its disk's first sector, without any BIOS.
struct DiskTests {
    /// Reads sector 1 of drive 0 by string input, and ends with its first byte as status.
    private static let reader: [UInt8] = [
        0xBA, 0xF2, 0x01,  // movw $0x1F2, %dx     one sector
        0xB0, 0x01, 0xEE,  // movb $1, %al; outb %al, %dx
        0x42, 0xB0, 0x01, 0xEE,  // incw %dx; movb $1, %al; outb %al, %dx     address 1
        0x42, 0x30, 0xC0, 0xEE,  // incw %dx; xorb %al, %al; outb %al, %dx
        0x42, 0xEE,  // incw %dx; outb %al, %dx
        0x42, 0xB0, 0xE0, 0xEE,  // incw %dx; movb $0xE0, %al; outb %al, %dx     LBA, drive 0
        0x42, 0xB0, 0x20, 0xEE,  // incw %dx; movb $0x20, %al; outb %al, %dx     READ SECTORS
        0xEC, 0xA8, 0x08, 0x74, 0xFB,  // 1: inb %dx, %al; testb $8, %al; jz 1b
        0xBA, 0xF0, 0x01,  // movw $0x1F0, %dx
        0xB9, 0x00, 0x01,  // movw $256, %cx
        0x31, 0xC0, 0x8E, 0xC0,  // xorw %ax, %ax; movw %ax, %es
        0xBF, 0x00, 0x80,  // movw $0x8000, %di
        0xFC, 0xF3, 0x6D,  // cld; rep insw
        0xA0, 0xFF, 0x81,  // movb 0x81FF, %al     the last byte
        0xE6, 0xF4,  // outb %al, $0xF4
        0xEB, 0xFE,  // 2: jmp 2b
    ]

    private static func image(_ program: [UInt8]) -> [UInt8] {
        let boot = program + [UInt8](repeating: 0, count: 510 - program.count) + [0x55, 0xAA]
        return boot + [UInt8](repeating: 0x2A, count: 512)
    }

    private func run(_ store: any BlockStore, observer: PortCount? = nil) throws -> StopReason {
        let configuration = MachineConfiguration(
            guest: .disk, memoryBytes: 1 << 20, disks: [MachineConfiguration.Disk(path: "memory")])
        return try Machine(
            configuration,
            environment: MachineEnvironment(
                console: ConsoleText(), clock: MonotonicClock(), observer: observer, disks: [store])
        ).run()
    }

    @Test func bootSector_readsItsDiskByOneExitASector() throws {
        let data = PortCount(port: 0x1F0)
        let reason = try run(MemoryDisk(Self.image(Self.reader)), observer: data)
        #expect(reason == .guestExit(status: 0x2A))
        #expect(data.value == 1)
    }

    @Test func image_inAFile_isBootedAndUnlockedAfterwards() throws {
        let file = try TestFile(Self.image(Self.reader))
        for access in MachineConfiguration.Disk.Access.allCases {
            let configuration = MachineConfiguration(
                guest: .disk, memoryBytes: 1 << 20, disks: [MachineConfiguration.Disk(path: file.path, access: access)])
            #expect(try Machine(configuration).run() == .guestExit(status: 0x2A))
        }
    }

    @Test func sameImageTwice_isRefused() throws {
        let file = try TestFile(Self.image(Self.reader))
        let disk = MachineConfiguration.Disk(path: file.path)
        let configuration = MachineConfiguration(guest: .disk, memoryBytes: 1 << 20, disks: [disk, disk])
        #expect { try Machine(configuration) } throws: { "\($0)".contains("another program uses it") }
    }

    @Test func diskWithoutSignature_isRefused() {
        #expect { try run(MemoryDisk([UInt8](repeating: 0, count: 512))) } throws: { "\($0)".contains("no signature") }
    }
}
