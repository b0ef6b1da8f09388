import Devices

/// An interrupt wire that remembers its level and counts its changes.
final class RecordingLine: InterruptLine {
    private(set) var isRaised = false
    private(set) var edges = 0
    private(set) var changes = 0

    func raise() {
        changes += 1
        if !isRaised { edges += 1 }
        isRaised = true
    }

    func lower() {
        changes += 1
        isRaised = false
    }
}

/// A port that keeps what the guest sends.
final class RecordingPort: CharacterPort {
    private(set) var bytes: [UInt8] = []
    var text: String { String(decoding: bytes, as: UTF8.self) }

    func transmit(_ byte: UInt8) { bytes.append(byte) }
}

/// A clock that stands still until the test moves it. It begins at Sunday, 2026-11-22 18:30:15 UTC.
final class ManualClock: Clock {
    static let start: UInt64 = 1_795_372_215
    private(set) var nanoseconds: UInt64 = 0
    private var startSeconds: UInt64
    var secondsSince1970: UInt64 { startSeconds &+ nanoseconds / 1_000_000_000 }

    init(secondsSince1970: UInt64 = ManualClock.start) { startSeconds = secondsSince1970 }

    func advance(nanoseconds: UInt64) { self.nanoseconds += nanoseconds }
    func advance(seconds: UInt64) { nanoseconds += seconds * 1_000_000_000 }
}

/// A board that keeps what the guest asks of it.
final class RecordingBoard: Board {
    private(set) var requests: [BoardRequest] = []

    func request(_ request: BoardRequest) { requests.append(request) }
}

/// A timer that keeps the deadline, and counts how often it was set.
final class RecordingTimer: DeadlineTimer {
    private(set) var deadline: UInt64?
    private(set) var calls = 0

    func set(deadline: UInt64?) {
        self.deadline = deadline
        calls += 1
    }

    /// The deadline has come, so it is spent.
    func expire() { deadline = nil }
}
