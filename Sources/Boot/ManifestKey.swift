/// The keys of a boot bundle's manifest.
public enum ManifestKey: CaseIterable, Sendable {
    /// Begins a guest.
    case guest
    /// A Linux kernel.
    case kernel
    /// A file that is copied to an address and started.
    case image
    /// The initial RAM disk.
    case initrd
    /// The kernel's command line.
    case append
    /// A disk.
    case disk
    /// Where what is typed goes.
    case console
    /// Who takes the faults of bad accesses.
    case faults
    /// The memory's size.
    case memory
    /// Where memory begins.
    case base
    /// Where an image is copied to.
    case load
    /// Where an image is started.
    case entry
    /// Virtual harts.
    case harts

    /// As it stands in a manifest.
    public var name: String {
        switch self {
        case .guest: "guest"
        case .kernel: "kernel"
        case .image: "image"
        case .initrd: "initrd"
        case .append: "append"
        case .disk: "disk"
        case .console: "console"
        case .faults: "faults"
        case .memory: "memory"
        case .base: "base"
        case .load: "load"
        case .entry: "entry"
        case .harts: "harts"
        }
    }

    /// What its value may be, for a message.
    public var allowed: String {
        switch self {
        case .guest: "a name"
        case .kernel, .image, .initrd: "the name of a file of the bundle"
        case .append: "a text, or nothing"
        case .disk:
            "the name of a file of the bundle, or host: and a number from 0 to \(BundleManifest.maximumHostDisk), each with ,ro behind it for a disk that refuses to be written"
        case .console: "serial or virtio"
        case .faults: "guest"
        case .memory: "a multiple of 4K up to 1024G"
        case .base: "a multiple of 4K up to 0x10000000000"
        case .load, .entry: "an address, like 0x80000000"
        case .harts: "a number from 1 to \(BundleManifest.maximumHarts)"
        }
    }

    /// The key with a name; nil when there is none.
    init?(_ name: [UInt8]) {
        for key in Self.allCases where name.elementsEqual(key.name.utf8) {
            self = key
            return
        }
        return nil
    }
}
