import Boot
import Devices
import RISCV

/// A disk in memory of its own: a copy of a file of the boot bundle. What is written is gone when the machine ends.
@safe final class RAMDisk: BlockStore {
    let isReadOnly: Bool
    let sectorCount: UInt64
    private let bytes: UnsafeMutableRawBufferPointer
    private let pages: PageAllocator
    private let pageCount: Int

    /// A copy of a file; a last sector that is not whole is filled up with zeros. Nil when there is not enough memory.
    init?(copyOf image: ImageBytes, isReadOnly: Bool, pages: PageAllocator) {
        let count = (image.count + sectorSize - 1) / sectorSize * sectorSize
        pageCount = (count + Int(pageSize) - 1) / Int(pageSize)
        self.pages = pages
        guard pageCount > 0, let address = pages.allocatePages(pageCount, alignment: pageSize) else { return nil }
        unsafe bytes = UnsafeMutableRawBufferPointer(
            start: UnsafeMutableRawPointer(bitPattern: UInt(address)), count: count)
        unsafe bytes.copyMemory(from: image.bytes)
        sectorCount = UInt64(count / sectorSize)
        self.isReadOnly = isReadOnly
    }

    deinit { pages.freePages(at: unsafe UInt64(UInt(bitPattern: bytes.baseAddress)), count: pageCount) }

    func read(sector: UInt64, into target: inout MutableRawSpan) -> BlockResult {
        guard let first = offset(sector, count: target.byteCount) else { return .failed }
        unsafe target.withUnsafeMutableBytes {
            unsafe $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[first..<first + $0.count]))
        }
        return .done
    }

    func write(_ source: RawSpan, sector: UInt64) -> BlockResult {
        if isReadOnly { return .readOnly }
        guard let first = offset(sector, count: source.byteCount) else { return .failed }
        unsafe source.withUnsafeBytes {
            unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[first..<first + $0.count]).copyMemory(from: $0)
        }
        return .done
    }

    func flush() -> BlockResult { .done }

    /// The first byte of a sector; nil when `count` bytes from there are not all on the disk.
    private func offset(_ sector: UInt64, count: Int) -> Int? {
        guard sector <= sectorCount, UInt64(count) <= (sectorCount - sector) * UInt64(sectorSize) else { return nil }
        return Int(sector) * sectorSize
    }
}
