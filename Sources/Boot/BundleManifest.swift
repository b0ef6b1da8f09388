/// What is wrong with a manifest; lines are numbered from 1.
public enum ManifestError: Error, Equatable {
    /// A key that means nothing.
    case unknownKey([UInt8], line: Int)
    /// A key before the first "guest".
    case outsideOfGuest(line: Int)
    /// A value that is none for the key; it is empty where there is none.
    case badValue(ManifestKey, value: [UInt8], line: Int)
    /// A disk more than a guest may have.
    case tooManyDisks(line: Int)
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
    /// The first mistake in its description, with which it cannot be started; nil when there is none.
    public var mistake: ManifestError?
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

    /// Remembers a mistake, unless there was one already.
    fileprivate mutating func note(_ error: ManifestError) { mistake = mistake ?? error }

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
/// entry ADDRESS, harts NUMBER, disk FILE or disk host:NUMBER (up to six times, with ",ro" behind it for a disk that
/// refuses to be written), console serial or console virtio. Lines that are empty or begin with "#" say nothing.
public enum BundleManifest {
    /// Most virtual harts of a guest.
    static let maximumHarts: UInt64 = 16
    /// Most disks of a guest: eight virtio devices less the console and the source of entropy.
    public static let maximumDisks = 6
    /// The greatest number of a disk of the machine.
    static let maximumHostDisk: UInt64 = 63

    /// Reads it. A mistake in a guest's description is that guest's, and the others' do not suffer.
    /// - Throws: what leaves no guest to blame.
    public static func read(_ text: [UInt8]) throws(ManifestError) -> [GuestDescription] {
        var guests: [GuestDescription] = []
        var number = 0
        for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            let line = trimmed([UInt8](line))
            guard let first = line.first, first != UInt8(ascii: "#") else { continue }
            let name = [UInt8](line.prefix { $0 != UInt8(ascii: " ") && $0 != 9 })
            let value = trimmed([UInt8](line.dropFirst(name.count)))
            let key = ManifestKey(name)
            if key == .guest {
                guard !value.isEmpty else { throw .badValue(.guest, value: value, line: number) }
                guests.append(GuestDescription(name: value, line: number))
                continue
            }
            guard !guests.isEmpty else { throw .outsideOfGuest(line: number) }
            do throws(ManifestError) {
                guard let key else { throw .unknownKey(name, line: number) }
                try set(key, value, line: number, of: &guests[guests.count - 1])
            } catch {
                guests[guests.count - 1].note(error)
            }
        }
        guard !guests.isEmpty else { throw .noGuests }
        for index in guests.indices where guests[index].payload == nil {
            guests[index].note(.nothingToRun(line: guests[index].line))
        }
        return guests
    }

    private static func set(
        _ key: ManifestKey, _ value: [UInt8], line: Int, of guest: inout GuestDescription
    ) throws(ManifestError) {
        guard key != .disk || guest.disks.count < maximumDisks else { throw .tooManyDisks(line: line) }
        guard !value.isEmpty || key == .append, set(key, value, of: &guest) else {
            throw .badValue(key, value: value, line: line)
        }
    }

    /// - Returns: whether the value is one of the key's.
    private static func set(_ key: ManifestKey, _ value: [UInt8], of guest: inout GuestDescription) -> Bool {
        switch key {
        case .guest: return false
        case .append: guest.commandLine = value
        case .kernel: guest.payload = .linux(value)
        case .image: guest.payload = .flat(value)
        case .initrd: guest.initialRAMDisk = value
        case .disk:
            guard let disk = disk(value) else { return false }
            guest.disks.append(disk)
        case .console:
            guard let console = console(value) else { return false }
            guest.console = console
        case .faults:
            guard value.elementsEqual("guest".utf8) else { return false }
            guest.takesFaults = true
        case .memory, .base, .load, .entry, .harts:
            guard let amount = number(value) else { return false }
            return set(key, amount, of: &guest)
        }
        return true
    }

    private static func set(_ key: ManifestKey, _ amount: UInt64, of guest: inout GuestDescription) -> Bool {
        switch key {
        case .memory:
            guard amount > 0, amount % 4096 == 0, amount <= 1 << 40 else { return false }
            guest.memory = amount
        case .base:
            guard amount % 4096 == 0, amount <= 1 << 40 else { return false }
            guest.memoryBase = amount
        case .load: guest.loadAddress = amount
        case .entry: guest.entry = amount
        default:
            guard (1...maximumHarts).contains(amount) else { return false }
            guest.harts = Int(amount)
        }
        return true
    }

    private static func console(_ text: [UInt8]) -> GuestDescription.ConsoleChoice? {
        if text.elementsEqual("serial".utf8) { return .serial }
        return text.elementsEqual("virtio".utf8) ? .virtio : nil
    }

    /// FILE or host:NUMBER, with ",ro" behind it or without.
    private static func disk(_ text: [UInt8]) -> DiskDescription? {
        var name = text[...]
        let isReadOnly = text.count > 3 && text.suffix(3).elementsEqual(",ro".utf8)
        if isReadOnly { name.removeLast(3) }
        guard name.starts(with: "host:".utf8) else {
            return DiskDescription(contents: .image([UInt8](name)), isReadOnly: isReadOnly)
        }
        guard let number = number([UInt8](name.dropFirst(5))), number <= maximumHostDisk else { return nil }
        return DiskDescription(contents: .host(Int(number)), isReadOnly: isReadOnly)
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
