import Devices
import Firmware
import Foundation
import GuestImages
import GuestMemory
import Host
import Testing

@testable import Machine

/// `pc-check` on machines in which something is wrong: it tells of that, and of nothing else.
///
/// Devices of the board are broken by ``BoardFaults``, disks by what they keep their sectors in, MP tables in memory.
/// What KVM has in the kernel (PIT, local and I/O APIC) and the processor (paging, ring 3) cannot be broken: there it
/// is the guest that is changed, so that it meets hardware that is not as it expects. Two things no test here can take
/// away: memory, which the screen's is, too, and address line 20's being open. And that a timer's ticks come too soon
/// can be seen only where nothing else holds the guest up meanwhile, so no test relies on it; that the timer counts too
/// fast or too slowly is seen by the counts.
@Suite(
    .enabled(
        if: ProcessInfo.processInfo.environment["MINIKVM_BED"] == "box",
        "32-bit paging needs the complete KVM of the box"))
struct PCCheckTests {
    /// The first words of the lines, in their order.
    enum Line: String, CaseIterable {
        case loading = "boot sector"
        case line20 = "address line 20"
        case largePages = "pages of 4 MiB"
        case smallPages = "pages of 4 KiB"
        case tables = "MP tables"
        case ring3 = "ring 3"
        case pit = "PIT"
        case clock = "real-time clock by"
        case second = "real-time clock:"
        case timer = "local APIC timer"
        case keyboard
        case serial = "serial port"
        case screen = "text screen"
        case processors = "other processors"
        case disk0 = "disk 0"
        case disk1 = "disk 1"
        case tasks = "task switches"
    }

    /// A machine with something wrong in it, and the lines that must say so.
    struct Case: CustomTestStringConvertible, Sendable {
        var what: String
        var failing: [Line]
        var cpus = 1
        var waitsForSecond = false
        /// Instructions of the guest, and what is there instead of them.
        var change: (from: [UInt8], to: [UInt8])?
        var faults: @Sendable () -> BoardFaults = { BoardFaults() }
        var memory: @Sendable (GuestMemory) throws -> Void = { _ in }

        var testDescription: String { what }
    }

    // MARK: The guest

    private static let original: [UInt8] = {
        for index in 0..<guest_image_count {
            guard let guest = guest_image_at(index)?.pointee, String(cString: guest.name) == "pc-check" else {
                continue
            }
            return Array(UnsafeBufferPointer(start: guest.bytes, count: guest.end - guest.bytes))
        }
        return []
    }()

    /// The sector of its own disk that it writes: the last one.
    private static let scratch = original.count / sectorSize - 1

    /// The guest with the settings in its boot sector.
    /// - Parameters:
    ///   - patience: how often it looks at something before that has failed. What shall fail need not take long.
    ///   - switches: how often all processors together switch tasks.
    static func image(patience: UInt32 = 100_000_000, switches: UInt32 = 20, waitsForSecond: Bool = false) -> [UInt8] {
        var image = original
        for (index, setting) in [patience, switches, waitsForSecond ? 1 : 0].enumerated() {
            withUnsafeBytes(of: setting.littleEndian) {
                image.replaceSubrange(416 + 4 * index..<420 + 4 * index, with: $0)
            }
        }
        return image
    }

    private func run(
        _ disks: [any BlockStore], cpus: Int = 1, faults: BoardFaults = BoardFaults(), hasLoop: Bool = true,
        memory: (GuestMemory) throws -> Void = { _ in }
    ) throws -> (reason: StopReason, lines: [String]) {
        let console = ConsoleText()
        let configuration = MachineConfiguration(
            guest: .disk, memoryBytes: 16 << 20, cpus: cpus, disks: [MachineConfiguration.Disk(path: "memory")])
        // Clocks interrupt by it, also while the guest does nothing.
        let loop = try EventLoop()
        var environment = MachineEnvironment(
            console: console, clock: MonotonicClock(), disks: disks, loop: hasLoop ? loop : nil)
        environment.faults = faults
        let machine = try Machine(configuration, environment: environment)
        try memory(machine.memory)
        try machine.start { loop.stop() }
        try loop.run()
        return (machine.wait(), console.text.split(separator: "\n").map { String($0.drop { !$0.isASCII }) })
    }

    private static func emptyDisk() -> MemoryDisk { MemoryDisk([UInt8](repeating: 0, count: 8 * sectorSize)) }

    /// Expects that just these lines say FAIL, and that the guest ended with their number.
    private func expect(
        _ outcome: (reason: StopReason, lines: [String]), failing: Set<Line>, second: Bool = false,
        _ location: SourceLocation = #_sourceLocation
    ) {
        let all = Line.allCases.filter { second || $0 != .second }
        let text = Comment(rawValue: outcome.lines.joined(separator: "\n"))
        #expect(outcome.reason == .guestExit(status: UInt8(failing.count)), text, sourceLocation: location)
        #expect(outcome.lines.count == all.count, text, sourceLocation: location)
        for (line, text) in zip(all, outcome.lines) {
            let start = (failing.contains(line) ? "FAIL  " : "PASS  ") + line.rawValue
            #expect(text.hasPrefix(start), "expected \(start)", sourceLocation: location)
        }
    }

    // MARK: A machine as it should be

    @Test(arguments: [1, 2, 3]) func aMachineAsItShouldBe_fails0(cpus: Int) throws {
        let first = WornDisk(Self.image(switches: 100, waitsForSecond: true))
        let second = WornDisk([UInt8](repeating: 0x37, count: 8 * sectorSize))
        let outcome = try run([first, second], cpus: cpus)
        expect(outcome, failing: [], second: true)
        #expect(
            outcome.lines.contains {
                $0.hasSuffix("with the warm reset vector set" + (cpus == 1 ? ": there are none" : ""))
            })
        #expect(outcome.lines.contains("PASS  MP tables, among the BIOS's addresses"))
        // Each disk has one sector written twice, with other bytes and with its own.
        #expect(first.writes.map(\.sector) == [UInt64(Self.scratch), UInt64(Self.scratch)])
        #expect(first.writes.map(\.firstByte) == [0xA5, 0x5A])
        #expect(second.writes.map(\.sector) == [7, 7])
        #expect(second.writes.map(\.firstByte) == [0xC8, 0x37])
    }

    @Test func moreProcessorsThanTheGuestHasRoomFor_areLeftAsleep() throws {
        let outcome = try run([MemoryDisk(Self.image(switches: 100)), Self.emptyDisk()], cpus: 17)
        expect(outcome, failing: [])
        #expect(outcome.lines.contains { $0.hasSuffix("set: the first 15, and the rest is left asleep") })
    }

    // MARK: Disks

    @Test func secondDisk_absent_failsThatLine() throws {
        expect(try run([MemoryDisk(Self.image())]), failing: [.disk1])
    }

    @Test func secondDisk_readOnly_failsThatLine() throws {
        let disk = MemoryDisk([UInt8](repeating: 0, count: 1 << 20), isReadOnly: true)
        expect(try run([MemoryDisk(Self.image()), disk]), failing: [.disk1])
    }

    @Test func secondDisk_tooShort_failsThatLine() throws {
        let disk = MemoryDisk([UInt8](repeating: 0, count: sectorSize))
        expect(try run([MemoryDisk(Self.image()), disk]), failing: [.disk1])
    }

    @Test(arguments: [WornDisk.Flaw.losesWrites, .spoilsTheLastByte])
    func disks_thatKeepNotWhatIsWritten_failTheirLines(flaw: WornDisk.Flaw) throws {
        let disk = WornDisk([UInt8](repeating: 0, count: 8 * sectorSize), flaw)
        expect(try run([WornDisk(Self.image(), flaw), disk]), failing: [.disk0, .disk1])
    }

    @Test func kernel_cutShort_failsThatLine() throws {
        // Its last sector has the mark and nothing else; the one behind it is for writing.
        var image = Self.image()
        image.replaceSubrange(
            (Self.scratch - 1) * sectorSize..<Self.scratch * sectorSize, with: repeatElement(0, count: sectorSize))
        expect(try run([MemoryDisk(image), Self.emptyDisk()]), failing: [.loading])
    }

    @Test func clock_thatOnlyRunsWhenItIsLookedAt_failsThatLine() throws {
        expect(
            try run([MemoryDisk(Self.image(patience: 10_000_000)), Self.emptyDisk()], hasLoop: false), failing: [.clock]
        )
    }

    // MARK: One thing broken

    @Test(arguments: PCCheckTests.batches) func aMachineWithSomethingWrong_failsThoseLines(batch: Batch) throws {
        var image = Self.image(patience: 10_000_000, waitsForSecond: batch.waitsForSecond)
        for flaw in batch.cases {
            guard let (from, to) = flaw.change else { continue }
            let places = image.indices.filter { image[$0...].starts(with: from) }
            #expect(!places.isEmpty && from.count == to.count, "\(flaw.what): the guest has no such instruction")
            for place in places { image.replaceSubrange(place..<place + to.count, with: to) }
        }
        let outcome = try run(
            [MemoryDisk(image), Self.emptyDisk()], cpus: batch.cpus, faults: batch.faults
        ) { memory in
            for flaw in batch.cases { try flaw.memory(memory) }
        }
        expect(outcome, failing: batch.failing, second: batch.waitsForSecond)
    }

    // MARK: MP tables

    /// The three places of the MP specification's chapter 4.
    @Test(arguments: ["among the BIOS's addresses", "at the end of base memory", "in the extended BIOS data area"])
    func tables_areFoundWhereTheyMayBe(place: String) throws {
        let outcome = try run([MemoryDisk(Self.image()), Self.emptyDisk()], cpus: 2) { memory in
            let pointer = try memory.readBytes(at: BoardLayout.mpFloatingPointer, count: 16)
            switch place {
            case "among the BIOS's addresses":
                // A pointer that is none comes first.
                try memory.write(pointer.dropLast() + [1], at: BoardLayout.extendedBIOSData.start + 32)
                return
            case "at the end of base memory":
                try memory.write(pointer, at: (639 << 10) - 16)
            default:
                try memory.write(pointer, at: BoardLayout.extendedBIOSData.start + 1008)
            }
            try memory.write([UInt8](repeating: 0, count: 16), at: BoardLayout.mpFloatingPointer)
        }
        expect(outcome, failing: [])
        #expect(outcome.lines.contains("PASS  MP tables, " + place))
    }
}

/// A disk in memory that remembers what was written, or does not keep it as it should.
final class WornDisk: BlockStore {
    enum Flaw: Sendable {
        case none, losesWrites, spoilsTheLastByte
    }

    private let disk: MemoryDisk
    private let flaw: Flaw
    private(set) var writes: [(sector: UInt64, firstByte: UInt8)] = []

    init(_ bytes: [UInt8], _ flaw: Flaw = .none) {
        disk = MemoryDisk(bytes)
        self.flaw = flaw
    }

    var sectorCount: UInt64 { disk.sectorCount }
    var isReadOnly: Bool { false }
    func read(sector: UInt64, into target: inout MutableRawSpan) -> BlockResult {
        disk.read(sector: sector, into: &target)
    }
    func flush() -> BlockResult { .done }

    func write(_ source: RawSpan, sector: UInt64) -> BlockResult {
        var bytes = (0..<source.byteCount).map { source.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
        writes.append((sector, bytes[0]))
        switch flaw {
        case .none: break
        case .losesWrites: return .done
        case .spoilsTheLastByte: bytes[bytes.count - 1] ^= 0x10
        }
        return disk.write(bytes.span.bytes, sector: sector)
    }
}
