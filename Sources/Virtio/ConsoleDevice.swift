public import Devices
internal import GuestMemory

/// A console with one port (virtio 1.2, section 5.3).
public final class ConsoleDevice: VirtioDevice {
    /// Section 5.3.2.
    private enum Queue {
        static let receive = 0
        static let transmit = 1
    }

    /// Who is told that characters are taken again. It is held strongly: set it to nil to part the two.
    public var source: (any CharacterSource)?
    private let port: any CharacterPort
    private var queues: [Virtqueue] = []
    /// A chain of which a part has been sent.
    private var unsent: (chain: DescriptorChain, offset: Int)?
    /// A chain that waits for characters.
    private var empty: DescriptorChain?

    /// - Parameter port: takes what the guest prints.
    public init(port: any CharacterPort) { self.port = port }

    /// Its number in section 5.
    public var deviceID: UInt32 { 3 }
    /// The features of its type.
    public var features: Features { [] }
    /// The most descriptors of each queue.
    public var queueSizes: [UInt16] { [64, 64] }
    /// Section 5.3.4: cols, rows, max_nr_ports, emerg_wr, none of which counts without its feature.
    public var configuration: [UInt8] { [UInt8](repeating: 0, count: 12) }

    /// Takes its queues.
    public func connect(_ queues: [Virtqueue]) { self.queues = queues }

    /// The driver starts anew.
    public func reset() {
        if let (chain, _) = unsent { queues[Queue.transmit].push(chain, written: 0) }
        if let empty { queues[Queue.receive].push(empty, written: 0) }
        unsent = nil
        empty = nil
    }

    /// Handles what is available.
    public func process(queue index: Int) -> Bool {
        if index == Queue.transmit { return transmit() }
        if hasRoom { source?.receiverHasRoom() }
        return false
    }

    // MARK: To the host

    /// Sends what the guest prints: at most 4,096 characters, and as many chains as the queue has.
    private func transmit() -> Bool {
        let queue = queues[Queue.transmit]
        var room = WorkLimit.characters
        for _ in 0..<queue.maximumSize {
            var offset = 0
            let chain: DescriptorChain
            if let (begun, done) = unsent {
                (chain, offset) = (begun, done)
                unsent = nil
            } else {
                guard let next = queue.next() else { return false }
                chain = next
            }
            let count = min(chain.readableCount - offset, room)
            for byte in queue.memory.gather(chain.readable.part(from: offset, count: count), count: count) {
                port.transmit(byte)
            }
            offset += count
            room -= count
            guard offset == chain.readableCount else {
                unsent = (chain, offset)
                return true
            }
            queue.push(chain, written: 0)
        }
        return true
    }

    // MARK: From the host

    /// Whether the guest takes characters now. A driver says so as soon as it has found the device; Linux forgets what
    /// comes before somebody has opened the terminal.
    public var hasRoom: Bool {
        if empty == nil, queues.indices.contains(Queue.receive) { empty = nextEmpty() }
        return empty != nil
    }

    /// A chain with room. One without is given back as it is; there are no more of them than descriptors.
    private func nextEmpty() -> DescriptorChain? {
        let queue = queues[Queue.receive]
        for _ in 0..<queue.maximumSize {
            guard let chain = queue.next() else { return nil }
            if chain.writableCount > 0 { return chain }
            queue.push(chain, written: 0)
        }
        return nil
    }

    /// Gives characters to the guest, as far as it has room.
    /// - Returns: how many it took, from the first on.
    @discardableResult
    public func receive(_ bytes: Span<UInt8>) -> Int {
        var taken = 0
        while taken < bytes.count, hasRoom, let chain = empty {
            empty = nil
            var part: [UInt8] = []
            for index in taken..<taken + min(chain.writableCount, bytes.count - taken) { part.append(bytes[index]) }
            let queue = queues[Queue.receive]
            let written = queue.memory.scatter(part, into: chain.writable)
            queue.push(chain, written: written)
            taken += part.count
        }
        return taken
    }
}
