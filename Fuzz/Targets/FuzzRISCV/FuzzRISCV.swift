// What a guest of the RISC-V hypervisor can bring it to do: SBI calls with any registers, instructions to take apart, and
// accesses of the PLIC in any order.
internal import Devices
internal import FuzzInput
internal import RISCV

/// A machine with three harts and 64 bytes of memory; it checks what the protocol promises.
private final class Machine: SBIMachine {
    let hartCount = 3
    var memory = [UInt8](repeating: 7, count: 64)
    var typed: [UInt8] = [1, 2, 3]
    var written = 0

    private func checkHart(_ hart: Int) { check((0..<hartCount).contains(hart), "a hart that there is not") }
    private func checkHarts(_ harts: SBIHartMask) {
        check(harts.rawValue >> UInt64(hartCount) == 0, "a mask with harts that there are not")
    }
    func setTimer(_ deadline: UInt64, hart: Int) { checkHart(hart) }
    func sendInterrupt(to harts: SBIHartMask) { checkHarts(harts) }
    func clearInterrupt(hart: Int) -> Bool { false }
    func fence(_ fence: SBIFence, harts: SBIHartMask) { checkHarts(harts) }
    func state(ofHart hart: Int) -> SBIHartState {
        checkHart(hart)
        return .stopped
    }
    func startHart(_ hart: Int, address: UInt64, argument: UInt64) throws(SBIError) { checkHart(hart) }
    func stopHart(_ hart: Int) { checkHart(hart) }
    func suspendHart(_ hart: Int) { checkHart(hart) }
    func reset(_ reset: SBIReset, failed: Bool) {}
    func consoleWrite(_ byte: UInt8) { written += 1 }
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

private let extensions: [UInt64] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 0x10, 0x5449_4D45, 0x73_5049, 0x5246_4E43, 0x48_534D, 0x5352_5354, 0x4442_434E,
]

/// A number as registers have them: small, near an end, or any.
private func register(_ input: inout FuzzInput) -> UInt64 {
    switch input.byte() & 3 {
    case 0: UInt64(input.byte())
    case 1: 0 &- UInt64(input.byte())
    case 2: 1 << UInt64(input.byte() & 63)
    default: input.number(bytes: 8)
    }
}

private func call(_ machine: Machine, _ input: inout FuzzInput) {
    let choice = Int(input.byte())
    let call = SBICall(
        extensionID: choice < extensions.count ? extensions[choice] : register(&input),
        function: UInt64(input.byte() & 15),
        arguments: SBICall.InlineArguments(
            register(&input), register(&input), register(&input), register(&input), register(&input)))
    let before = machine.written
    if case .standard(let error, _) = SBIDispatcher.handle(call, hart: 0, machine: machine) {
        check((-9...0).contains(error), "an error that the specification does not have")
        check(error == 0 || machine.written == before, "a call that failed has written")
    }
    check(machine.written - before <= 1024, "one call writes without end")
}

private func decode(_ input: inout FuzzInput) {
    let word = input.number(bytes: 4)
    for decoded in [LoadStoreInstruction(UInt32(word)), LoadStoreInstruction(htinst: word)] {
        guard let decoded else { continue }
        check([1, 2, 4, 8].contains(decoded.width), "a width that there is not")
        check((0..<32).contains(decoded.register), "a register that there is not")
        check(decoded.length == 2 || decoded.length == 4, "a length that there is not")
        _ = decoded.extended(decoded.stored(register(&input)))
    }
}

private func drive(_ input: inout FuzzInput) {
    let lines = [CheckedLine(), CheckedLine(), CheckedLine()]
    let plic = PLIC(sources: 40, contexts: lines)
    while !input.isEmpty {
        let kind = input.byte()
        let bases: [UInt64] = [0, 0x1000, 0x2000, 0x20_0000, 0x20_1000, 0x20_2000, 0x3FF_F000, 0x2080]
        let offset = bases[Int(kind >> 3 & 7)] + UInt64(input.byte())
        switch kind & 7 {
        case 0...1: _ = plic.read(offset: offset, width: 4)
        case 2...4: plic.write(input.number(bytes: 2), offset: offset & ~3, width: 4)
        case 5: plic.write(input.number(bytes: 4), offset: offset, width: 8)
        case 6: plic.setLevel(kind & 64 != 0, source: Int(input.byte() & 63))
        default: plic.setTrigger(kind & 64 != 0 ? .edge : .level, source: Int(input.byte() & 63))
        }
    }
    // All that is pending for a context can be claimed, each once, and then its line is low.
    for context in 0..<3 {
        plic.write(0, offset: 0x20_0000 + 0x1000 * UInt64(context), width: 4)
        var claims = 0
        while plic.read(offset: 0x20_0004 + 0x1000 * UInt64(context), width: 4) != 0 {
            claims += 1
            check(claims <= 40, "claims without end")
        }
        check(!lines[context].isRaised, "a line is high with nothing to claim")
    }
}

/// libFuzzer's entry point.
@c(LLVMFuzzerTestOneInput)
public func fuzzRISCV(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = unsafe FuzzInput(start, count)
    switch input.byte() % 3 {
    case 0:
        let machine = Machine()
        while !input.isEmpty { call(machine, &input) }
    case 1: while !input.isEmpty { decode(&input) }
    default: drive(&input)
    }
    return 0
}
