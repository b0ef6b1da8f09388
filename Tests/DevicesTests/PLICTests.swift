import Devices
import Testing

private final class Wire: InterruptLine {
    var level = false
    func raise() { level = true }
    func lower() { level = false }
}

@Suite struct PLICTests {
    private let wires = [Wire(), Wire()]
    private let plic: PLIC

    private static let claim: UInt64 = 0x20_0004
    private static let threshold: UInt64 = 0x20_0000
    private static let enable: UInt64 = 0x2000

    init() { plic = PLIC(sources: 40, contexts: wires) }

    private func enable(_ source: Int, priority: UInt64 = 1, context: UInt64 = 0) {
        plic.write(priority, offset: UInt64(4 * source), width: 4)
        let word = Self.enable + 0x80 * context + UInt64(source / 32 * 4)
        plic.write(plic.read(offset: word, width: 4) | 1 << UInt64(source % 32), offset: word, width: 4)
    }

    @Test func levelSource_untilCompleted_asksOnce() {
        enable(10)
        plic.setLevel(true, source: 10)
        #expect(wires[0].level)
        #expect(plic.read(offset: 0x1000, width: 4) == 1 << 10)
        #expect(plic.read(offset: Self.claim, width: 4) == 10)
        #expect(!wires[0].level)
        #expect(plic.read(offset: Self.claim, width: 4) == 0)
        // Still high: it asks again when it is completed.
        plic.write(10, offset: Self.claim, width: 4)
        #expect(wires[0].level)
        #expect(plic.read(offset: Self.claim, width: 4) == 10)
        plic.setLevel(false, source: 10)
        plic.write(10, offset: Self.claim, width: 4)
        #expect(!wires[0].level)
    }

    @Test func edgeSource_risingWhileClaimed_isKept() {
        plic.setTrigger(.edge, source: 3)
        enable(3)
        plic.setLevel(true, source: 3)
        plic.setLevel(false, source: 3)
        #expect(plic.read(offset: Self.claim, width: 4) == 3)
        plic.setLevel(true, source: 3)
        plic.write(3, offset: Self.claim, width: 4)
        #expect(plic.read(offset: Self.claim, width: 4) == 3)
    }

    @Test func claim_ofSeveral_takesHighestPriorityThenLowestNumber() {
        enable(5, priority: 2)
        enable(6, priority: 7)
        enable(33, priority: 7)
        for source in [5, 6, 33] { plic.setLevel(true, source: source) }
        #expect((0..<4).map { _ in plic.read(offset: Self.claim, width: 4) } == [6, 33, 5, 0])
    }

    @Test func threshold_notExceeded_masksTheLineButNotTheClaim() {
        plic.write(3, offset: Self.threshold, width: 4)
        enable(1, priority: 3)
        plic.setLevel(true, source: 1)
        #expect(!wires[0].level)
        plic.write(2, offset: Self.threshold, width: 4)
        #expect(wires[0].level)
        plic.write(7, offset: Self.threshold, width: 4)
        #expect(plic.read(offset: Self.claim, width: 4) == 1)
    }

    @Test func contexts_areApart() {
        enable(2, context: 1)
        plic.setLevel(true, source: 2)
        #expect(!wires[0].level)
        #expect(wires[1].level)
        // A completion by a context that has not enabled it is ignored.
        #expect(plic.read(offset: Self.claim + 0x1000, width: 4) == 2)
        plic.write(2, offset: Self.claim, width: 4)
        #expect(!wires[1].level)
        plic.write(2, offset: Self.claim + 0x1000, width: 4)
        #expect(wires[1].level)
    }

    @Test func sourceZeroAndThoseBeyond_cannotBeSet() {
        for offset in [0, 4 * 41] as [UInt64] {
            plic.write(5, offset: offset, width: 4)
            #expect(plic.read(offset: offset, width: 4) == 0)
        }
        plic.write(0xFFFF_FFFF, offset: Self.enable, width: 4)
        #expect(plic.read(offset: Self.enable, width: 4) == 0xFFFF_FFFE)
        plic.write(0xFFFF_FFFF, offset: Self.enable + 4, width: 4)
        #expect(plic.read(offset: Self.enable + 4, width: 4) == 0x1FF)
    }

    @Test func randomAccesses_neverTrap() {
        for _ in 0..<50_000 {
            let offset = UInt64.random(in: 0..<PLIC.size) & (Bool.random() ? ~3 : .max)
            if Bool.random() {
                plic.write(UInt64.random(in: 0...50), offset: offset, width: [1, 2, 4, 8].randomElement() ?? 4)
            } else {
                _ = plic.read(offset: offset, width: [1, 2, 4, 8].randomElement() ?? 4)
            }
            plic.setLevel(Bool.random(), source: Int.random(in: -1...50))
        }
    }
}
