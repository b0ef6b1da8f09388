internal import Host
internal import Machine
internal import Synchronization

/// The way of the user's input into the guest's serial port, from one machine to the next when the guest restarts.
///
/// A serial driver that starts enables the interrupt, tries it, resets the FIFOs and reads the receiver empty, all
/// within some microseconds; a character that came in between would be lost. So input waits until the guest has
/// listened for a while. Only used on the loop's thread, but for `roomMayHaveGrown`.
final class SerialInput: UserInput, @unchecked Sendable {
    // Unchecked: `owesEnd` may be read from any thread, the rest belongs to the loop's.
    private let loop: EventLoop
    private var timer: EventTimer?
    private var port: SerialPort?
    private var input: TerminalInput?
    private var lastBeginning = 0
    private var isSettling = false
    private let owesEnd = Atomic<Bool>(false)

    /// Nanoseconds for which a driver that has said that it is ready may still be setting up the port.
    private static let settlingTime: UInt64 = 20_000_000
    /// Nanoseconds for one that has not: Linux, while it finds out what port this is, or xv6, which never says it.
    private static let startingTime: UInt64 = 200_000_000
    /// What a terminal's user types at the end of input: Ctrl-D.
    private static let endOfTransmission: UInt8 = 0x04

    /// - Parameter loop: outlives this object.
    init(loop: EventLoop) throws(HostError) {
        self.loop = loop
        timer = try EventTimer(loop: loop) { [weak self] in self?.settle() }
    }

    /// The serial port as the terminal sees it.
    var receiver: TerminalInput.Receiver {
        TerminalInput.Receiver(
            wantsInput: { [self] in capacity },
            receive: { [self] bytes in port?.receive(Array(bytes)) ?? 0 })
    }

    /// Leads the input to a machine, before it starts.
    func connect(_ input: TerminalInput, to machine: Machine) {
        let port = machine.serialPort
        self.input = input
        self.port = port
        lastBeginning = port.listeningBeginnings
        isSettling = false
        port.onRoom { [self] in roomMayHaveGrown() }
        input.roomMayHaveGrown()
    }

    /// There is no more input: a guest's shell, or the lesson `echo`, ends when it hears so.
    func end() {
        owesEnd.store(true, ordering: .sequentiallyConsistent)
        payEnd()
    }

    /// Leaves the loop.
    func close() {
        timer?.cancel()
        timer = nil
        port?.onRoom {}
    }

    private var capacity: Int {
        guard let port else { return 0 }
        let beginning = port.listeningBeginnings
        if beginning != lastBeginning {
            lastBeginning = beginning
            isSettling = true
            timer?.arm(after: port.mayBeStarting ? Self.startingTime : Self.settlingTime)
        }
        return isSettling ? 0 : port.receiveCapacity
    }

    private func settle() {
        isSettling = false
        // If the guest has begun anew meanwhile, this asks for the capacity, and that waits again.
        payEnd()
        input?.roomMayHaveGrown()
    }

    private func roomMayHaveGrown() {
        input?.roomMayHaveGrown()
        if owesEnd.load(ordering: .sequentiallyConsistent) { loop.post { [self] in payEnd() } }
    }

    private func payEnd() {
        guard owesEnd.load(ordering: .sequentiallyConsistent), capacity > 0 else { return }
        if port?.receive([Self.endOfTransmission]) == 1 { owesEnd.store(false, ordering: .sequentiallyConsistent) }
    }
}
