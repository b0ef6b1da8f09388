import Glibc
import Host

/// Both sides of a pseudo-terminal: the user's (`user`) and the one that the monitor gets (`line`).
final class PseudoTerminal: @unchecked Sendable {
    private(set) var user: Int32 = -1
    let line: Int32
    let path: String

    init(columns: UInt16 = 80, rows: UInt16 = 24) throws {
        var user: Int32 = -1
        var line: Int32 = -1
        var name = [CChar](repeating: 0, count: 128)
        var window = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        guard openpty(&user, &line, &name, nil, &window) == 0 else {
            throw HostError("open", "a pseudo-terminal", errno: errno)
        }
        self.user = user
        self.line = line
        path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        hangUp()
        close(line)
    }

    func hangUp() {
        if user >= 0 { close(user) }
        user = -1
    }

    func type(_ bytes: [UInt8]) {
        _ = bytes.withUnsafeBytes { write(user, $0.baseAddress, $0.count) }
    }

    /// Whether keys are echoed and lines edited, as a shell finds its terminal.
    var isCooked: Bool {
        var settings = termios()
        tcgetattr(line, &settings)
        return settings.c_lflag & tcflag_t(ECHO | ICANON | ISIG) == tcflag_t(ECHO | ICANON | ISIG)
    }
}

/// Reads until the descriptor gives nothing more or `count` bytes are there.
func readAll(_ descriptor: Int32, count: Int = .max) -> [UInt8] {
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while all.count < count {
        let received = chunk.withUnsafeMutableBytes {
            read(descriptor, $0.baseAddress, min($0.count, count - all.count))
        }
        guard received > 0 else { break }
        all += chunk.prefix(received)
    }
    return all
}
