internal import Glibc
internal import Host

/// The other end: asks a running machine for something and waits for the answer.
enum ControlClient {
    /// - Parameter path: of the machine's socket.
    /// - Returns: what it gave.
    static func ask(_ request: ControlRequest, at path: String) throws -> [UInt8] {
        let socket = try UnixSocket.connect(to: path)
        var rest = request.bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(socket.rawValue, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        shutdown(socket.rawValue, Int32(SHUT_WR))
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(socket.rawValue, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            answer += chunk[..<count]
        }
        switch ControlAnswer(answer) {
        case .done(let bytes): return bytes
        case .failed(let text): throw Failure.failed("the machine at '\(path)' refused: \(text)")
        case nil: throw Failure.failed("the machine at '\(path)' ended before it answered")
        }
    }
}
