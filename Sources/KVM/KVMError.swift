internal import CKVM
internal import Glibc

/// A call to KVM that failed: which ioctl, with which errno, and what that usually means.
public struct KVMError: Error, Equatable, CustomStringConvertible {
    /// The system call or ioctl as the kernel's API document names it, such as `KVM_CREATE_VM`.
    public let operation: String
    /// The errno that the kernel answered.
    public let errno: Int32
    /// What to do about it, or what usually causes it; empty when nothing is known beyond the errno.
    public let hint: String

    /// - Parameters:
    ///   - operation: the ioctl's name.
    ///   - errno: the kernel's answer, positive.
    ///   - hint: what to do about it.
    public init(operation: String, errno: Int32, hint: String = "") {
        self.operation = operation
        self.errno = errno
        self.hint = hint
    }

    /// One line: what was tried, what happened, what to do.
    public var description: String {
        let reason = "\(operation): \(String(cString: strerror(errno))) (errno \(errno))"
        return hint.isEmpty ? reason : "\(reason); \(hint)"
    }
}

/// One ioctl request with the name that errors carry.
struct Request {
    let number: UInt
    let name: StaticString

    init(_ request: ckvm_request, _ name: StaticString) {
        number = request.rawValue
        self.name = name
    }

    /// The error for a negative result of this request.
    /// - Parameter hint: what the request usually refuses; not told where the errno has a cause of its own.
    func error(_ result: Int32, hint: @autoclosure () -> String = "") -> KVMError {
        KVMError(operation: name.description, errno: -result, hint: generalCause(-result) ?? hint())
    }

    /// What an errno means whichever request answers it.
    private func generalCause(_ errno: Int32) -> String? {
        switch errno {
        case EINTR: "a signal arrived; the call may be repeated"
        case ENOMEM: "the kernel is out of memory, or the limit on locked memory or mappings is reached"
        case EMFILE, ENFILE: "too many open files; raise `ulimit -n`"
        case ENOTTY: "this kernel's KVM does not know the request"
        case EBADF: "a file descriptor given is not open"
        case EIO: "the machine belongs to another process, or KVM has given it up after a bug of its own"
        default: nil
        }
    }
}

/// A file descriptor of KVM's that is closed when its owner goes.
struct Descriptor: ~Copyable {
    let number: Int32

    init(owning number: Int32) {
        self.number = number
    }

    deinit {
        _ = close(number)
    }

    /// Calls a request that takes an integer.
    @discardableResult
    borrowing func call(
        _ request: Request, _ argument: UInt = 0, hint: @autoclosure () -> String = ""
    ) throws(KVMError) -> Int32 {
        let result = ckvm_call(number, request.number, argument)
        guard result >= 0 else { throw request.error(result, hint: hint()) }
        return result
    }

    /// Calls a request that reads or fills in a structure.
    @discardableResult
    borrowing func call<Argument>(
        _ request: Request, with argument: inout Argument, hint: @autoclosure () -> String = ""
    ) throws(KVMError) -> Int32 {
        let result = withUnsafeMutablePointer(to: &argument) { ckvm_call_with(number, request.number, $0) }
        guard result >= 0 else { throw request.error(result, hint: hint()) }
        return result
    }

    /// Calls a request whose structure lies in memory of the caller's.
    @discardableResult
    borrowing func call(
        _ request: Request, at argument: UnsafeMutableRawPointer, hint: @autoclosure () -> String = ""
    ) throws(KVMError) -> Int32 {
        let result = ckvm_call_with(number, request.number, argument)
        guard result >= 0 else { throw request.error(result, hint: hint()) }
        return result
    }

    /// Calls a request that only fills in a structure of plain numbers, and returns it.
    borrowing func get<Value>(
        _ request: Request, _ empty: Value, hint: @autoclosure () -> String = ""
    ) throws(KVMError) -> Value {
        var value = empty
        try call(request, with: &value, hint: hint())
        return value
    }

    /// Calls a request that only reads a structure.
    borrowing func set<Value>(
        _ request: Request, _ value: Value, hint: @autoclosure () -> String = ""
    ) throws(KVMError) {
        var copy = value
        try call(request, with: &copy, hint: hint())
    }
}
