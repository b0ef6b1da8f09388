import Boot

extension CPIOError {
    /// One line for the console.
    var text: String {
        switch self {
        case .badMagic(let offset):
            "the boot bundle is no cpio archive of format newc: bad magic number at byte \(offset)"
        case .badHeader(let offset): "the boot bundle has a bad header at byte \(offset)"
        case .truncated(let offset): "the boot bundle is truncated: it ends within the entry at byte \(offset)"
        }
    }
}

extension ManifestError {
    /// One line for the console.
    var text: String {
        switch self {
        case .unknownKey(let key, let line): "manifest, line \(line): there is no key \(shown(key))"
        case .outsideOfGuest(let line): "manifest, line \(line): this comes before the first \"guest NAME\""
        case .badValue(let key, let value, let line):
            value.isEmpty
                ? "manifest, line \(line): \(key.name) has no value; it may be \(key.allowed)"
                : "manifest, line \(line): \(key.name) cannot be \(shown(value)); it may be \(key.allowed)"
        case .tooManyDisks(let line):
            "manifest, line \(line): a guest has at most \(BundleManifest.maximumDisks) disks"
        case .noGuests: "the manifest names no guest"
        case .nothingToRun(let line): "manifest, line \(line): this guest has neither \"kernel\" nor \"image\""
        }
    }
}

/// A word of a manifest: a very long one is cut.
private func shown(_ bytes: [UInt8]) -> String {
    bytes.count <= 64 ? text(bytes) : text([UInt8](bytes.prefix(64))) + "..."
}
