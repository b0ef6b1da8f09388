import RISCV
import Testing

/// A machine that writes down what it is told.
private final class FakeMachine: SBIMachine {
    var hartCount = 4
    var told: [String] = []
    var written: [UInt8] = []
    var typed: [UInt8] = []
    var memory = [UInt8](repeating: 0, count: 64)

    func setTimer(_ deadline: UInt64, hart: Int) { told.append("timer \(deadline) \(hart)") }
    func sendInterrupt(to harts: SBIHartMask) { told.append("ipi \(harts.rawValue)") }
    func clearInterrupt(hart: Int) -> Bool { true }
    func fence(_ fence: SBIFence, harts: SBIHartMask) { told.append("fence \(fence) \(harts.rawValue)") }
    func state(ofHart hart: Int) -> SBIHartState { hart == 0 ? .started : .stopped }
    func startHart(_ hart: Int, address: UInt64, argument: UInt64) throws(SBIError) {
        guard hart > 0 else { throw .alreadyAvailable }
        told.append("start \(hart) \(address) \(argument)")
    }
    func stopHart(_ hart: Int) { told.append("stop \(hart)") }
    func suspendHart(_ hart: Int) { told.append("suspend \(hart)") }
    func reset(_ reset: SBIReset, failed: Bool) { told.append("reset \(reset) \(failed)") }
    func consoleWrite(_ byte: UInt8) { written.append(byte) }
    func consoleRead() -> UInt8? { typed.isEmpty ? nil : typed.removeFirst() }
    func readMemory(at address: UInt64, count: Int) -> [UInt8]? {
        guard address <= 64, count <= 64 - Int(address) else { return nil }
        return [UInt8](memory[Int(address)..<Int(address) + count])
    }
    func writeMemory(_ byte: UInt8, at address: UInt64) -> Bool {
        guard address < 64 else { return false }
        memory[Int(address)] = byte
        return true
    }
}

@Suite struct SBIDispatcherTests {
    private let machine = FakeMachine()

    private func call(_ id: UInt64, _ function: UInt64 = 0, _ arguments: UInt64...) -> SBIReturn {
        let all = arguments + [UInt64](repeating: 0, count: 5 - arguments.count)
        return SBIDispatcher.handle(
            SBICall(
                extensionID: id, function: function,
                arguments: SBICall.InlineArguments(all[0], all[1], all[2], all[3], all[4])),
            hart: 0, machine: machine)
    }

    @Test func baseTellsVersionAndExtensions() {
        #expect(call(0x10, 0) == .standard(error: 0, value: 0x0200_0000))
        for id in [0, 8, 0x10, 0x5449_4D45, 0x73_5049, 0x5246_4E43, 0x48_534D, 0x5352_5354, 0x4442_434E] as [UInt64] {
            #expect(call(0x10, 3, id) == .standard(error: 0, value: 1))
        }
        // 9 is no legacy call; PMU is not there.
        #expect(call(0x10, 3, 9) == .standard(error: 0, value: 0))
        #expect(call(0x10, 3, 0x50_4D55) == .standard(error: 0, value: 0))
    }

    @Test func whatIsNotThereIsNotSupported() {
        for (id, function) in [(0x50_4D55, 0), (0x10, 7), (0x5449_4D45, 1), (0x5246_4E43, 3), (0x4442_434E, 3)]
            as [(UInt64, UInt64)]
        {
            #expect(call(id, function) == .standard(error: -2, value: 0))
        }
    }

    @Test func hartMasksAreChecked() {
        #expect(call(0x73_5049, 0, 0b101, 1) == .standard(error: 0, value: 0))
        #expect(call(0x73_5049, 0, 0, UInt64.max) == .standard(error: 0, value: 0))
        #expect(machine.told == ["ipi 10", "ipi 15"])
        for (mask, base) in [(0b10000, 0), (1, 4), (0b1000, 1), (1, 64), (UInt64.max, 1)] as [(UInt64, UInt64)] {
            #expect(call(0x73_5049, 0, mask, base) == .standard(error: -3, value: 0))
        }
    }

    @Test func hartsStartAndStop() {
        #expect(call(0x48_534D, 0, 1, 0x8000_0000, 7) == .standard(error: 0, value: 0))
        #expect(call(0x48_534D, 0, 0, 0, 0) == .standard(error: -6, value: 0))
        #expect(call(0x48_534D, 0, 4, 0, 0) == .standard(error: -3, value: 0))
        #expect(call(0x48_534D, 2, 1) == .standard(error: 0, value: 1))
        #expect(call(0x48_534D, 1) == .none)
        #expect(machine.told == ["start 1 2147483648 7", "stop 0"])
    }

    /// The type has 32 bits, sign-extended by some and not by others.
    @Test func suspendTypesAreChecked() {
        #expect(call(0x48_534D, 3, 0) == .standard(error: 0, value: 0))
        for type in [0x8000_0000, 0xFFFF_FFFF_8000_0000] as [UInt64] {
            #expect(call(0x48_534D, 3, type) == .standard(error: -2, value: 0))
        }
        for type in [1, 0x8000_0001, UInt64.max] as [UInt64] {
            #expect(call(0x48_534D, 3, type) == .standard(error: -3, value: 0))
        }
        #expect(machine.told == ["suspend 0"])
    }

    @Test func consoleWritesFromMemoryAndReadsToIt() {
        machine.memory.replaceSubrange(0..<2, with: [0x48, 0x69])
        #expect(call(0x4442_434E, 0, 2, 0) == .standard(error: 0, value: 2))
        #expect(call(1, 0, 0x21) == .legacy(0))
        #expect(machine.written == [0x48, 0x69, 0x21])
        machine.typed = [1, 2, 3]
        #expect(call(0x4442_434E, 1, 2, 10) == .standard(error: 0, value: 2))
        #expect(machine.memory[10] == 1)
        #expect(call(0x4442_434E, 0, 65, 0) == .standard(error: -3, value: 0))
        #expect(call(0x4442_434E, 0, 1, 0, 1) == .standard(error: -3, value: 0))
        #expect(call(0x4442_434E, 0, UInt64.max, UInt64.max) == .standard(error: -3, value: 0))
    }

    @Test func legacyGetcharTellsOfNothing() {
        #expect(call(2) == .legacy(UInt64.max))
        machine.typed = [65]
        #expect(call(2) == .legacy(65))
    }

    @Test func resetsAreChecked() {
        #expect(call(0x5352_5354, 0, 3, 0) == .standard(error: -3, value: 0))
        #expect(call(0x5352_5354, 0, 0, 5) == .standard(error: -3, value: 0))
        #expect(machine.told.isEmpty)
        #expect(call(0x5352_5354, 0, 0, 1) == .none)
        #expect(call(8) == .none)
        #expect(machine.told == ["reset shutdown true", "reset shutdown false"])
    }

    @Test func randomCallsNeverTrap() {
        var random = SystemRandomNumberGenerator()
        let ids: [UInt64] = [
            0, 1, 2, 3, 4, 5, 6, 7, 8, 0x10, 0x5449_4D45, 0x73_5049, 0x5246_4E43, 0x48_534D, 0x5352_5354, 0x4442_434E,
        ]
        for _ in 0..<20_000 {
            let values = (0..<3).map { _ in
                UInt64.random(in: 0...UInt64.max, using: &random) >> UInt64.random(in: 0...63)
            }
            _ = call(ids.randomElement(using: &random) ?? 0, UInt64.random(in: 0...7), values[0], values[1], values[2])
        }
    }
}
