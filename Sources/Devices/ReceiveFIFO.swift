/// The characters a serial receiver has taken from the line and the guest has not read yet: at most sixteen,
/// in order, each with the mark of whether it came as a break (PC16550D data sheet, section 8.2).
public struct ReceiveFIFO: Equatable {
    /// How many characters the PC16550D's FIFO holds.
    public static let depth = 16

    private var characters = InlineArray<16, UInt8>(repeating: 0)
    /// Bit n is set when slot n holds a break.
    private var breaks: UInt16 = 0
    private var first = 0

    /// How many characters wait: 0 to 16.
    public private(set) var count = 0

    /// An empty FIFO.
    public init() {}

    /// A FIFO of the first sixteen of `characters`, of which the first one is read first.
    public init(_ characters: [UInt8]) {
        for character in characters where count < Self.depth {
            append(character)
        }
    }

    /// Whether no character waits.
    public var isEmpty: Bool { count == 0 }

    /// The characters in the order in which they will be read.
    public var contents: [UInt8] {
        var contents: [UInt8] = []
        contents.reserveCapacity(count)
        for position in 0..<count {
            contents.append(characters[slot(position)])
        }
        return contents
    }

    /// Whether the character that is read next came as a break; false when none waits.
    public var firstIsBreak: Bool { count > 0 && breaks & (1 << UInt16(first)) != 0 }

    /// Whether any character in the FIFO came as a break that has not been seen yet.
    public var containsBreak: Bool { breaks != 0 }

    /// Adds a character behind the others. A full FIFO stays as it is.
    /// - Returns: whether there was room.
    @discardableResult
    public mutating func append(_ character: UInt8, isBreak: Bool = false) -> Bool {
        guard count < Self.depth else { return false }
        let slot = slot(count)
        characters[slot] = character
        if isBreak {
            breaks |= 1 << UInt16(slot)
        }
        count += 1
        return true
    }

    /// Takes the first character out, or gives nil when none waits.
    public mutating func removeFirst() -> UInt8? {
        guard count > 0 else { return nil }
        let character = characters[first]
        forgetFirstBreak()
        first = slot(1)
        count -= 1
        return character
    }

    /// Takes the break mark off the first character: the guest has seen it.
    public mutating func forgetFirstBreak() {
        breaks &= ~(1 << UInt16(first))
    }

    /// Drops all characters.
    public mutating func removeAll() {
        self = ReceiveFIFO()
    }

    private func slot(_ position: Int) -> Int { (first + position) % Self.depth }

    /// Two FIFOs are the same when the same characters, with the same marks, will be read from them.
    public static func == (left: ReceiveFIFO, right: ReceiveFIFO) -> Bool {
        guard left.count == right.count else { return false }
        for position in 0..<left.count {
            let (leftSlot, rightSlot) = (left.slot(position), right.slot(position))
            let leftBreak = left.breaks & (1 << UInt16(leftSlot)) != 0
            let rightBreak = right.breaks & (1 << UInt16(rightSlot)) != 0
            guard left.characters[leftSlot] == right.characters[rightSlot], leftBreak == rightBreak else {
                return false
            }
        }
        return true
    }
}
