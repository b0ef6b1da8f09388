internal import Firmware
internal import GuestMemory

/// The global descriptor table left in guest memory, so that a guest may reload its segment registers before it
/// sets up a table of its own.
enum GlobalDescriptorTable {
    /// `__BOOT_CS` of the Linux boot protocol.
    static let codeSelector: UInt16 = 0x10
    /// `__BOOT_DS` of the Linux boot protocol.
    static let dataSelector: UInt16 = 0x18
    /// The task state; in long mode its descriptor takes two entries.
    static let taskSelector: UInt16 = 0x20
    /// The size of the table in bytes: null, unused, code, data, task state (two entries).
    static let size: UInt16 = 6 * 8

    /// Writes the table with the code, data and task segments of `state`.
    static func write(for state: EntryState, to memory: GuestMemory) throws(GuestMemoryError) {
        let descriptors = [0, 0, state.code.encoded, state.data.encoded, state.task.encoded, state.task.base >> 32]
        for (index, descriptor) in descriptors.enumerated() {
            try memory.write(descriptor, at: BoardLayout.globalDescriptorTable + UInt64(index) * 8)
        }
    }
}

/// Page tables that map the first 4 GiB to themselves, in pages of 2 MiB (Intel SDM volume 3, 4.5).
enum IdentityPageTables {
    private static let present: UInt64 = 1 << 0
    private static let writable: UInt64 = 1 << 1
    private static let pageSize2MiB: UInt64 = 1 << 7
    private static let entriesPerTable: UInt64 = 512
    private static let directories: UInt64 = 4

    /// The bytes that the tables take from `BoardLayout.pageTables`.
    static let size: UInt64 = (2 + directories) * 4096

    /// Writes the tables.
    static func write(to memory: GuestMemory) throws(GuestMemoryError) {
        let root = BoardLayout.pageTables
        let pointers = root + 4096
        let firstDirectory = pointers + 4096
        try memory.write(pointers | present | writable, at: root)
        for directory in 0..<directories {
            let table = firstDirectory + directory * 4096
            try memory.write(table | present | writable, at: pointers + directory * 8)
            for entry in 0..<entriesPerTable {
                let page = (directory * entriesPerTable + entry) << 21
                try memory.write(page | present | writable | pageSize2MiB, at: table + entry * 8)
            }
        }
    }
}
