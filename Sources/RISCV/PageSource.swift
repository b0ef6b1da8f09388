/// Where page tables and guest memory come from: pages of 4 KiB of the host's memory, by their physical addresses.
///
/// The hypervisor's addresses are physical ones; a test gives any memory of its own.
public protocol PageSource: AnyObject {
    /// Pages that lie one after the other, filled with zeros.
    /// - Parameters:
    ///   - count: how many pages, at least 1.
    ///   - alignment: what the first one's address is a multiple of, in bytes: a power of two, at least 4096.
    /// - Returns: the first one's address, or nil when memory is out.
    func allocatePages(_ count: Int, alignment: UInt64) -> UInt64?

    /// Gives back what `allocatePages` gave, or a part of it.
    func freePages(at address: UInt64, count: Int)
}

/// The size of a page: 4 KiB.
public let pageSize: UInt64 = 4096
