internal import Glibc

/// Sockets of one machine that have a path (unix(7)), for a stream of bytes each way.
public enum UnixSocket {
    /// A socket that waits for connections, and goes with its path when it is closed.
    public struct Listener: ~Copyable {
        /// The descriptor; it does not block.
        public let descriptor: OwnedDescriptor
        /// The path.
        public let path: String

        fileprivate init(_ descriptor: consuming OwnedDescriptor, path: String) {
            self.descriptor = descriptor
            self.path = path
        }

        deinit {
            unlink(path)
        }

        /// Takes a connection that waits.
        /// - Returns: its descriptor, which does not block; nil when none waits.
        public func accept() -> Int32? {
            let connection = Glibc.accept(descriptor.rawValue, nil, nil)
            guard connection >= 0 else { return nil }
            UnixSocket.prepare(connection)
            return connection
        }
    }

    /// Makes a socket at a path that only this user may open. One that a process has left behind is replaced; any other
    /// file is left alone.
    public static func listen(at path: String) throws(HostError) -> Listener {
        var address = try address(path, "listen at")
        let descriptor = try make("listen at", path)
        var status = bind(descriptor.rawValue, &address)
        if status == EADDRINUSE, isLeftBehind(path, address) {
            unlink(path)
            status = bind(descriptor.rawValue, &address)
        }
        guard status == 0 else {
            guard status == EADDRINUSE else { throw HostError("listen at", "'\(path)'", errno: status) }
            throw HostError(
                "listen at", "'\(path)'",
                because: isSocket(path) ? "another program listens there" : "there is a file, which is no socket",
                hint: "name a path that is not there yet")
        }
        guard chmod(path, 0o600) == 0, Glibc.listen(descriptor.rawValue, 16) == 0 else {
            let reason = errno
            unlink(path)
            throw HostError("listen at", "'\(path)'", errno: reason)
        }
        prepare(descriptor.rawValue)
        return Listener(descriptor, path: path)
    }

    /// Connects to the socket at a path.
    /// - Returns: the connection, which blocks.
    public static func connect(to path: String) throws(HostError) -> OwnedDescriptor {
        var address = try address(path, "connect to")
        let descriptor = try make("connect to", path)
        let status = connect(descriptor.rawValue, &address)
        guard status == 0 else {
            // What is no socket refuses connections, too.
            if status == ECONNREFUSED, !isSocket(path) {
                throw HostError("connect to", "'\(path)'", because: "it is no socket", hint: "name that of a machine")
            }
            throw HostError("connect to", "'\(path)'", errno: status, hint: "is a machine running with this --control?")
        }
        return descriptor
    }

    private static func address(_ path: String, _ operation: String) throws(HostError) -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count < room, !bytes.contains(0) else {
            throw HostError(
                operation, "'\(path)'", because: "a socket's path has 1 to \(room - 1) bytes", hint: "name another path"
            )
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return address
    }

    private static func make(_ operation: String, _ path: String) throws(HostError) -> OwnedDescriptor {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw HostError(operation, "'\(path)'", errno: errno) }
        return OwnedDescriptor(owning: descriptor)
    }

    /// Whether the path, or what it links to, is a socket.
    private static func isSocket(_ path: String) -> Bool {
        var file = stat()
        return stat(path, &file) == 0 && file.st_mode & S_IFMT == S_IFSOCK
    }

    /// Whether the path is a socket that nobody listens at.
    private static func isLeftBehind(_ path: String, _ address: sockaddr_un) -> Bool {
        var file = stat()
        guard lstat(path, &file) == 0, file.st_mode & S_IFMT == S_IFSOCK else { return false }
        guard let probe = try? make("connect to", path) else { return false }
        var address = address
        return connect(probe.rawValue, &address) == ECONNREFUSED
    }

    private static func prepare(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    /// - Returns: 0 or the error's number.
    private static func bind(_ descriptor: Int32, _ address: inout sockaddr_un) -> Int32 {
        call(&address) { Glibc.bind(descriptor, $0, $1) }
    }

    private static func connect(_ descriptor: Int32, _ address: inout sockaddr_un) -> Int32 {
        call(&address) { Glibc.connect(descriptor, $0, $1) }
    }

    private static func call(
        _ address: inout sockaddr_un, _ function: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                function($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return result == 0 ? 0 : errno
    }
}
