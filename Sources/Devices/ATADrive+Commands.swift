extension ATADrive {
    /// Does a command, as far as it can be done before data move. One that it does not know is aborted.
    /// - Parameters:
    ///   - command: the byte written to the command register (ATA8-ACS, "Command descriptions").
    ///   - taskFile: the operands; afterwards, the results.
    mutating func execute(_ command: UInt8, _ taskFile: inout ATATaskFile) {
        state.transfer = nil
        state.error = []
        state.status = [.ready, .seekComplete]
        switch command {
        case 0x10...0x1F: finish()  // RECALIBRATE
        case 0x20, 0x21: read(taskFile: &taskFile)  // READ SECTORS
        case 0x24: read(isExtended: true, taskFile: &taskFile)  // READ SECTORS EXT
        case 0x29: read(isExtended: true, isMultiple: true, taskFile: &taskFile)  // READ MULTIPLE EXT
        case 0xC4: read(isMultiple: true, taskFile: &taskFile)  // READ MULTIPLE
        case 0x30, 0x31, 0x3C: write(taskFile: &taskFile)  // WRITE SECTORS, WRITE VERIFY
        case 0x34: write(isExtended: true, taskFile: &taskFile)  // WRITE SECTORS EXT
        case 0x39: write(isExtended: true, isMultiple: true, taskFile: &taskFile)  // WRITE MULTIPLE EXT
        case 0xC5: write(isMultiple: true, taskFile: &taskFile)  // WRITE MULTIPLE
        case 0x40, 0x41: verify(isExtended: false, taskFile: &taskFile)  // READ VERIFY SECTORS
        case 0x42: verify(isExtended: true, taskFile: &taskFile)  // READ VERIFY SECTORS EXT
        case 0x70...0x7F: finish()  // SEEK
        case 0x91: initializeParameters(taskFile)
        case 0xC6: setMultiple(taskFile)
        case 0xE0...0xE3, 0xE6: finish()  // STANDBY, IDLE, SLEEP: it wakes at the next command
        case 0xE5:  // CHECK POWER MODE
            taskFile.count.current = 0xFF
            finish()
        case 0xE7, 0xEA:  // FLUSH CACHE, FLUSH CACHE EXT
            if store.flush() == .done { finish() } else { fail(.aborted, .deviceFault) }
        case 0xEC:  // IDENTIFY DEVICE
            fillIdentity()
            give(bytes: sectorSize)
        case 0xEF: setFeatures(taskFile)
        default: fail(.aborted)
        }
    }

    // MARK: Sectors

    private mutating func read(isExtended: Bool = false, isMultiple: Bool = false, taskFile: inout ATATaskFile) {
        guard
            let transfer = transfer(isWrite: false, isExtended: isExtended, isMultiple: isMultiple, taskFile: taskFile)
        else { return }
        beginRead(transfer, &taskFile)
    }

    private mutating func write(isExtended: Bool = false, isMultiple: Bool = false, taskFile: inout ATATaskFile) {
        guard
            let transfer = transfer(isWrite: true, isExtended: isExtended, isMultiple: isMultiple, taskFile: taskFile)
        else { return }
        beginWrite(transfer, &taskFile)
    }

    /// What the registers ask for; nil when that failed the command.
    private mutating func transfer(
        isWrite: Bool, isExtended: Bool, isMultiple: Bool, taskFile: ATATaskFile
    ) -> Transfer? {
        if isMultiple, state.settings.multiple == 0 {
            fail(.aborted)
            return nil
        }
        guard let sector = isExtended ? taskFile.lba48 : sector(taskFile) else {
            fail(.idNotFound)
            return nil
        }
        return Transfer(
            isWrite: isWrite, sector: sector, remaining: isExtended ? taskFile.count48 : taskFile.count28,
            blockSectors: isMultiple ? state.settings.multiple : 1, isExtended: isExtended)
    }

    /// Reads sectors and gives none of them, a buffer at a time.
    private mutating func verify(isExtended: Bool, taskFile: inout ATATaskFile) {
        guard var transfer = transfer(isWrite: false, isExtended: isExtended, isMultiple: false, taskFile: taskFile)
        else { return }
        transfer.blockSectors = Self.maximumMultiple
        beginRead(transfer, &taskFile)
        while state.status.contains(.dataRequest) { advance(bytesLeft(isWrite: false), &taskFile) }
        state.isInterruptPending = true
    }

    // MARK: Settings

    private mutating func initializeParameters(_ taskFile: ATATaskFile) {
        if taskFile.count.current == 0 { return fail(.aborted) }
        state.settings.heads = UInt64(taskFile.device & 0x0F) + 1
        state.settings.sectorsPerTrack = UInt64(taskFile.count.current)
        finish()
    }

    private mutating func setMultiple(_ taskFile: ATATaskFile) {
        let sectors = Int(taskFile.count.current)
        guard sectors <= Self.maximumMultiple, sectors & (sectors - 1) == 0 else { return fail(.aborted) }
        state.settings.multiple = sectors
        finish()
    }

    /// SET FEATURES (ATA/ATAPI-6, section 8.46): what would have no effect here is aborted, like what is unknown. So is
    /// read look-ahead (0x55, 0xAA), which IDENTIFY does not name: reading ahead is the host's.
    private mutating func setFeatures(_ taskFile: ATATaskFile) {
        switch taskFile.features.current {
        case 0x02: state.settings.hasWriteCache = true
        case 0x82:
            // What was cached so far is written when the cache is switched off.
            if store.flush() != .done { return fail(.aborted, .deviceFault) }
            state.settings.hasWriteCache = false
        case 0x03:
            // Transfer mode: PIO, its default, and PIO with flow control up to mode 4. There is no DMA, and flow control
            // (IORDY) cannot be switched off.
            switch taskFile.count.current {
            case 0x00, 0x08...0x0C: break
            default: return fail(.aborted)
            }
        case 0x66: state.settings.revertAtReset = false
        case 0xCC: state.settings.revertAtReset = true
        default: return fail(.aborted)
        }
        finish()
    }

    // MARK: IDENTIFY DEVICE

    /// Puts the 256 words of IDENTIFY DEVICE into the buffer (ATA8-ACS, "IDENTIFY DEVICE data").
    private mutating func fillIdentity() {
        for index in 0..<sectorSize { buffer[index] = 0 }
        let sectors = store.sectorCount
        // A disk has at least one cylinder, though the last track of a small one ends early: a BIOS that finds none reads
        // no sector. Addresses past the disk's end fail by their number.
        let defaultCylinders = max(1, min(sectors / (16 * 63), 16_383))
        let cylinders = max(1, min(sectors / (state.settings.heads * state.settings.sectorsPerTrack), 65_535))
        let capacity = cylinders * state.settings.heads * state.settings.sectorsPerTrack
        let lba28 = min(sectors, 0x0FFF_FFFF)

        set(0, 0x0040)  // a fixed disk
        set(1, defaultCylinders)
        set(3, 16)
        set(6, 63)
        set(text: serialNumber, at: 10, words: 10)
        set(text: "1.0", at: 23, words: 4)
        set(text: "mini-kvm disk", at: 27, words: 20)
        set(47, 0x8000 | UInt64(Self.maximumMultiple))
        set(48, 0x0001)  // 32-bit data accesses, as ATA-1 to -3 tell it
        set(49, 0x0A00)  // LBA, IORDY
        set(50, 0x4000)
        set(51, 0x0200)  // PIO mode 2
        set(53, 0x0003)  // words 54 to 58 and 64 to 70 are valid
        set(54, cylinders)
        set(55, state.settings.heads)
        set(56, state.settings.sectorsPerTrack)
        set(57, capacity)
        set(58, capacity >> 16)
        set(59, state.settings.multiple == 0 ? 0 : 0x0100 | UInt64(state.settings.multiple))
        set(60, lba28)
        set(61, lba28 >> 16)
        set(64, 0x0003)  // PIO modes 3 and 4
        set(67, 120)  // nanoseconds of a cycle, without and
        set(68, 120)  // with flow control
        set(80, 0x00F0)  // ATA-4 to ATA-7
        // What there is, what there is more, and the same for what is switched on: the write cache; FLUSH CACHE (EXT)
        // and 48-bit addresses. Bit 14 says that a word is valid.
        let more: UInt64 = 1 << 13 | 1 << 12 | 1 << 10
        set(82, 1 << 5)
        set(83, 1 << 14 | more)
        set(84, 1 << 14)
        set(85, state.settings.hasWriteCache ? 1 << 5 : 0)
        set(86, more)
        set(87, 1 << 14)
        for index in 0..<4 { set(100 + index, sectors >> UInt64(16 * index)) }
        // The last word: a mark, and what makes the sum of all bytes 0.
        buffer[510] = 0xA5
        var sum: UInt8 = 0
        for index in 0..<511 { sum &+= buffer[index] }
        buffer[511] = 0 &- sum
    }

    private mutating func set(_ word: Int, _ value: UInt64) {
        buffer[2 * word] = UInt8(truncatingIfNeeded: value)
        buffer[2 * word + 1] = UInt8(truncatingIfNeeded: value >> 8)
    }

    /// Words of text, padded by spaces, the first character of two in the upper byte.
    private mutating func set(text: String, at word: Int, words: Int) {
        var characters = text.utf8.makeIterator()
        for index in 0..<2 * words { buffer[2 * word + (index ^ 1)] = characters.next() ?? 0x20 }
    }
}
