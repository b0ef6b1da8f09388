/// Physical memory in pages of 4 KiB, that can be given back.
///
/// What is free is a list of ranges in the order of their addresses. Each range's length and the address of the next
/// one are kept in its own first page, so the list takes no memory besides. Ranges that touch become one.
public final class PageAllocator: PageSource {
    /// The first free range's address; 0 ends the list.
    private var first: UInt64 = 0
    /// How many pages are free.
    public private(set) var freePageCount = 0
    /// How many pages it has been given.
    public private(set) var pageCount = 0

    /// No memory.
    public init() {}

    /// Adds memory, cut to whole pages. Page 0 is never used: its address marks the end of the list.
    /// - Parameters:
    ///   - start: address of the first byte; nothing else may use the memory from now on.
    ///   - end: address after the last byte.
    public func add(from start: UInt64, to end: UInt64) {
        guard end >= pageSize, start <= end &- pageSize else { return }
        let first = max((start + pageSize - 1) & ~(pageSize - 1), pageSize)
        let last = end & ~(pageSize - 1)
        guard first < last else { return }
        pageCount += Int((last - first) / pageSize)
        insert(first, pages: (last - first) / pageSize)
    }

    /// Pages that lie one after the other, filled with zeros: the first place with room.
    public func allocatePages(_ count: Int, alignment: UInt64) -> UInt64? {
        guard count > 0, alignment >= pageSize, alignment.nonzeroBitCount == 1, count <= freePageCount else {
            return nil
        }
        let size = UInt64(count) * pageSize
        var before: UInt64 = 0
        var range = first
        while range != 0 {
            let end = range + length(of: range) * pageSize
            let place = (range + alignment - 1) & ~(alignment - 1)
            if place >= range, place < end, size <= end - place {
                let next = next(of: range)
                // What is left of the range before and behind the place.
                var following = next
                if place + size < end {
                    following = place + size
                    set(following, length: (end - following) / pageSize, next: next)
                }
                if place > range {
                    set(range, length: (place - range) / pageSize, next: following)
                } else {
                    link(before, to: following)
                }
                freePageCount -= count
                if let pointer = unsafe UnsafeMutableRawPointer(bitPattern: UInt(place)) {
                    unsafe pointer.initializeMemory(as: UInt8.self, repeating: 0, count: Int(size))
                }
                return place
            }
            before = range
            range = next(of: range)
        }
        return nil
    }

    /// Gives pages back.
    public func freePages(at address: UInt64, count: Int) {
        guard count > 0, address % pageSize == 0, address != 0 else { return }
        insert(address, pages: UInt64(count))
    }

    /// The pages of the largest range that is free.
    public var largestRange: Int {
        var largest: UInt64 = 0
        var range = first
        while range != 0 {
            largest = max(largest, length(of: range))
            range = next(of: range)
        }
        return Int(largest)
    }

    private func insert(_ address: UInt64, pages: UInt64) {
        freePageCount += Int(pages)
        var before: UInt64 = 0
        var after = first
        while after != 0, after < address {
            before = after
            after = next(of: after)
        }
        var length = pages
        if after != 0, address + pages * pageSize == after {
            length += self.length(of: after)
            after = next(of: after)
        }
        if before != 0, before + self.length(of: before) * pageSize == address {
            set(before, length: self.length(of: before) + length, next: after)
        } else {
            set(address, length: length, next: after)
            link(before, to: address)
        }
    }

    // The first two words of a free range. Addresses are those of free memory, which is nobody else's.
    private func length(of range: UInt64) -> UInt64 { word(range) }
    private func next(of range: UInt64) -> UInt64 { word(range + 8) }

    private func set(_ range: UInt64, length: UInt64, next: UInt64) {
        setWord(range, length)
        setWord(range + 8, next)
    }

    private func link(_ before: UInt64, to range: UInt64) {
        if before == 0 { first = range } else { setWord(before + 8, range) }
    }

    private func word(_ address: UInt64) -> UInt64 {
        guard let pointer = unsafe UnsafePointer<UInt64>(bitPattern: UInt(address)) else { return 0 }
        return unsafe pointer.pointee
    }

    private func setWord(_ address: UInt64, _ value: UInt64) {
        guard let pointer = unsafe UnsafeMutablePointer<UInt64>(bitPattern: UInt(address)) else { return }
        unsafe pointer.pointee = value
    }
}
