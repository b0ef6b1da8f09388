/// One thing that was looked at on this host, and what to do about it.
public struct Finding: Equatable, Sendable {
    /// How it is.
    public enum Result: String, Sendable {
        /// As it should be.
        case ok
        /// It works, but slowly or not in full.
        case limited
        /// It does not work; some guests cannot run.
        case missing
    }

    /// What was looked at.
    public let name: String
    /// How it is.
    public let result: Result
    /// What was seen.
    public let detail: String
    /// What to do about it; nil where there is nothing to do.
    public let remedy: String?

    /// - Parameters:
    ///   - name: what was looked at.
    ///   - result: how it is.
    ///   - detail: what was seen.
    ///   - remedy: what to do about it.
    public init(_ name: String, _ result: Result, _ detail: String, remedy: String? = nil) {
        self.name = name
        self.result = result
        self.detail = detail
        self.remedy = remedy
    }
}

/// All that was found on a host.
public struct DoctorReport: Equatable, Sendable {
    /// In the order in which they were looked at.
    public let findings: [Finding]

    /// - Parameter findings: in the order in which they were looked at.
    public init(findings: [Finding]) { self.findings = findings }

    /// Whether this host's KVM can run every kind of guest; `limited` findings do not count against it.
    public var isComplete: Bool { findings.allSatisfy { $0.result != .missing } }

    /// The findings as text of at most 80 columns, ended by a sentence that sums them up and a newline.
    public func render() -> String {
        var lines: [String] = []
        for finding in findings {
            let head = finding.result.rawValue.padded(9) + finding.name.padded(24)
            lines += Self.hanging(head, finding.detail)
            if let remedy = finding.remedy { lines += Self.hanging(String(repeating: " ", count: 33), "-> " + remedy) }
        }
        return (lines + ["", summary]).joined(separator: "\n") + "\n"
    }

    private var summary: String {
        let missing = findings.filter { $0.result == .missing }.map(\.name)
        let text =
            missing.isEmpty
            ? "This host's KVM can run every kind of guest."
            : "Missing here: \(missing.joined(separator: ", ")). `scripts/box` gives a complete KVM anywhere."
        return text.wrapped().joined(separator: "\n")
    }

    private static func hanging(_ head: String, _ text: String) -> [String] {
        let lines = text.wrapped(width: 80 - head.count)
        return zip(lines.indices, lines).map { place, line in
            (place == 0 ? head : String(repeating: " ", count: head.count)) + line
        }
    }
}
