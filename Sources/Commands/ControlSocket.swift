internal import Glibc
internal import Host

/// The machine's end of the socket. Only used on the loop's thread.
final class ControlSocket {
    /// Does what is asked.
    /// - Parameter answer: called once, now or later, unless what is returned is called first.
    /// - Returns: what gives up, for somebody who has gone away.
    typealias Handler = (_ request: ControlRequest, _ answer: @escaping (ControlAnswer) -> Void) -> () -> Void

    private let listener: UnixSocket.Listener
    private let loop: EventLoop
    private let handler: Handler
    private var source: EventLoop.Source?
    private var connections: [Int32: ControlConnection] = [:]

    /// How many may be connected at once.
    private static let maximum = 16

    /// - Parameters:
    ///   - path: of the socket, which must not be there yet.
    ///   - loop: outlives this object.
    ///   - handler: does what is asked.
    init(path: String, loop: EventLoop, handler: @escaping Handler) throws(HostError) {
        self.loop = loop
        self.handler = handler
        listener = try UnixSocket.listen(at: path)
        source = try loop.add(listener.descriptor.rawValue, .readable) { [weak self] _ in self?.accept() }
    }

    /// Leaves the loop.
    func close() {
        if let source { loop.remove(source) }
        source = nil
        for connection in connections.values { connection.close() }
        connections = [:]
    }

    private func accept() {
        while let descriptor = listener.accept() {
            let socket = OwnedDescriptor(owning: descriptor)
            guard connections.count < Self.maximum else { continue }
            // What cannot be watched is closed, and its other end hears of that.
            connections[descriptor] = try? ControlConnection(socket, loop: loop, handler: handler) {
                [weak self] in self?.connections[descriptor] = nil
            }
        }
    }
}

/// One connection: it gathers the request, hands it on, and writes the answer.
private final class ControlConnection {
    private let socket: OwnedDescriptor
    private let loop: EventLoop
    private let handler: ControlSocket.Handler
    private let onEnd: () -> Void
    private var source: EventLoop.Source?
    private var request: [UInt8] = []
    private var giveUp: (() -> Void)?
    private var answer: [UInt8] = []
    private var isHandled = false
    private var isAnswered = false

    /// The longest request in bytes.
    private static let limit = 1 << 20

    init(
        _ socket: consuming OwnedDescriptor, loop: EventLoop, handler: @escaping ControlSocket.Handler,
        onEnd: @escaping () -> Void
    ) throws(HostError) {
        self.socket = socket
        self.loop = loop
        self.handler = handler
        self.onEnd = onEnd
        source = try loop.add(self.socket.rawValue, .readable) { [weak self] event in self?.serve(event) }
    }

    func close() {
        if let source { loop.remove(source) }
        source = nil
        giveUp?()
        giveUp = nil
    }

    private func end() {
        close()
        onEnd()
    }

    private func serve(_ event: EventLoop.Event) {
        if event.contains(.hangUp) { return end() }
        if isAnswered { return write() }
        var chunk = [UInt8](repeating: 0, count: 4096)
        let count = read(socket.rawValue, &chunk, chunk.count)
        if count < 0 { return errno == EAGAIN || errno == EINTR ? () : end() }
        if count > 0 {
            request += chunk[..<count]
            if request.count > Self.limit { finish(.failed("the request is longer than \(Self.limit) bytes")) }
            return
        }
        // The whole request is there. The end of what is sent lasts, and is not to be told again.
        guard !isHandled else { return }
        isHandled = true
        watch([])
        guard let request = ControlRequest(request) else {
            return finish(.failed("there is no such request; type, screenshot text and screenshot png are"))
        }
        let giveUp = handler(request) { [weak self] in self?.finish($0) }
        if !isAnswered { self.giveUp = giveUp }
    }

    private func finish(_ answer: ControlAnswer) {
        guard !isAnswered else { return }
        isAnswered = true
        giveUp = nil
        self.answer = answer.bytes
        // At once: the machine may have come to its end, and nobody waits for events then.
        write()
    }

    private func write() {
        let count = send(socket.rawValue, answer, answer.count, Int32(MSG_NOSIGNAL))
        if count < 0, errno != EAGAIN, errno != EINTR { return end() }
        answer.removeFirst(max(count, 0))
        if answer.isEmpty { end() } else { watch(.writable) }
    }

    private func watch(_ interest: EventLoop.Interest) {
        guard let source else { return }
        do throws(HostError) { try loop.change(source, to: interest) } catch { end() }
    }
}
