/// One drive on an ATA channel: what it does with a command, and the block of sectors on its way.
///
/// A hard disk by PIO, as ATA8-ACS describes it: 28-bit, 48-bit and CHS addresses, one interrupt for each block. Every
/// command is served before the access that gave it returns, so a driver never sees the drive busy but during a reset.
struct ATADrive {
    /// The most sectors of a block of READ MULTIPLE and WRITE MULTIPLE.
    static let maximumMultiple = 16

    /// Everything a guest can tell apart, besides the sectors.
    struct State: Equatable {
        var status: ATAStatus = [.ready, .seekComplete]
        var error: ATAError = .diagnosticPassed
        /// INTRQ: set by the drive, cleared when the guest reads the status or gives a command.
        var isInterruptPending = false
        var settings = Settings()
        /// What of a command is yet to be done; nil between commands.
        var transfer: Transfer?
    }

    /// What a driver sets for the commands to come; the values here are those of power-on.
    struct Settings: Equatable {
        /// Sectors of a block of the commands MULTIPLE; 0 after a driver switched them off.
        var multiple = ATADrive.maximumMultiple
        /// Whether FLUSH is left to the guest.
        var hasWriteCache = true
        /// The geometry by which CHS addresses are counted (INITIALIZE DEVICE PARAMETERS).
        var heads: UInt64 = 16
        var sectorsPerTrack: UInt64 = 63
        /// Whether a software reset brings back the settings of power-on (SET FEATURES 0xCC) or leaves them (0x66).
        var revertAtReset = true
    }

    /// A command that moves data, on its way.
    struct Transfer: Equatable {
        /// Which way: out of the guest, or into it.
        var isWrite: Bool
        /// Whether the data are sectors, and not what IDENTIFY says.
        var isOnDisk = true
        /// The first sector of the block in the buffer.
        var sector: UInt64
        /// Sectors yet to be moved, those of the block included.
        var remaining: UInt64
        /// The most sectors of a block.
        var blockSectors: Int
        /// Bytes in the block.
        var blockBytes = 0
        /// Bytes of it that the guest has moved.
        var position = 0
        /// Whether the address of a failing sector is told in 48 bits.
        var isExtended = false
    }

    let store: any BlockStore
    let serialNumber: String
    var state = State()
    /// The block on its way.
    var buffer = [UInt8](repeating: 0, count: ATADrive.maximumMultiple * sectorSize)

    init(store: any BlockStore, serialNumber: String) {
        self.store = store
        self.serialNumber = serialNumber
    }

    /// What a software reset does: the command is gone, and the settings are those of power-on, unless the driver wants
    /// to keep them (ATA/ATAPI-6, SET FEATURES, "disable reverting to power-on defaults").
    mutating func reset() {
        state = State(settings: state.settings.revertAtReset ? Settings() : state.settings)
    }

    // MARK: The ends of a command

    /// The command is done.
    mutating func finish() {
        state.transfer = nil
        state.status = [.ready, .seekComplete]
        state.isInterruptPending = true
    }

    /// The command has failed.
    mutating func fail(_ error: ATAError, _ more: ATAStatus = []) {
        state.transfer = nil
        state.error = error
        state.status = [.ready, .seekComplete, .error]
        state.status.formUnion(more)
        state.isInterruptPending = true
    }

    /// The command has failed at a sector, whose address is told.
    private mutating func fail(_ error: ATAError, at transfer: Transfer, _ taskFile: inout ATATaskFile) {
        tell(transfer.sector, isExtended: transfer.isExtended, in: &taskFile)
        fail(error)
    }

    // MARK: Data

    /// Begins a command that reads sectors.
    mutating func beginRead(_ transfer: Transfer, _ taskFile: inout ATATaskFile) {
        state.transfer = transfer
        fillBlock(&taskFile)
    }

    /// Begins a command that writes sectors. Unlike later blocks, the first is asked for without an interrupt.
    mutating func beginWrite(_ transfer: Transfer, _ taskFile: inout ATATaskFile) {
        if store.isReadOnly { return fail(.aborted) }
        state.transfer = transfer
        askForBlock(&taskFile, interrupts: false)
    }

    /// Begins to give a block that is in the buffer and not on the disk.
    mutating func give(bytes: Int) {
        state.transfer = Transfer(
            isWrite: false, isOnDisk: false, sector: 0, remaining: 1, blockSectors: 1, blockBytes: bytes)
        state.status = [.ready, .seekComplete, .dataRequest]
        state.isInterruptPending = true
    }

    /// Bytes that the data register gives or takes before the next block: 0 when it does not.
    func bytesLeft(isWrite: Bool) -> Int {
        guard state.status.contains(.dataRequest), let transfer = state.transfer, transfer.isWrite == isWrite else {
            return 0
        }
        return transfer.blockBytes - transfer.position
    }

    /// The data register has moved bytes: at the end of the block comes the next one.
    mutating func advance(_ count: Int, _ taskFile: inout ATATaskFile) {
        guard var transfer = state.transfer else { return }
        transfer.position += count
        state.transfer = transfer
        guard transfer.position >= transfer.blockBytes else { return }
        if !transfer.isOnDisk { return finishQuietly() }
        let sectors = transfer.blockBytes / sectorSize
        if transfer.isWrite {
            let result = unsafe store.write(
                buffer.span.bytes.extracting(first: transfer.blockBytes), sector: transfer.sector)
            guard result == .done else {
                tell(transfer.sector, isExtended: transfer.isExtended, in: &taskFile)
                return fail(.aborted, result == .failed ? .deviceFault : [])
            }
        }
        transfer.sector += UInt64(sectors)
        transfer.remaining -= UInt64(sectors)
        state.transfer = transfer
        if transfer.remaining == 0 {
            taskFile.count.current = 0
            if transfer.isWrite { finish(writtenThrough: !state.settings.hasWriteCache) } else { finishQuietly() }
        } else if transfer.isWrite {
            askForBlock(&taskFile, interrupts: true)
        } else {
            fillBlock(&taskFile)
        }
    }

    /// The last block was read: a driver that has it all is not interrupted again.
    private mutating func finishQuietly() {
        state.transfer = nil
        state.status = [.ready, .seekComplete]
    }

    private mutating func finish(writtenThrough: Bool) {
        if writtenThrough, store.flush() != .done { return fail(.aborted, .deviceFault) }
        finish()
    }

    /// The sectors of the next block that are on the disk.
    private func nextBlock(_ transfer: Transfer) -> Int {
        guard transfer.sector < store.sectorCount else { return 0 }
        return Int(min(transfer.remaining, UInt64(transfer.blockSectors), store.sectorCount - transfer.sector))
    }

    private mutating func fillBlock(_ taskFile: inout ATATaskFile) {
        guard var transfer = state.transfer else { return }
        let sectors = nextBlock(transfer)
        if sectors == 0 { return fail(.idNotFound, at: transfer, &taskFile) }
        transfer.blockBytes = sectors * sectorSize
        transfer.position = 0
        let store = store
        let result = unsafe buffer.withUnsafeMutableBytes { buffer in
            let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<transfer.blockBytes])
            var block = unsafe MutableRawSpan(_unsafeBytes: bytes)
            return store.read(sector: transfer.sector, into: &block)
        }
        guard result == .done else {
            return fail(.uncorrectable, at: transfer, &taskFile)
        }
        state.transfer = transfer
        state.status = [.ready, .seekComplete, .dataRequest]
        state.isInterruptPending = true
    }

    private mutating func askForBlock(_ taskFile: inout ATATaskFile, interrupts: Bool) {
        guard var transfer = state.transfer else { return }
        let sectors = nextBlock(transfer)
        if sectors == 0 { return fail(.idNotFound, at: transfer, &taskFile) }
        transfer.blockBytes = sectors * sectorSize
        transfer.position = 0
        state.transfer = transfer
        state.status = [.ready, .seekComplete, .dataRequest]
        if interrupts { state.isInterruptPending = true }
    }

    // MARK: Addresses

    /// The sector that a 28-bit command means; nil for a CHS address that the geometry does not have.
    func sector(_ taskFile: ATATaskFile) -> UInt64? {
        if taskFile.isLBA { return taskFile.lba28 }
        let number = UInt64(taskFile.lbaLow.current)
        let head = UInt64(taskFile.device & 0x0F)
        guard number >= 1, number <= state.settings.sectorsPerTrack, head < state.settings.heads else { return nil }
        return (taskFile.cylinder * state.settings.heads + head) * state.settings.sectorsPerTrack + number - 1
    }

    /// Leaves a sector's address in the registers, in the form of the command.
    private func tell(_ sector: UInt64, isExtended: Bool, in taskFile: inout ATATaskFile) {
        func byte(_ shift: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: sector >> shift) }
        if isExtended || taskFile.isLBA {
            taskFile.lbaLow.current = byte(0)
            taskFile.lbaMid.current = byte(8)
            taskFile.lbaHigh.current = byte(16)
            if isExtended {
                taskFile.lbaLow.previous = byte(24)
                taskFile.lbaMid.previous = byte(32)
                taskFile.lbaHigh.previous = byte(40)
            } else {
                taskFile.device = taskFile.device & 0xF0 | byte(24) & 0x0F
            }
            return
        }
        let track = sector / state.settings.sectorsPerTrack
        let cylinder = track / state.settings.heads
        taskFile.lbaLow.current = UInt8(truncatingIfNeeded: sector % state.settings.sectorsPerTrack + 1)
        taskFile.lbaMid.current = UInt8(truncatingIfNeeded: cylinder)
        taskFile.lbaHigh.current = UInt8(truncatingIfNeeded: cylinder >> 8)
        taskFile.device = taskFile.device & 0xF0 | UInt8(truncatingIfNeeded: track % state.settings.heads)
    }
}
