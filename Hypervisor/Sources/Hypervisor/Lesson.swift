import Architecture
import RISCV

/// The lessons that are not guests: chapters 1 to 6.
enum Lesson {
    case boot
    case trap
    case allocator
    case stackOverflow

    init?(_ name: [UInt8]) {
        if name.elementsEqual("boot".utf8) {
            self = .boot
        } else if name.elementsEqual("trap".utf8) {
            self = .trap
        } else if name.elementsEqual("allocator".utf8) {
            self = .allocator
        } else if name.elementsEqual("stack-overflow".utf8) {
            self = .stackOverflow
        } else {
            return nil
        }
    }

    /// Shows what the lesson is about, and ends the machine.
    func run(_ pages: PageAllocator) -> Never {
        switch self {
        case .boot: break
        case .trap:
            // Nothing is at address 8, and the device tree says so.
            volatile_store_32(8, 0)
        case .allocator: showAllocator(pages)
        case .stackOverflow: Console.line("\(Self.depth(below: pages.freePageCount))")
        }
        SBIFirmware.shutDown(status: 0)
    }

    private func showAllocator(_ pages: PageAllocator) {
        Self.showArray()
        // The log's allocator could not give back; this one can.
        let before = pages.freePageCount
        guard let block = pages.allocatePages(16, alignment: 16 * pageSize) else { return }
        let during = pages.freePageCount
        pages.freePages(at: block, count: 16)
        Console.line(
            "pages: 16 taken, \(before - during) fewer free; given back, \(before - pages.freePageCount) fewer")
    }

    /// A function that never ends, and not in the way of a loop either: what comes back is used.
    @inline(never)
    private static func depth(below number: Int) -> Int {
        Console.isKnown ? depth(below: number &* 5) &+ depth(below: number &+ 1) : number
    }

    /// An array that grows: the heap works.
    static func showArray() {
        var v: [UInt8] = []
        for letter in "abc".utf8 { v.append(letter) }
        var line = "v = ["
        for (index, letter) in v.enumerated() {
            line += index == 0 ? "" : ", "
            line += "'"
            line.unicodeScalars.append(UnicodeScalar(letter))
            line += "'"
        }
        Console.line(line + "]")
    }
}
