internal import GuestMemory

/// Where random bytes come from.
public protocol EntropySource: AnyObject {
    /// Begins to get random bytes, and calls the request's `complete` with them: before it returns, or later.
    func submit(_ request: EntropyRequest)
}

/// What a guest has asked of an entropy device.
public final class EntropyRequest {
    /// How many bytes are wanted; fewer will do.
    public let count: Int
    private let queue: Virtqueue
    private let chain: DescriptorChain
    private var isComplete = false

    init(count: Int, queue: Virtqueue, chain: DescriptorChain) {
        self.count = count
        self.queue = queue
        self.chain = chain
    }

    /// Gives random bytes to the guest; what is more than it wanted is left out. Only the first call counts.
    public func complete(_ bytes: [UInt8]) {
        guard !isComplete else { return }
        isComplete = true
        let written = queue.memory.scatter([UInt8](bytes.prefix(count)), into: chain.writable)
        queue.push(chain, written: written)
    }
}

/// A source of random bytes (virtio 1.2, section 5.4).
public final class EntropyDevice: VirtioDevice {
    /// The most bytes for one buffer; the used ring tells how many there are.
    public static let maximumCount = 1024

    private let source: any EntropySource
    private var queue: Virtqueue?

    /// A device that has its bytes from a source.
    public init(source: any EntropySource) { self.source = source }

    /// Its number in section 5.
    public var deviceID: UInt32 { 4 }
    /// The features of its type.
    public var features: Features { [] }
    /// The most descriptors of each queue.
    public var queueSizes: [UInt16] { [8] }
    /// Its configuration space.
    public var configuration: [UInt8] { [] }
    /// Takes its queues.
    public func connect(_ queues: [Virtqueue]) { queue = queues.first }
    /// The driver starts anew.
    public func reset() {}

    /// Handles what is available.
    public func process(queue index: Int) -> Bool {
        guard let queue else { return false }
        for _ in 0..<queue.maximumSize {
            guard let chain = queue.next() else { return false }
            // Section 5.4.6.1: a buffer is for the device to write.
            guard chain.writableCount > 0 else {
                queue.push(chain, written: 0)
                continue
            }
            source.submit(
                EntropyRequest(count: min(chain.writableCount, Self.maximumCount), queue: queue, chain: chain))
        }
        return true
    }
}
