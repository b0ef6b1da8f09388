internal import Devices
internal import Synchronization

/// Passes the guest's console on, keeps its last lines, and recognises the words of a kernel that panicked.
///
/// Linux says `Kernel panic - not syncing: …` and then either restarts, or waits for ever after
/// `---[ end Kernel panic`. A guest that only prints these words is taken for one that died, on purpose: it is
/// the same to whoever reads the console.
final class ConsoleWatch: CharacterPort, @unchecked Sendable {
    // Unchecked: `transmit` is called under the serial port's lock; what others read is behind `shared`.
    private struct Lines {
        var lines: [[UInt8]] = []
        var panic: String?
        var isRestarting = false
    }

    private let next: any CharacterPort
    private let watchesForPanic: Bool
    private let board: BoardDoorbell
    private var line: [UInt8] = []
    private let shared = Mutex(Lines())

    /// How many lines are kept.
    static let capacity = 24
    /// Bytes of a line that are kept.
    static let lineCapacity = 512

    init(_ next: any CharacterPort, watchesForPanic: Bool, board: BoardDoorbell) {
        self.next = next
        self.watchesForPanic = watchesForPanic
        self.board = board
        line.reserveCapacity(Self.lineCapacity)
    }

    func transmit(_ byte: UInt8) {
        next.transmit(byte)
        guard watchesForPanic else { return }
        if byte == UInt8(ascii: "\n") {
            endLine()
        } else if byte >= 0x20 || byte == UInt8(ascii: "\t"), line.count < Self.lineCapacity {
            line.append(byte)
        }
    }

    private func endLine() {
        let text = String(decoding: line, as: UTF8.self)
        let panicked = shared.withLock { shared in
            shared.lines.append(line)
            if shared.lines.count > Self.capacity { shared.lines.removeFirst() }
            if shared.panic == nil, text.contains("Kernel panic - not syncing") { shared.panic = text }
            if text.contains("reboot: Restarting system") { shared.isRestarting = true }
            return shared.panic
        }
        line.removeAll(keepingCapacity: true)
        if let panicked, text.contains("---[ end Kernel panic") {
            board.stop(.crashed(Crash(.panic(message: panicked), vcpu: 0)))
        }
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
