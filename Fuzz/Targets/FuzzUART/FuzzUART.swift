// Accesses of a guest and input from a host, in any order, against a model of the receiver in a few lines.
internal import Devices
internal import FuzzInput

private final class Output: CharacterPort {
    var bytes: [UInt8] = []
    func transmit(_ byte: UInt8) { bytes.append(byte) }
}

/// A host whose characters count up. It offers some when it hears of room, if it was told to.
private final class Source: CharacterSource {
    var roomCalls = 0
    var whenThereIsRoom: (() -> Void)?

    func receiverHasRoom() {
        roomCalls += 1
        whenThereIsRoom?()
    }
}

/// The port and the model.
private final class Run {
    let line = CheckedLine()
    let output = Output()
    let source = Source()
    let uart: UART16550
    /// What must come out of RBR, in order.
    var waiting: [UInt8] = []
    /// What must have been sent.
    var sent: [UInt8] = []
    var next: UInt8 = 0
    var (fifos, loop, divisorLatch) = (false, false, false)

    init() {
        uart = UART16550(port: output, interrupt: line)
        uart.source = source
    }

    func offer(_ count: Int) {
        let bytes = (0..<count).map { next &+ UInt8(truncatingIfNeeded: $0) }
        let capacity = uart.receiveCapacity
        let taken = uart.receive(bytes.span)
        check(taken == min(count, capacity), "as many are taken as there was room for")
        waiting += bytes[0..<taken]
        next &+= UInt8(truncatingIfNeeded: taken)
    }

    func write(_ register: UInt64, _ byte: UInt8) {
        // The model goes first: the source may be called within the access.
        switch register {
        case 0 where !divisorLatch:
            if !loop {
                sent.append(byte)
            } else if !fifos {
                waiting = [byte]
            } else if waiting.count < 16 {
                waiting.append(byte)
            }
        case 2:
            // Turning them on while the receive interrupt is on keeps the one character there may be.
            let keeps = byte & 3 == 1 && !fifos && uart.state.interruptEnable.contains(.receivedDataAvailable)
            if byte & 1 != (fifos ? 1 : 0) || byte & 3 == 3, !keeps { waiting = [] }
            fifos = byte & 1 != 0
        case 3: divisorLatch = byte & 0x80 != 0
        case 4: loop = byte & 0x10 != 0
        default: break
        }
        uart.write(UInt64(byte), offset: register, width: 1)
    }

    func read(_ register: UInt64) {
        let (wasRaised, hadData) = (line.isRaised, !waiting.isEmpty)
        if register == 0, !divisorLatch, hadData {
            // The read may call the source, which appends; so the expected byte is taken first.
            let expected = waiting.removeFirst()
            check(uart.readByte(offset: 0) == expected, "characters come out once and in order")
            return
        }
        let value = uart.readByte(offset: register)
        switch register {
        case 1 where !divisorLatch: check(value & 0xF0 == 0, "IER's upper half is 0")
        case 2:
            check((value & 1 == 0) == wasRaised, "the line is raised exactly when IIR reports an interrupt")
            check((value & 0xC0 != 0) == fifos, "IIR tells whether the FIFOs are on")
        case 5:
            check(value != 0xFF, "LSR is never 0xFF")
            check((value & 1 != 0) == hadData, "DR tells whether a character waits")
            check(value & 0x60 == 0x60, "the transmitter is empty")
        default: break
        }
    }

    func step(_ input: inout FuzzInput) {
        let operation = input.byte()
        let register = UInt64(operation & 7)
        switch operation >> 3 {
        case 0...7: read(register)
        case 8...19: write(register, input.byte())
        case 20...23: offer(Int(input.byte() % 40))
        case 24:
            if uart.receiveBreak() { waiting.append(0) }
        case 25: uart.setModemInputs(UART16550.ModemStatus(rawValue: input.byte()))
        case 26:
            let count = Int(operation & 7) * 3
            source.whenThereIsRoom = count == 0 ? nil : { [unowned self] in self.offer(count) }
        case 27:
            waiting = []
            (fifos, loop, divisorLatch) = (false, false, false)
            uart.reset()
        case 28:
            let copy = UART16550(port: Output(), interrupt: CheckedLine(), state: uart.state)
            check(copy.state == uart.state, "a restored state is the same")
            check(copy.pendingInterrupt == uart.pendingInterrupt, "and interrupts the same")
        case 29:
            // Wide and distant accesses change nothing that this model does not know: LSR, MSR and beyond.
            _ = uart.read(offset: 6, width: 1 << Int(operation & 3))
            uart.write(input.number(bytes: 2), offset: 8 + input.number(bytes: 8) % (1 << 60), width: 8)
        default:
            // What a driver does most: see what there is, and take it.
            read(2)
            read(5)
            read(0)
        }
        checkRules()
    }

    func checkRules() {
        check((0...16).contains(uart.receiveCapacity), "the capacity is 0 to 16")
        check(line.isRaised == (uart.pendingInterrupt != .none), "the line follows IIR")
        check(uart.state.receiver.contents == waiting, "nothing is lost, made up or out of order")
        check(uart.state.receiver.count <= (fifos ? 16 : 1), "there are no more characters than places")
    }
}

/// libFuzzer's entry point.
@c(LLVMFuzzerTestOneInput)
public func fuzzOne(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = unsafe FuzzInput(data, count)
    let run = Run()
    while !input.isEmpty {
        run.step(&input)
    }
    check(run.output.bytes == run.sent, "what was sent went out once and in order")
    run.source.whenThereIsRoom = nil
    run.uart.source = nil
    return 0
}
