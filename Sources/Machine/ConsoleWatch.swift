internal import Devices
internal import Synchronization

/// Passes the guest's console on, keeps its last lines, and recognises the words of a kernel that panicked.
///
/// Linux says `Kernel panic - not syncing: …` and then either restarts, or waits for ever after
/// `---[ end Kernel panic`. A guest that only prints these words is taken for one that died, on purpose: it is
/// the same to whoever reads the console.
final class ConsoleWatch: CharacterPort, @unchecked Sendable {
    // Unchecked: constants, and what is behind `shared`. The serial port and the debug console both transmit, each under a
    // lock of its own.
    private struct Lines {
        /// The line that has not ended.
        var line: [UInt8] = []
        var lines: [[UInt8]] = []
        var panic: String?
        var isRestarting = false

        /// The line is complete.
        /// - Returns: the line in which the kernel said that it panicked, when it has said all that it will.
        mutating func endLine() -> String? {
            let text = String(decoding: line, as: UTF8.self)
            lines.append(line)
            if lines.count > ConsoleWatch.capacity { lines.removeFirst() }
            if panic == nil, text.contains("Kernel panic - not syncing") { panic = text }
            if text.contains("reboot: Restarting system") { isRestarting = true }
            line.removeAll(keepingCapacity: true)
            return text.contains("---[ end Kernel panic") ? panic : nil
        }
    }

    private let next: any CharacterPort
    private let watchesForPanic: Bool
    private let board: BoardDoorbell
    private let shared = Mutex(Lines())

    /// How many lines are kept.
    static let capacity = 24
    /// Bytes of a line that are kept.
    static let lineCapacity = 512

    init(_ next: any CharacterPort, watchesForPanic: Bool, board: BoardDoorbell) {
        self.next = next
        self.watchesForPanic = watchesForPanic
        self.board = board
        shared.withLock { $0.line.reserveCapacity(Self.lineCapacity) }
    }

    func transmit(_ byte: UInt8) {
        next.transmit(byte)
        guard watchesForPanic else { return }
        let panicked: String? = shared.withLock { shared in
            if byte == UInt8(ascii: "\n") { return shared.endLine() }
            if byte >= 0x20 || byte == UInt8(ascii: "\t"), shared.line.count < Self.lineCapacity {
                shared.line.append(byte)
            }
            return nil
        }
        if let panicked { board.stop(.crashed(Crash(.panic(message: panicked), vcpu: 0))) }
    }

    /// The line in which the kernel said that it panicked.
    var panicMessage: String? { shared.withLock { $0.panic } }

    /// Whether the kernel said that it restarts the machine.
    var isRestarting: Bool { shared.withLock { $0.isRestarting } }

    /// The last lines, oldest first.
    var lastLines: [String] {
        shared.withLock { $0.lines.map { String(decoding: $0, as: UTF8.self) } }
    }
}
