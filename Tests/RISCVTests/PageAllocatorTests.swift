import RISCV
import Testing

@Suite struct PageAllocatorTests {
    let memory = TestMemory(pages: 64)

    private func allocator() -> PageAllocator {
        let pages = PageAllocator()
        pages.add(from: memory.start, to: memory.start + memory.size)
        return pages
    }

    @Test func allocatesAlignedZeroedPages() throws {
        let pages = allocator()
        _ = pages.allocatePages(1, alignment: 4096)
        let address = try #require(pages.allocatePages(4, alignment: 16384))
        #expect(address % 16384 == 0)
        let bytes = UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: UInt(address)), count: 16384)
        #expect(bytes.allSatisfy { $0 == 0 })
        #expect(pages.freePageCount == 59)
    }

    @Test func freedPagesComeTogetherAgain() throws {
        let pages = allocator()
        let blocks = try (0..<64).map { _ in try #require(pages.allocatePages(1, alignment: 4096)) }
        #expect(Set(blocks).count == 64)
        #expect(pages.allocatePages(1, alignment: 4096) == nil)
        for block in blocks.shuffled() { pages.freePages(at: block, count: 1) }
        #expect(pages.freePageCount == 64)
        #expect(pages.largestRange == 64)
        #expect(pages.allocatePages(64, alignment: 4096) == memory.start)
    }

    @Test(arguments: [(0, 4096), (1, 0), (1, 2048), (1, 12288), (65, 4096), (Int.max, 4096)])
    func refusesWhatCannotBe(count: Int, alignment: Int) {
        #expect(allocator().allocatePages(count, alignment: UInt64(alignment)) == nil)
    }

    @Test func manyRandomStepsLoseNothing() throws {
        let pages = allocator()
        var held: [(UInt64, Int)] = []
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            if Bool.random(using: &random), !held.isEmpty {
                let (address, count) = held.remove(at: Int.random(in: 0..<held.count, using: &random))
                pages.freePages(at: address, count: count)
            } else {
                let count = Int.random(in: 1...6, using: &random)
                guard let address = pages.allocatePages(count, alignment: 4096 << UInt64.random(in: 0...3)) else {
                    continue
                }
                for (other, size) in held {
                    #expect(address + UInt64(count) * 4096 <= other || other + UInt64(size) * 4096 <= address)
                }
                held.append((address, count))
            }
        }
        for (address, count) in held { pages.freePages(at: address, count: count) }
        #expect(pages.largestRange == 64)
    }
}
