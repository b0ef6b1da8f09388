internal import Firmware
internal import Glibc
public import GuestMemory

/// Guest RAM from 0, with the part that no loader may write filled to be recognised.
@safe public final class FuzzRAM {
    /// The RAM.
    public let memory: GuestMemory
    private let bytes: UnsafeMutableRawBufferPointer
    private let kept: UnsafeMutableRawBufferPointer
    private static let mark: UInt8 = 0xC5

    /// RAM of a size in bytes, at least 1 MiB.
    public init(size: Int) {
        let range = Int(BoardLayout.extendedBIOSData.start)..<Int(BoardLayout.highMemory)
        unsafe bytes = .allocate(byteCount: size, alignment: 4096)
        unsafe kept = UnsafeMutableRawBufferPointer(rebasing: bytes[range])
        unsafe _ = kept.initializeMemory(as: UInt8.self, repeating: Self.mark)
        memory = unsafe GuestMemory(regions: [MemoryRegion(guestAddress: 0, bytes: bytes)])
    }

    deinit { unsafe bytes.deallocate() }

    /// Whether nothing has been written between the extended BIOS data area and 1 MiB.
    public var isKept: Bool {
        guard let start = unsafe kept.baseAddress, unsafe kept[0] == Self.mark else { return false }
        // Each byte like the one before it: the C library is many times faster at it than an instrumented loop.
        return unsafe memcmp(start, start + 1, kept.count - 1) == 0
    }
}
