internal import Devices
internal import Host
internal import Machine

/// The way of the user's input into the guest's keyboard: each character becomes the keys that type it.
///
/// A terminal tells of no key but by the characters it makes, so a key goes down and up at once. An Esc is the key,
/// or begins the sequence of another: what follows at once belongs to it. Only used on the loop's thread.
final class KeyboardInput: UserInput {
    private let typist: Typist
    private var timer: EventTimer?
    private var keys = TerminalKeys()
    private weak var input: TerminalInput?

    /// Nanoseconds after which an Esc was the key: terminals send a sequence in one piece, and slow lines in pieces.
    private static let sequenceTime: UInt64 = 50_000_000
    /// What a terminal's user types at the end of input: Ctrl-D.
    private static let endOfTransmission: UInt8 = 0x04

    /// - Parameters:
    ///   - typist: does the typing.
    ///   - loop: outlives this object.
    init(typist: Typist, loop: EventLoop) throws(HostError) {
        self.typist = typist
        timer = try EventTimer(loop: loop) { [weak self] in self?.settle() }
        typist.onIdle { [weak self] in self?.input?.roomMayHaveGrown() }
    }

    var receiver: TerminalInput.Receiver {
        TerminalInput.Receiver(
            wantsInput: { [typist] in typist.isIdle ? 1 : 0 },
            receive: { [self] bytes in
                guard let byte = bytes.first else { return 0 }
                take(byte)
                return 1
            })
    }

    func connect(_ input: TerminalInput, to machine: Machine) {
        self.input = input
        input.roomMayHaveGrown()
    }

    func end() {
        settle()
        take(Self.endOfTransmission)
    }

    func close() {
        timer?.cancel()
        timer = nil
    }

    private func take(_ byte: UInt8) {
        let strokes = keys.take(byte)
        if keys.isInSequence { timer?.arm(after: Self.sequenceTime) } else { timer?.disarm() }
        if !strokes.isEmpty { typist.type(strokes) }
    }

    private func settle() {
        let strokes = keys.settle()
        if !strokes.isEmpty { typist.type(strokes) }
    }
}
