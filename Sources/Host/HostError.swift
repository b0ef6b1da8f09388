internal import Glibc

/// Why the host did not give what was asked of it, in one line: what was tried, on what, what happened,
/// what to do.
public struct HostError: Error, Equatable, Sendable {
    /// What was tried, as a verb phrase: "open", "map".
    public let operation: String
    /// What it was tried on: a path, a descriptor, an amount of memory.
    public let subject: String
    /// The `errno` value the host answered with; nil when the monitor itself refused.
    public let errorNumber: Int32?
    /// What happened, in words.
    public let reason: String
    /// What to do about it; may be empty.
    public let hint: String

    /// A refusal by the host.
    public init(_ operation: String, _ subject: String, errno errorNumber: Int32, hint: String = "") {
        self.operation = operation
        self.subject = subject
        self.errorNumber = errorNumber
        self.reason = HostError.words(for: errorNumber)
        self.hint = hint
    }

    /// A refusal by the monitor, which saw beforehand that it cannot work.
    public init(_ operation: String, _ subject: String, because reason: String, hint: String = "") {
        self.operation = operation
        self.subject = subject
        self.errorNumber = nil
        self.reason = reason
        self.hint = hint
    }

    /// The C library's words for an `errno` value, in lower case as the rest of the sentence is.
    static func words(for errorNumber: Int32) -> String {
        guard let text = strerror(errorNumber) else { return "error \(errorNumber)" }
        let words = String(cString: text)
        return words.prefix(1).lowercased() + words.dropFirst()
    }
}

extension HostError: CustomStringConvertible {
    /// One line. Control characters in a subject, such as a path's, are shown as `?`.
    public var description: String {
        let cleanSubject = String(
            String.UnicodeScalarView(subject.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
        let ending = hint.isEmpty ? "" : "; \(hint)"
        return "cannot \(operation) \(cleanSubject): \(reason)\(ending)"
    }
}
