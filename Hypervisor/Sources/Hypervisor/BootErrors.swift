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
        case .unknownKey(let line): "manifest, line \(line): there is no such key"
        case .outsideOfGuest(let line): "manifest, line \(line): this comes before the first \"guest NAME\""
        case .badValue(let line): "manifest, line \(line): the value is missing or cannot be"
        case .noGuests: "the manifest names no guest"
        case .nothingToRun(let line): "manifest, line \(line): this guest has neither \"kernel\" nor \"image\""
        }
    }
}
