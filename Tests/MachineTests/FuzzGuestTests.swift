import Devices
import Foundation
import Host
import Machine
import Testing

/// A guest that writes garbage to every register of every device, in random order: the monitor lives, and of the disks
/// only those sectors have changed that were written.
struct FuzzGuestTests {
    /// MINIKVM_FUZZ_SEEDS says how many seeds are tried; `make fuzz` asks for many. In the box each takes ten times as long.
    private static let seeds: [UInt32] = {
        let environment = ProcessInfo.processInfo.environment
        let count = environment["MINIKVM_FUZZ_SEEDS"].flatMap { UInt32($0) }
        return Array(1...max(count ?? (environment["MINIKVM_BED"] == "box" ? 1 : 4), 1))
    }()
    private static let rounds: UInt32 = 4000

    /// Sectors of each disk.
    private static let sectors = 96

    /// A file in which each sector has its number all over.
    private func image(_ drive: Int) throws -> (file: TestFile, bytes: [UInt8]) {
        let bytes = (0..<Self.sectors).flatMap { [UInt8](repeating: UInt8(128 * drive % 255 + $0), count: 512) }
        return (try TestFile(bytes), bytes)
    }

    private func run(_ guest: FuzzGuest, cpus: Int = 1, asFirmware: Bool = false) throws -> StopReason {
        let (first, second, third) = (try image(0), try image(1), try image(2))
        let disks: [MachineConfiguration.Disk] = [
            .init(path: first.file.path), .init(path: second.file.path, access: .readOnly),
            .init(path: third.file.path, access: .snapshot),
        ]
        var configuration = MachineConfiguration(
            guest: .program(name: "fuzz", bytes: guest.bytes, address: TestProgram.address),
            memoryBytes: 16 << 20, cpus: cpus, disks: disks)
        let firmware = try TestFile(guest.firmware)
        if asFirmware {
            configuration.guest = .disk
            configuration.firmware = MachineConfiguration.Firmware(path: firmware.path)
        }
        let watched = try configuration.openDisks().map { WatchedDisk($0) }
        let reason = try FuzzGuest.run(
            Machine(
                configuration,
                environment: MachineEnvironment(
                    console: ConsoleText(), clock: MonotonicClock(), disks: watched, firmwareLog: ConsoleText())))

        for disk in watched { #expect(disk.violations.isEmpty, "seed \(guest.seed)") }
        // What was written is in the file, and nothing else is; the size is checked along with it.
        var expected = first.bytes
        for (sector, bytes) in watched[0].written {
            expected.replaceSubrange(Int(sector) * 512..<Int(sector + 1) * 512, with: bytes)
        }
        #expect(try first.file.contents == expected, "seed \(guest.seed)")
        #expect(try second.file.contents == second.bytes, "seed \(guest.seed)")
        #expect(try third.file.contents == third.bytes, "seed \(guest.seed)")
        return reason
    }

    @Test(arguments: seeds) func garbage_withinTheFence_isServedToTheEnd(seed: UInt32) throws {
        let guest = FuzzGuest(seed: seed, rounds: Self.rounds, table: .fenced)
        #expect(try run(guest) == .guestExit(status: 0))
    }

    @Test(arguments: seeds) func garbage_fromTwoProcessors_isServedToTheEnd(seed: UInt32) throws {
        let guest = FuzzGuest(seed: seed ^ 0x5EED_0000, rounds: Self.rounds / 2, table: .fenced)
        #expect(try run(guest, cpus: 2) == .guestExit(status: 0))
    }

    @Test(arguments: seeds) func garbage_fromFirmware_isServedToTheEnd(seed: UInt32) throws {
        let guest = FuzzGuest(seed: seed ^ 0xF1F1_0000, rounds: Self.rounds, table: .fenced)
        #expect(try run(guest, asFirmware: true) == .guestExit(status: 0))
    }

    /// Every value at every address: the machine may end at any time and in any way, the monitor does not.
    @Test(arguments: seeds) func garbage_withoutAFence_leavesTheMonitorAlive(seed: UInt32) throws {
        for number in 0..<8 as Range<UInt32> {
            let guest = FuzzGuest(seed: seed &* 0x100 &+ number, rounds: Self.rounds, table: .wild)
            _ = try run(guest, asFirmware: number % 2 == 1)
        }
    }
}
