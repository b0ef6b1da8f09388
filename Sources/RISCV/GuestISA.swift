/// The extensions that a guest is told of: those of the host that the hypervisor can keep for it.
public enum GuestISA {
    /// The host's "riscv,isa" without what a guest must not use.
    ///
    /// Of the letters, I, M, A, F, D and C stay: H would need nested virtualization, and V's registers are not switched.
    /// Of the others, those that are instructions without state of their own, and Sstc where it is there.
    /// - Parameters:
    ///   - host: as in the device tree: "rv64imafdch_zicsr_zba_sstc".
    ///   - hasSstc: whether vstimecmp works.
    public static func extensions(host: [UInt8], hasSstc: Bool) -> [String] {
        var kept: [String] = []
        var parts = host.split(separator: UInt8(ascii: "_"))
        if !parts.isEmpty {
            let letters = parts.removeFirst().dropFirst(4)
            for letter in letters where [UInt8]("imafdc".utf8).contains(letter) {
                kept.append(String(UnicodeScalar(letter)))
            }
        }
        for part in parts {
            for name in known where part.elementsEqual(name.utf8) { kept.append(name) }
        }
        // Older device trees do not name what others do.
        if hasSstc { kept.append("sstc") }
        return kept
    }

    private static let known = ["zicsr", "zifencei", "zihintpause", "zba", "zbb", "zbc", "zbs", "zicntr"]

    /// The "riscv,isa" of extensions.
    public static func text(_ extensions: [String]) -> String {
        var text = "rv64"
        for name in extensions { text += name.utf8.count == 1 ? name : "_" + name }
        return text
    }
}
