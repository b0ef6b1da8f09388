import Devices
import Foundation
import Testing

@testable import Machine

/// The port bus, and what keeps the guest's console.
@Suite struct BusTests {
    /// Remembers what was asked of it.
    private final class Register: Device {
        var writes: [[UInt64]] = []
        func read(offset: UInt64, width: AccessWidth) -> UInt64 { offset << 8 | UInt64(width) }
        func write(_ value: UInt64, offset: UInt64, width: AccessWidth) {
            writes.append([value, offset, UInt64(width)])
        }
    }

    @Test(arguments: [(1, 0xFF), (2, 0xFFFF), (4, 0xFFFF_FFFF), (8, UInt64.max)] as [(Int, UInt64)])
    func read_whereNoDeviceIs_hasAllBitsSet(width: Int, value: UInt64) {
        #expect(Bus().read(0x1234, width: width) == value)
    }

    /// What tests of guests break machines by.
    @Test func faultOfAPort_changesBytesAndNothingElse() {
        let register = Register()
        var bus = Bus()
        bus.attach(BusSlot(register), at: 0x70, count: 2)
        BoardFaults(reads: [0x71: { ~$0 }], writes: [0x71: { $0 == 5 ? nil : $0 + 1 }]).cover(&bus)
        #expect(bus.read(0x71, width: 1) == 0xFE)
        #expect(bus.read(0x71, width: 2) == 0x102)
        #expect(bus.read(0x70, width: 1) == 0x001)
        bus.write(4, to: 0x71, width: 1)
        bus.write(5, to: 0x71, width: 1)
        bus.write(5, to: 0x71, width: 2)
        bus.write(5, to: 0x70, width: 1)
        #expect(register.writes == [[5, 1, 1], [5, 1, 2], [5, 0, 1]])
    }

    @Test func write_whereNoDeviceIs_isLost() {
        let register = Register()
        var bus = Bus()
        bus.attach(BusSlot(register), at: 0x3F8, count: 8)
        bus.write(1, to: 0x3F7, width: 1)
        bus.write(1, to: 0x400, width: 1)
        #expect(register.writes.isEmpty)
    }

    @Test func access_atBothEndsOfARange_reachesTheDeviceByOffset() {
        let register = Register()
        var bus = Bus()
        bus.attach(BusSlot(register), at: 0x3F8, count: 8)
        #expect(bus.read(0x3F8, width: 1) == 0x001)
        #expect(bus.read(0x3FF, width: 2) == 0x702)
        bus.write(0xAB, to: 0x3FF, width: 4)
        #expect(register.writes == [[0xAB, 7, 4]])
        #expect(bus.read(0x3F7, width: 1) == 0xFF)
        #expect(bus.read(0x400, width: 1) == 0xFF)
    }

    /// The keyboard controller has two ports that are not neighbours.
    @Test func access_ofADeviceAtTwoRanges_countsFromTheFirstOffsetOfEach() {
        let slot = BusSlot(Register())
        var bus = Bus()
        bus.attach(slot, at: 0x60, count: 1)
        bus.attach(slot, at: 0x64, count: 1, firstOffset: 4)
        #expect(bus.read(0x60, width: 1) == 0x001)
        #expect(bus.read(0x64, width: 1) == 0x401)
        #expect(bus.read(0x61, width: 1) == 0xFF)
    }

    @Test func attach_upToTheLastPort_works() {
        var bus = Bus()
        bus.attach(BusSlot(Register()), at: 0xFFFF, count: 1)
        #expect(bus.read(0xFFFF, width: 1) == 0x001)
    }

    @Test func attach_ofTwoDevicesAtOneAddress_isAMistakeOfTheBoard() async {
        await #expect(processExitsWith: .failure) {
            var bus = Bus()
            bus.attach(BusSlot(Register()), at: 0x100, count: 4)
            bus.attach(BusSlot(Register()), at: 0x103, count: 1)
        }
    }
}

@Suite struct ConsoleWatchTests {
    private static func watch(_ text: String, watching: Bool = true) -> (ConsoleWatch, ConsoleText) {
        let console = ConsoleText()
        let watch = ConsoleWatch(console, watchesForPanic: watching, board: BoardDoorbell())
        for byte in text.utf8 { watch.transmit(byte) }
        return (watch, console)
    }

    @Test func transmit_anyText_passesItOnUnchanged() {
        let text = "a\r\nb\u{1B}[0m\u{7}\u{0}Kernel panic - not syncing: x\n"
        #expect(Self.watch(text).1.text == text)
        #expect(Self.watch(text, watching: false).1.text == text)
    }

    @Test func lastLines_ofManyLines_areTheLastOnes() {
        let (watch, _) = Self.watch((1...100).map { "line \($0)\r\n" }.joined() + "not ended")
        #expect(watch.lastLines.count == ConsoleWatch.capacity)
        #expect(watch.lastLines.first == "line \(101 - ConsoleWatch.capacity)")
        #expect(watch.lastLines.last == "line 100")
    }

    @Test func lastLines_ofAVeryLongLine_keepItsStart() {
        let (watch, _) = Self.watch(String(repeating: "x", count: 100_000) + "\n")
        #expect(watch.lastLines == [String(repeating: "x", count: ConsoleWatch.lineCapacity)])
    }

    /// The serial port and the debug console are two devices, which two processors may write to at the same time.
    @Test func transmit_fromTwoThreads_keepsEachByte() {
        let (watch, console) = Self.watch("")
        let lines = 2000
        DispatchQueue.concurrentPerform(iterations: 2) { _ in
            for _ in 0..<lines { for byte in "some words\n".utf8 { watch.transmit(byte) } }
        }
        #expect(console.text.utf8.count == 2 * lines * "some words\n".utf8.count)
        #expect(watch.lastLines.count == ConsoleWatch.capacity)
    }

    @Test func lastLines_ofAGuestThatIsNoLinux_areNotKept() {
        #expect(Self.watch("a\nb\n", watching: false).0.lastLines.isEmpty)
    }

    @Test func panicMessage_isTheFirstLineThatSaysIt() {
        let (watch, _) = Self.watch(
            "[ 1.0] fine\n[ 2.0] Kernel panic - not syncing: first\n[ 2.1] Kernel panic - not syncing: second\n")
        #expect(watch.panicMessage == "[ 2.0] Kernel panic - not syncing: first")
    }

    @Test(arguments: [
        "Kernel panic\n", "kernel panic - not syncing: lower case\n", "Kernel panic - not syncing: no end of line",
        "Kernel panic \n- not syncing\n",
    ])
    func panicMessage_ofOtherWords_isNil(text: String) {
        #expect(Self.watch(text).0.panicMessage == nil)
    }
}

/// A kernel that panics, by its words and by what it does then.
@Suite struct PanicTests {
    private static let words = "[    1.0] Kernel panic - not syncing: a test\r\n"

    private static func run(_ program: [UInt8], _ text: String) throws -> (StopReason, Machine) {
        let kernel = try TestFile(TestProgram.kernel(program, text: text))
        let machine = try Machine(
            MachineConfiguration(
                guest: .linux(kernel: kernel.path, initrd: nil, commandLine: "", entry: .automatic),
                memoryBytes: 4 << 20))
        let watchdog = Watchdog(seconds: 120) { machine.stop(.stopped) }
        defer { watchdog.disarm() }
        return (try machine.run(), machine)
    }

    @Test func kernel_thatPanicsAndWaitsForEver_hasCrashed() throws {
        let (reason, machine) = try Self.run(
            TestProgram.print, Self.words + "[    1.1] ---[ end Kernel panic - not syncing: a test ]---\r\n")
        #expect(reason == .crashed(Crash(.panic(message: "[    1.0] Kernel panic - not syncing: a test"), vcpu: 0)))
        #expect(machine.lastConsoleLines.first == "[    1.0] Kernel panic - not syncing: a test")
    }

    @Test func kernel_thatPanicsAndResets_hasCrashed() throws {
        let (reason, _) = try Self.run(TestProgram.printAndReset, Self.words)
        #expect(reason == .crashed(Crash(.panic(message: "[    1.0] Kernel panic - not syncing: a test"), vcpu: 0)))
    }

    @Test func kernel_thatPanicsAndTripleFaults_hasCrashedByThePanic() throws {
        let (reason, _) = try Self.run(TestProgram.printAndTripleFault, Self.words)
        #expect(reason == .crashed(Crash(.panic(message: "[    1.0] Kernel panic - not syncing: a test"), vcpu: 0)))
    }

    @Test func kernel_thatResetsWithoutPanic_resets() throws {
        #expect(try Self.run(TestProgram.printAndReset, "reboot: Restarting system\r\n").0 == .reset)
    }

    /// Linux with `reboot=t`.
    @Test func kernel_thatTripleFaultsToRestart_resets() throws {
        #expect(
            try Self.run(TestProgram.printAndTripleFault, "[    1.0] reboot: Restarting system\r\n").0
                == .processorReset)
    }

    @Test func kernel_thatTripleFaultsWithoutPanic_hasShutDown() throws {
        #expect(try Self.run(TestProgram.printAndTripleFault, "hello\r\n").0 == .crashed(Crash(.shutdown, vcpu: 0)))
    }
}

@Suite struct ExitRingTests {
    private static func ring(_ count: Int) -> ExitRing {
        var ring = ExitRing()
        for number in 0..<count {
            var record = ExitRecord()
            record.address = UInt64(number)
            ring.append(record)
        }
        return ring
    }

    @Test(arguments: [0, 1, 31, 32, 33, 64, 1000])
    func records_afterSoManyExits_areTheLast32OldestFirst(count: Int) {
        let addresses = Self.ring(count).records.map(\.address)
        #expect(addresses == (max(0, count - 32)..<count).map(UInt64.init))
    }

    /// What a machine remembers of its guest: here the one exit that ended it.
    @Test func lastExits_ofAMachine_tellPortWidthValueAndRIP() throws {
        let machine = try Machine(.program(TestProgram.exit7))
        _ = try machine.run()
        let last = try #require(machine.lastExits(vcpu: 0).last { $0.kind == .portOut })
        #expect(last.address == 0xF4 && last.width == 1 && last.value == 7 && last.isWrite && last.count == 1)
        let program = TestProgram.address...TestProgram.address + UInt64(TestProgram.exit7.count)
        #expect(program.contains(try #require(last.instructionPointer)))
    }
}
