internal import Firmware
public import GuestMemory

/// The first sector of a disk, as a PC's BIOS loads it: 512 bytes that end with a signature.
public struct BootSector {
    /// The size of a sector in bytes.
    public static let size = 512
    /// DL as the BIOS leaves it: the number of the first hard disk.
    public static let firstHardDisk: UInt64 = 0x80

    private static let signatureOffset: UInt64 = 510
    private static let signature: UInt16 = 0xAA55

    /// The sector.
    let sector: ImageBytes

    /// Takes the first sector of a file; what follows it is not looked at.
    public init(_ image: ImageBytes) throws(BootSectorError) {
        if image.count == 0 { throw .empty }
        guard let sector = image.slice(at: 0, count: UInt64(Self.size)) else { throw .truncated(count: image.count) }
        let found = sector.load(UInt16.self, at: Self.signatureOffset) ?? 0
        if found != Self.signature { throw .noSignature(found: found) }
        self.sector = sector
    }

    /// Copies the sector to 0x7C00 and fills the words of the BIOS data area that say where memory ends, and how many
    /// hard disks there are.
    /// - Returns: real mode at 0000:7C00 with DL 0x80, all segments 0, the stack growing down from the sector.
    public func load(into memory: GuestMemory, hardDisks: Int = 0) throws(BootSectorError) -> LoadedImage {
        let address = BoardLayout.bootSector
        do throws(GuestMemoryError) {
            try BIOSDataArea.write(hardDisks: hardDisks, to: memory)
            unsafe try memory.write(sector.bytes, at: address)
        } catch {
            throw .outsideMemory(error)
        }
        let offset = UInt16(truncatingIfNeeded: address)
        var state = EntryState.real(segment: 0, offset: offset, dataSegment: 0, stackPointer: offset)
        state.rdx = Self.firstHardDisk
        let range = AddressRange(start: address, end: address + UInt64(Self.size))
        return LoadedImage(bootProtocol: .bootSector, entry: state, kernel: range, initrd: nil)
    }
}

/// Why a boot sector could not be loaded.
public enum BootSectorError: Error, Equatable, Sendable {
    /// The file has no bytes.
    case empty
    /// The file is shorter than a sector.
    case truncated(count: Int)
    /// The last two bytes are not 0x55 0xAA; they are this, as a little-endian number.
    case noSignature(found: UInt16)
    /// The guest has less than 640 KiB of RAM.
    case outsideMemory(GuestMemoryError)
}

extension BootSectorError: CustomStringConvertible {
    /// One line, without the name of the file.
    public var description: String {
        switch self {
        case .empty: "the boot sector is empty: give a disk image or a 512-byte sector"
        case .truncated(let count):
            "a boot sector has 512 bytes and the file has \(count): pad it, with the signature 0x55 0xAA at the end"
        case .noSignature(let found):
            "the boot sector has no signature: bytes 510 and 511 are \(hexadecimal(UInt64(found & 0xFF))) "
                + "\(hexadecimal(UInt64(found >> 8))) and not 0x55 0xAA; give a bootable image, or use --flat"
        case .outsideMemory:
            "a boot sector needs base memory up to 640 KiB: give the guest at least 1 MiB"
        }
    }
}
