import Devices
import Foundation
import GuestMemory
import Host
import Machine
import Synchronization
import TestGuests
import Testing

/// Keeps the writes to the ports by which a PC is reset.
private final class ResetWrites: ExitObserver, Sendable {
    struct Write: Equatable {
        var port: UInt64
        var value: UInt64
    }

    private let kept = Mutex<[Write]>([])

    func observe(_ record: ExitRecord) {
        guard record.kind == .portOut, [0x60, 0x64, 0x92, 0xCF9].contains(record.address) else { return }
        kept.withLock { $0.append(Write(port: record.address, value: record.value)) }
    }

    var all: [Write] { kept.withLock { $0 } }
}

/// Each way to reset a PC, by a guest that uses that one and no other: Tests/Guests/restart.S.
@Suite struct ResetTests {
    private static func machine(_ observer: ResetWrites) throws -> Machine {
        let guest = test_guest_restart()
        let bytes = Array(UnsafeBufferPointer(start: guest.bytes, count: guest.end - guest.bytes))
        let image = bytes + [UInt8](repeating: 0, count: 5 * 512 - bytes.count)
        var configuration = MachineConfiguration(
            guest: .disk, memoryBytes: 1 << 20, disks: [MachineConfiguration.Disk(path: "memory")])
        configuration.tripleFault = .reboot
        return try Machine(
            configuration,
            environment: MachineEnvironment(
                console: ConsoleText(), clock: MonotonicClock(), observer: observer, disks: [MemoryDisk(image)]))
    }

    /// Runs it until it has reset itself in a way.
    private static func run(_ machine: Machine, way: Character) throws -> StopReason {
        let watchdog = Watchdog(seconds: 120) { machine.stop(.stopped) }
        defer { watchdog.disarm() }
        try machine.start()
        _ = holds { machine.serialPort.receive(Array(String(way).utf8)) == 1 || machine.stopReason != nil }
        return machine.wait()
    }

    @Test(
        arguments: [
            ("k", .processorReset, [(0x64, 0xFE)]), ("o", .processorReset, [(0x64, 0xD1), (0x60, 0xFE)]),
            ("p", .reset, [(0xCF9, 0x06)]), ("s", .processorReset, [(0xCF9, 0x04)]),
            ("a", .processorReset, [(0x92, 0x02), (0x92, 0x03)]), ("t", .processorReset, []),
            ("r", .reset, [(0xCF9, 0x06)]),
        ] as [(Character, StopReason, [(UInt64, UInt64)])])
    func reset_eachWay_isByThatWayAlone(way: Character, reason: StopReason, writes: [(UInt64, UInt64)]) throws {
        let observer = ResetWrites()
        #expect(try Self.run(Self.machine(observer), way: way) == reason)
        #expect(observer.all == writes.map { ResetWrites.Write(port: $0.0, value: $0.1) })
    }

    /// The address of the FADT in a machine's memory.
    private static func fadt(_ memory: GuestMemory) throws -> UInt64 {
        let extended = try memory.read(UInt64.self, at: 0xE_0018)
        let count = (try memory.read(UInt32.self, at: extended + 4) - 36) / 8
        let tables = try (0..<UInt64(count)).map { try memory.read(UInt64.self, at: extended + 36 + 8 * $0) }
        return try #require(
            try tables.first { try memory.readBytes(at: $0, count: 4) == Array("FACP".utf8) })
    }

    /// Address and value are the table's, and not the guest's own idea: where the table says something else, it does that.
    @Test(
        arguments: [
            (0xCF9, 0x06, .reset), (0xCF9, 0x04, .processorReset), (0x92, 0x03, .processorReset),
            (0x64, 0xFE, .processorReset), (0x64, 0xFF, .guestExit(status: 99)), (0x5F0, 0x06, .guestExit(status: 99)),
        ] as [(UInt16, UInt8, StopReason)])
    func acpiReset_isByTheRegisterThatTheTableNames(port: UInt16, value: UInt8, reason: StopReason) throws {
        let observer = ResetWrites()
        let machine = try Self.machine(observer)
        let fadt = try Self.fadt(machine.memory)
        // As it is: RESET_REG in port space, eight bits, and RESET_VALUE (ACPI 6.3, table 5-33).
        #expect(try machine.memory.readBytes(at: fadt + 116, count: 4) == [1, 8, 0, 1])
        #expect(try machine.memory.read(UInt64.self, at: fadt + 120) == 0xCF9)
        #expect(try machine.memory.read(UInt8.self, at: fadt + 128) == 0x06)
        try machine.memory.write(UInt64(port), at: fadt + 120)
        try machine.memory.write(value, at: fadt + 128)
        #expect(try Self.run(machine, way: "r") == reason)
        #expect(observer.all == (port == 0x5F0 ? [] : [.init(port: UInt64(port), value: UInt64(value))]))
        if port == 0x5F0 {
            let writes = machine.lastExits(vcpu: 0).filter { $0.kind == .portOut }
            #expect(writes.contains { $0.address == 0x5F0 && $0.value == 0x06 })
        }
    }

    @Test func acpiReset_whereTheTableHasNoRegister_isNotTried() throws {
        let observer = ResetWrites()
        let machine = try Self.machine(observer)
        let flags = try Self.fadt(machine.memory) + 112
        try machine.memory.write(machine.memory.read(UInt32.self, at: flags) & ~(1 << 10), at: flags)
        #expect(try Self.run(machine, way: "r") == .guestExit(status: 1))
        #expect(observer.all.isEmpty)
    }

    /// What a machine leaves: always clock and CMOS memory, and its memory where the processors alone were reset.
    @Test(arguments: [("k", true), ("p", false)] as [(Character, Bool)])
    func remains_haveMemoryOnlyAfterAResetOfTheProcessors(way: Character, hasMemory: Bool) throws {
        let machine = try Self.machine(ResetWrites())
        #expect(try Self.run(machine, way: way).isReset)
        let remains = machine.remains
        #expect((remains.memory != nil) == hasMemory)
        #expect(remains.clock.memory[0x15] != 0 || remains.clock.memory[0x16] != 0)
    }
}
