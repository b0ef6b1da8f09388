import Architecture
import RISCV

/// The memory of Swift's objects and arrays: a fixed arena, whose free blocks are a list in the order of their addresses.
/// Blocks that touch become one when they are given back.
///
/// This is the second of the two places with state of the whole program; the lock of `Hypervisor` guards it.
enum Heap {
    /// Before each block: 16 bytes, of which the first word is the block's size with them.
    private static let header: UInt64 = 16
    nonisolated(unsafe) private static var first: UInt64 = 0
    /// Bytes in use, with headers.
    nonisolated(unsafe) private(set) static var used: UInt64 = 0

    /// Gives the heap its memory, aligned to 16 bytes.
    static func start(from start: UInt64, to end: UInt64) {
        setWord(start, end - start)
        setWord(start + 8, 0)
        unsafe first = start
    }

    /// A block; 0 when memory is out.
    static func allocate(_ size: UInt64, alignment: UInt64) -> UInt64 {
        // A greater alignment than the header's is met by a longer block: what is before the place is given back.
        let slack = alignment > header ? alignment : 0
        guard size < 1 << 40, alignment <= 1 << 20 else { return 0 }
        let needed = (max(size, header) + header + 15) & ~15 + slack
        var before: UInt64 = 0
        var block = unsafe first
        while block != 0 {
            let length = word(block)
            let next = word(block + 8)
            if length >= needed {
                var following = next
                var taken = length
                if length - needed >= 2 * header {
                    following = block + needed
                    setWord(following, length - needed)
                    setWord(following + 8, next)
                    taken = needed
                }
                if before == 0 { unsafe first = following } else { setWord(before + 8, following) }
                unsafe used += taken
                setWord(block, taken)
                return slack == 0 ? block + header : align(block, length: taken, to: alignment)
            }
            before = block
            block = next
        }
        return 0
    }

    /// Moves the beginning of a block up to where what follows the header is aligned.
    private static func align(_ block: UInt64, length: UInt64, to alignment: UInt64) -> UInt64 {
        let place = (block + header + alignment - 1) & ~(alignment - 1)
        let start = place - header
        if start > block {
            setWord(start, length - (start - block))
            setWord(block, start - block)
            free(block + header)
        }
        return place
    }

    /// Gives a block back.
    static func free(_ address: UInt64) {
        guard address != 0 else { return }
        let block = address - header
        var length = word(block)
        unsafe used -= length
        var before: UInt64 = 0
        var after = unsafe first
        while after != 0, after < block {
            before = after
            after = word(after + 8)
        }
        if after != 0, block + length == after {
            length += word(after)
            after = word(after + 8)
        }
        if before != 0, before + word(before) == block {
            setWord(before, word(before) + length)
            setWord(before + 8, after)
        } else {
            setWord(block, length)
            setWord(block + 8, after)
            if before == 0 { unsafe first = block } else { setWord(before + 8, block) }
        }
    }

    private static func word(_ address: UInt64) -> UInt64 {
        guard let pointer = unsafe UnsafePointer<UInt64>(bitPattern: UInt(address)) else { return 0 }
        return unsafe pointer.pointee
    }

    private static func setWord(_ address: UInt64, _ value: UInt64) {
        guard let pointer = unsafe UnsafeMutablePointer<UInt64>(bitPattern: UInt(address)) else { return }
        unsafe pointer.pointee = value
    }
}

/// What Swift's runtime allocates by.
@c(posix_memalign) func allocateAligned(
    _ place: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ alignment: UInt, _ size: UInt
) -> Int32 {
    let address = Heap.allocate(UInt64(size), alignment: UInt64(alignment))
    unsafe place.pointee = UnsafeMutableRawPointer(bitPattern: UInt(address))
    // ENOMEM
    return address == 0 ? 12 : 0
}

/// What Swift's runtime gives memory back by: `free` in memory.S, a name that Swift code may not define.
@c(heap_free) func heapFree(_ address: UInt64) {
    Heap.free(address)
}
