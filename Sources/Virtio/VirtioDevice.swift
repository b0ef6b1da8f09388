/// A device's type behind a transport: what section 5 of virtio 1.2 says of it, and nothing about registers or rings.
///
/// The caller makes sure that one thread at a time is inside a device, its transport or its queues.
public protocol VirtioDevice: AnyObject {
    /// Its number in section 5.
    var deviceID: UInt32 { get }
    /// The features of its type that it offers: bits 0 to 23.
    var features: Features { get }
    /// Its configuration space, which drivers of these types only read.
    var configuration: [UInt8] { get }
    /// How many queues it has, and the most descriptors of each: powers of two.
    var queueSizes: [UInt16] { get }

    /// Gets its queues, once, from the transport.
    func connect(_ queues: [Virtqueue])

    /// Handles what the driver has made available in a queue. However much that is, the call returns soon.
    /// - Parameter queue: a queue that there is.
    /// - Returns: whether it has left something; then it is to be called again.
    func process(queue: Int) -> Bool

    /// The driver starts anew. Chains that are worked on are still given back to their queues.
    func reset()
}

/// How much a device does in one call: the guest's other work, and other guests, are not to wait for long.
enum WorkLimit {
    /// Characters to a console, which may be slow.
    static let characters = 4096
    /// Bytes to or from memory.
    static let bytes = 1 << 20
}
