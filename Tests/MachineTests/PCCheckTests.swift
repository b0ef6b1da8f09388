import Devices
import Foundation
import GuestImages
import Host
import Machine
import Testing

/// `pc-check` on machines in which something is wrong: it tells of that, and of nothing else.
@Suite(
    .enabled(
        if: ProcessInfo.processInfo.environment["MINIKVM_BED"] == "box",
        "32-bit paging needs the complete KVM of the box"))
struct PCCheckTests {
    private static let image: [UInt8] = {
        for index in 0..<guest_image_count {
            guard let guest = guest_image_at(index)?.pointee, String(cString: guest.name) == "pc-check" else {
                continue
            }
            return Array(UnsafeBufferPointer(start: guest.bytes, count: guest.end - guest.bytes))
        }
        return []
    }()

    /// Runs it.
    /// - Returns: how it ended, and the lines that begin with FAIL, without that word.
    private func run(_ disks: [any BlockStore], cpus: Int = 1) throws -> (reason: StopReason, failed: [String]) {
        let console = ConsoleText()
        let configuration = MachineConfiguration(
            guest: .disk, memoryBytes: 16 << 20, cpus: cpus, disks: [MachineConfiguration.Disk(path: "memory")])
        let reason = try Machine(
            configuration,
            environment: MachineEnvironment(console: console, clock: MonotonicClock(), disks: disks)
        ).run()
        let lines = console.text.split(separator: "\n").map(String.init)
        return (reason, lines.filter { $0.hasPrefix("FAIL  ") }.map { String($0.dropFirst(6)) })
    }

    private static let disk1 = "disk 1 by IRQ 14 on the last processor"

    @Test func aMachineAsItShouldBe_fails0() throws {
        let second = MemoryDisk([UInt8](repeating: 0, count: 8 * 512))
        let (reason, failed) = try run([MemoryDisk(Self.image), second], cpus: 3)
        #expect(reason == .guestExit(status: 0))
        #expect(failed.isEmpty)
        #expect(second.bytes[7 * 512..<7 * 512 + 4] == [0x00, 0xEE, 0xFF, 0xC0])
        #expect(second.bytes[..<(7 * 512)].allSatisfy { $0 == 0 }, "no other sector was touched")
    }

    @Test func secondDisk_absent_failsThatLine() throws {
        let (reason, failed) = try run([MemoryDisk(Self.image)])
        #expect(reason == .guestExit(status: 1))
        #expect(failed == [Self.disk1])
    }

    @Test func secondDisk_readOnly_failsThatLine() throws {
        let disk = MemoryDisk([UInt8](repeating: 0, count: 1 << 20), isReadOnly: true)
        #expect(try run([MemoryDisk(Self.image), disk]).failed == [Self.disk1])
    }

    @Test func secondDisk_tooShort_failsThatLine() throws {
        #expect(
            try run([MemoryDisk(Self.image), MemoryDisk([UInt8](repeating: 0, count: 512))]).failed == [Self.disk1])
    }

    @Test func kernel_cutShort_isNoticed() throws {
        // The last sector, with the mark, is missing: the disk ends before the kernel does.
        let (reason, _) = try run([MemoryDisk(Self.image.dropLast(512) + [UInt8](repeating: 0, count: 512))])
        #expect(reason != .guestExit(status: 0))
    }
}
