internal import Glibc

/// What /proc/cpuinfo says of this host's processor.
public struct HostProcessor: Equatable, Sendable {
    /// `GenuineIntel`, `AuthenticAMD` or another; empty when it is not told.
    public let vendor: String
    /// The model's name.
    public let model: String
    /// The features' names.
    public let flags: Set<String>

    /// - Parameter path: the file to read; other files serve tests.
    public init(path: String = "/proc/cpuinfo") {
        var fields: [String: String] = [:]
        for line in HostFile.text(path, limit: 65536).split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let key = String(parts[0].filter { $0 != "\t" })
            if fields[key] == nil { fields[key] = String(parts[1].drop { $0 == " " }) }
        }
        vendor = fields["vendor_id"] ?? ""
        model = fields["model name"] ?? ""
        flags = Set((fields["flags"] ?? "").split(separator: " ").map(String.init))
    }

    /// Whether AMD-V rather than VT-x would be this processor's virtualization (Hygon's is AMD's).
    public var isAMD: Bool { vendor == "AuthenticAMD" || vendor == "HygonGenuine" }
    /// Whether the processor itself is a virtual or emulated one: CPUID leaf 1, ECX bit 31.
    public var isVirtual: Bool { flags.contains("hypervisor") }
    /// Whether it offers hardware virtualization.
    public var hasVirtualization: Bool { flags.contains("svm") || flags.contains("vmx") }
}

/// Small text files of the kernel's.
enum HostFile {
    /// At most `limit` bytes of a file; empty when it cannot be read.
    static func text(_ path: String, limit: Int) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count < limit {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk.prefix(count)
        }
        return String(decoding: bytes.prefix(limit), as: UTF8.self)
    }
}
