/// What another process asks of a running machine, through the socket that `--control` names.
///
/// One request a connection: a line that names it, then what belongs to it, to the end of what is sent. The answer is
/// the line `ok` or a line that begins with `error: `, and then what was asked for.
enum ControlRequest: Equatable {
    /// `type`, then the text: types it on the guest's keyboard; answered when the guest has fetched all of it.
    case type([UInt8])
    /// `screenshot text`: what the screen shows, as text in UTF-8.
    case screenText
    /// `screenshot png`: the same as a picture.
    case screenPicture

    /// Reads a request.
    /// - Returns: nil for what is none.
    init?(_ bytes: [UInt8]) {
        let end = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        switch String(decoding: bytes[..<end], as: UTF8.self) {
        case "type": self = .type(Array(bytes[min(end + 1, bytes.count)...]))
        case "screenshot text": self = .screenText
        case "screenshot png": self = .screenPicture
        default: return nil
        }
    }

    /// As it is sent.
    var bytes: [UInt8] {
        switch self {
        case .type(let text): Array("type\n".utf8) + text
        case .screenText: Array("screenshot text\n".utf8)
        case .screenPicture: Array("screenshot png\n".utf8)
        }
    }
}

/// The answer to a `ControlRequest`.
enum ControlAnswer {
    /// It was done; what it gave.
    case done([UInt8])
    /// Why it was not done.
    case failed(String)

    /// Reads an answer.
    init?(_ bytes: [UInt8]) {
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let line = String(decoding: bytes[..<end], as: UTF8.self)
        if line == "ok" {
            self = .done(Array(bytes[(end + 1)...]))
        } else if line.hasPrefix("error: ") {
            self = .failed(String(line.dropFirst("error: ".count)))
        } else {
            return nil
        }
    }

    /// As it is sent.
    var bytes: [UInt8] {
        switch self {
        case .done(let bytes): Array("ok\n".utf8) + bytes
        case .failed(let text): Array("error: \(text)\n".utf8)
        }
    }
}
