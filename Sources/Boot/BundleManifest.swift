/// What is wrong with a manifest; lines are numbered from 1.
public enum ManifestError: Error, Equatable {
    /// A key that means nothing.
    case unknownKey(line: Int)
    /// A key before the first "guest".
    case outsideOfGuest(line: Int)
    /// A value that is missing or none for the key.
    case badValue(line: Int)
    /// There is no guest.
    case noGuests
    /// A guest without "kernel" or "image".
    case nothingToRun(line: Int)
}

/// A guest as the manifest of a boot bundle describes it.
public struct GuestDescription: Equatable {
    /// What runs in it.
    public enum Payload: Equatable {
        /// A file with a Linux kernel.
        case linux([UInt8])
        /// A file that is copied to an address and started there.
        case flat([UInt8])
    }

    /// Its name.
    public var name: [UInt8]
    /// Where its description begins.
    public var line: Int
    /// What it runs; nil until "kernel" or "image" is read.
    public var payload: Payload?
    /// The file of its initial RAM disk.
    public var initialRAMDisk: [UInt8]?
    /// Its kernel's command line.
    public var commandLine: [UInt8] = []
    /// Its memory in bytes.
    public var memory: UInt64 = 128 << 20
    /// How many virtual harts it has.
    public var harts = 1
    /// Where a flat image is copied to and started.
    public var loadAddress: UInt64 = 0x8000_0000
    /// Where a flat image is started, if not where it is copied to.
    public var entry: UInt64?
    /// Whether an access where it has nothing comes back to it as an access fault; else it is its end.
    public var takesFaults = false
    /// Where its memory begins.
    public var memoryBase: UInt64 = 0x8000_0000
    /// Its disks, in their order.
    public var disks: [DiskDescription] = []
    /// Where what is typed goes.
    public var console = ConsoleChoice.serial

    /// The consoles of a guest. It may print on all of them.
    public enum ConsoleChoice: Equatable, Sendable {
        /// The UART, Linux' ttyS0.
        case serial
        /// The virtio console, Linux' hvc0.
        case virtio
    }
}

/// A disk of a guest.
public struct DiskDescription: Equatable {
    /// What is on it.
    public enum Contents: Equatable {
        /// A file of the bundle, copied into memory: what is written is gone when the guest ends.
        case image([UInt8])
        /// A disk of the machine, by its number: they are numbered from 0, in the order of their registers' addresses.
        case host(Int)
    }

    /// What is on it.
    public var contents: Contents
    /// Whether it refuses to be written.
    public var isReadOnly: Bool

    /// A disk.
    public init(contents: Contents, isReadOnly: Bool) {
        self.contents = contents
        self.isReadOnly = isReadOnly
    }
}

/// The manifest of a boot bundle: a line for each thing, a key and a value. "guest NAME" begins a guest; what follows is
/// about it: kernel FILE, image FILE, initrd FILE, append TEXT, faults guest, memory SIZE, base ADDRESS, load ADDRESS,
/// entry ADDRESS, harts NUMBER, disk FILE or disk host:NUMBER (up to six times, with ",ro" behind it for a disk that refuses to be
/// written), console serial or console virtio. Lines that are empty or begin with "#" say nothing.
public enum BundleManifest {
    /// Most virtual harts of a guest.
    static let maximumHarts: UInt64 = 16
    /// Most disks of a guest: eight virtio devices less the console and the source of entropy.
    static let maximumDisks = 6

    /// Reads it.
    public static func read(_ text: [UInt8]) throws(ManifestError) -> [GuestDescription] {
        var guests: [GuestDescription] = []
        var number = 0
        for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            let line = trimmed([UInt8](line))
            guard let first = line.first, first != UInt8(ascii: "#") else { continue }
            let key = [UInt8](line.prefix { $0 != UInt8(ascii: " ") })
            let value = trimmed([UInt8](line.dropFirst(key.count)))
            if key.elementsEqual("guest".utf8) {
                guard !value.isEmpty else { throw .badValue(line: number) }
                guests.append(GuestDescription(name: value, line: number))
                continue
            }
            guard !guests.isEmpty else { throw .outsideOfGuest(line: number) }
            try set(key, value, of: &guests[guests.count - 1], line: number)
        }
        guard !guests.isEmpty else { throw .noGuests }
        for guest in guests where guest.payload == nil { throw .nothingToRun(line: guest.line) }
        return guests
    }

    private static func set(
        _ key: [UInt8], _ value: [UInt8], of guest: inout GuestDescription, line: Int
    ) throws(ManifestError) {
        if key.elementsEqual("append".utf8) {
            guest.commandLine = value
            return
        }
        guard !value.isEmpty else { throw .badValue(line: line) }
        if key.elementsEqual("kernel".utf8) {
            guest.payload = .linux(value)
        } else if key.elementsEqual("image".utf8) {
            guest.payload = .flat(value)
        } else if key.elementsEqual("initrd".utf8) {
            guest.initialRAMDisk = value
        } else if key.elementsEqual("disk".utf8) {
            guard guest.disks.count < maximumDisks, let disk = disk(value) else { throw .badValue(line: line) }
            guest.disks.append(disk)
        } else if key.elementsEqual("console".utf8) {
            if value.elementsEqual("serial".utf8) {
                guest.console = .serial
            } else if value.elementsEqual("virtio".utf8) {
                guest.console = .virtio
            } else {
                throw .badValue(line: line)
            }
        } else if key.elementsEqual("faults".utf8) {
            guard value.elementsEqual("guest".utf8) else { throw .badValue(line: line) }
            guest.takesFaults = true
        } else {
            guard isNumberKey(key) else { throw .unknownKey(line: line) }
            guard let amount = self.number(value) else { throw .badValue(line: line) }
            if key.elementsEqual("memory".utf8) {
                guard amount > 0, amount % 4096 == 0, amount <= 1 << 40 else { throw .badValue(line: line) }
                guest.memory = amount
            } else if key.elementsEqual("base".utf8) {
                guard amount % 4096 == 0, amount <= 1 << 40 else { throw .badValue(line: line) }
                guest.memoryBase = amount
            } else if key.elementsEqual("load".utf8) {
                guest.loadAddress = amount
            } else if key.elementsEqual("entry".utf8) {
                guest.entry = amount
            } else {
                guard (1...maximumHarts).contains(amount) else { throw .badValue(line: line) }
                guest.harts = Int(amount)
            }
        }
    }

    /// FILE or host:NUMBER, with ",ro" behind it or without.
    private static func disk(_ text: [UInt8]) -> DiskDescription? {
        var name = text[...]
        let isReadOnly = text.count > 3 && text.suffix(3).elementsEqual(",ro".utf8)
        if isReadOnly { name.removeLast(3) }
        guard name.starts(with: "host:".utf8) else {
            return DiskDescription(contents: .image([UInt8](name)), isReadOnly: isReadOnly)
        }
        guard let number = number([UInt8](name.dropFirst(5))), number < 64 else { return nil }
        return DiskDescription(contents: .host(Int(number)), isReadOnly: isReadOnly)
    }

    private static func isNumberKey(_ key: [UInt8]) -> Bool {
        key.elementsEqual("memory".utf8) || key.elementsEqual("base".utf8) || key.elementsEqual("load".utf8)
            || key.elementsEqual("harts".utf8) || key.elementsEqual("entry".utf8)
    }

    private static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
        func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == 9 || byte == 13 }
        var part = bytes[...]
        while let first = part.first, isSpace(first) { part.removeFirst() }
        while let last = part.last, isSpace(last) { part.removeLast() }
        return [UInt8](part)
    }

    /// A decimal number with K, M or G behind it, or a hexadecimal one with 0x before it.
    public static func number(_ text: [UInt8]) -> UInt64? {
        var digits = text[...]
        var radix: UInt64 = 10
        var shift: UInt64 = 0
        if digits.count > 2, digits.starts(with: "0x".utf8) {
            radix = 16
            digits.removeFirst(2)
        } else {
            switch digits.last {
            case UInt8(ascii: "K"): shift = 10
            case UInt8(ascii: "M"): shift = 20
            case UInt8(ascii: "G"): shift = 30
            default: break
            }
            if shift > 0 { digits.removeLast() }
        }
        guard !digits.isEmpty else { return nil }
        var value: UInt64 = 0
        for byte in digits {
            let digit: UInt64
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = UInt64(byte - UInt8(ascii: "a")) + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = UInt64(byte - UInt8(ascii: "A")) + 10
            default: return nil
            }
            guard digit < radix else { return nil }
            let (product, over) = value.multipliedReportingOverflow(by: radix)
            let (sum, overToo) = product.addingReportingOverflow(digit)
            guard !over, !overToo else { return nil }
            value = sum
        }
        guard shift == 0 || value >> (64 - shift) == 0 else { return nil }
        return value << shift
    }
}
