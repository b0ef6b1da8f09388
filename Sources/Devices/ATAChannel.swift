/// One channel of an ATA controller with up to two drives, as a PC has it at ports 0x1F0 to 0x1F7 and 0x3F6.
///
/// Offsets 0 to 7 are the command block: data, error or features, sector count, three bytes of address, device, status
/// or command. Offset ``controlOffset`` is the control block: status without side effects, or device control. Both
/// drives hear every write; the selected one answers.
///
/// Source: ATA8-ACS (T13/1699-D) for commands, ATA8-APT for registers and protocols.
public final class ATAChannel: Device {
    /// The offset of the control block's register: port 0x3F6.
    public static let controlOffset: UInt64 = 0x10

    private static let data: UInt64 = 0
    private static let softwareReset: UInt8 = 0x04
    private static let interruptDisable: UInt8 = 0x02
    private static let highOrderByte: UInt8 = 0x80

    private var drives: [ATADrive?]
    private var taskFile = ATATaskFile.signature
    private var control: UInt8 = 0
    private let interrupt: any InterruptLine
    private var interruptIsRaised = false

    /// - Parameters:
    ///   - first: what drive 0 keeps its sectors in; nil where there is none.
    ///   - second: the same for drive 1.
    ///   - number: the channel's number, which its drives' serial numbers tell.
    ///   - interrupt: the channel's line, interrupt 14 or 15 on a PC.
    public init(first: (any BlockStore)?, second: (any BlockStore)?, number: Int = 0, interrupt: any InterruptLine) {
        drives = [
            first.map { ATADrive(store: $0, serialNumber: "MINIKVM\(2 * number)") },
            second.map { ATADrive(store: $0, serialNumber: "MINIKVM\(2 * number + 1)") },
        ]
        self.interrupt = interrupt
    }

    // MARK: Registers

    /// Reads a register; the data register in the width of the access, the others byte by byte.
    public func read(offset: UInt64, width: AccessWidth) -> UInt64 {
        if offset == Self.data { return readData(width) }
        var value: UInt64 = 0
        for index in 0..<UInt64(clamping: min(width, 8)) {
            value |= UInt64(readByte(offset &+ index)) << (8 * index)
        }
        return value
    }

    /// Writes a register; the data register in the width of the access, the others byte by byte.
    public func write(_ value: UInt64, offset: UInt64, width: AccessWidth) {
        if offset == Self.data { return writeData(value, width) }
        for index in 0..<UInt64(clamping: min(width, 8)) {
            writeByte(UInt8(truncatingIfNeeded: value >> (8 * index)), offset &+ index)
        }
    }

    private func readByte(_ offset: UInt64) -> UInt8 {
        // Where there is no drive at all nobody drives the bus.
        if drives[0] == nil, drives[1] == nil { return 0xFF }
        let previous = control & Self.highOrderByte != 0
        func byte(_ pair: ATATaskFile.Pair) -> UInt8 { previous ? pair.previous : pair.current }
        switch offset {
        case 1: return drives[selected]?.state.error.rawValue ?? 0
        case 2: return byte(taskFile.count)
        case 3: return byte(taskFile.lbaLow)
        case 4: return byte(taskFile.lbaMid)
        case 5: return byte(taskFile.lbaHigh)
        case 6: return taskFile.device | 0xA0
        case 7:
            drives[selected]?.state.isInterruptPending = false
            updateInterrupt()
            return status
        case Self.controlOffset: return status
        default: return 0xFF
        }
    }

    private func writeByte(_ byte: UInt8, _ offset: UInt64) {
        if offset == Self.controlOffset { return writeControl(byte) }
        // Any write to the command block ends the reading of the previous bytes.
        control &= ~Self.highOrderByte
        if isInReset { return }
        switch offset {
        case 1: taskFile.features.write(byte)
        case 2: taskFile.count.write(byte)
        case 3: taskFile.lbaLow.write(byte)
        case 4: taskFile.lbaMid.write(byte)
        case 5: taskFile.lbaHigh.write(byte)
        case 6: taskFile.device = byte
        case 7: execute(byte)
        default: break
        }
        updateInterrupt()
    }

    private var selected: Int { taskFile.selectedDrive }
    private var isInReset: Bool { control & Self.softwareReset != 0 }

    /// The selected drive's status. For a drive 1 that is not there, drive 0 answers with 0.
    private var status: UInt8 {
        guard let drive = drives[selected] else { return 0 }
        return isInReset ? ATAStatus.busy.rawValue : drive.state.status.rawValue
    }

    private func updateInterrupt() {
        let wanted = control & Self.interruptDisable == 0 && drives[selected]?.state.isInterruptPending == true
        if wanted == interruptIsRaised { return }
        interruptIsRaised = wanted
        if wanted { interrupt.raise() } else { interrupt.lower() }
    }

    // MARK: Commands and resets

    private func execute(_ command: UInt8) {
        // A command takes INTRQ back before it does anything: what hears edges must hear of its own end, too.
        drives[selected]?.state.isInterruptPending = false
        updateInterrupt()
        if command == 0x90 { return diagnose() }
        drives[selected]?.execute(command, &taskFile)
    }

    /// EXECUTE DEVICE DIAGNOSTIC: both drives do it, whichever is selected, and drive 0 answers.
    private func diagnose() {
        reset()
        drives[0]?.state.isInterruptPending = true
    }

    private func writeControl(_ byte: UInt8) {
        // A reset lasts as long as the bit is set: what was under way is gone when it begins.
        if byte & Self.softwareReset != 0, !isInReset { reset() }
        control = byte
        updateInterrupt()
    }

    private func reset() {
        taskFile = .signature
        for index in drives.indices { drives[index]?.reset() }
    }

    // MARK: Data

    private func readData(_ width: Int) -> UInt64 {
        let left = drives[selected]?.bytesLeft(isWrite: false) ?? 0
        if left == 0 { return .max >> UInt64(64 - 8 * max(1, min(width, 8))) }
        let count = min(left, width, 8)
        var value: UInt64 = 0
        if let drive = drives[selected], let position = drive.state.transfer?.position {
            for index in 0..<count { value |= UInt64(drive.buffer[position + index]) << UInt64(8 * index) }
        }
        advance(count)
        return value
    }

    private func writeData(_ value: UInt64, _ width: Int) {
        let count = min(drives[selected]?.bytesLeft(isWrite: true) ?? 0, width, 8)
        guard count > 0, let position = drives[selected]?.state.transfer?.position else { return }
        for index in 0..<count {
            drives[selected]?.buffer[position + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
        }
        advance(count)
    }

    /// Gives as many bytes as there are, without going through the register item by item.
    public func readItems(offset: UInt64, width: AccessWidth, into target: inout MutableRawSpan) {
        var done = 0
        while offset == Self.data, done < target.byteCount,
            let left = drives[selected]?.bytesLeft(isWrite: false), left > 0,
            let position = drives[selected]?.state.transfer?.position
        {
            let count = min(left, target.byteCount - done)
            drives[selected]?.copyOut(position, count, into: &target, at: done)
            advance(count)
            done += count
        }
        readEachItem(offset: offset, width: width, into: &target, from: done)
    }

    /// Takes as many bytes as it wants, without going through the register item by item.
    public func writeItems(_ source: RawSpan, offset: UInt64, width: AccessWidth) {
        var done = 0
        while offset == Self.data, done < source.byteCount,
            let left = drives[selected]?.bytesLeft(isWrite: true), left > 0,
            let position = drives[selected]?.state.transfer?.position
        {
            let count = min(left, source.byteCount - done)
            drives[selected]?.copyIn(position, count, from: source, at: done)
            advance(count)
            done += count
        }
        if offset != Self.data { writeEachItem(source, offset: offset, width: width) }
    }

    /// How many bytes the data register takes before something happens that the guest can see: a block's end. 0 when it
    /// takes none.
    public var bytesWanted: Int { drives[selected]?.bytesLeft(isWrite: true) ?? 0 }

    private func advance(_ count: Int) {
        drives[selected]?.advance(count, &taskFile)
        updateInterrupt()
    }
}

extension ATADrive {
    /// Copies bytes of the block to the guest.
    func copyOut(_ position: Int, _ count: Int, into target: inout MutableRawSpan, at offset: Int) {
        unsafe target.withUnsafeMutableBytes { target in
            unsafe buffer.withUnsafeBytes { buffer in
                let source = unsafe UnsafeRawBufferPointer(rebasing: buffer[position..<position + count])
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + count]).copyMemory(from: source)
            }
        }
    }

    /// Copies bytes of the guest to the block.
    mutating func copyIn(_ position: Int, _ count: Int, from source: RawSpan, at offset: Int) {
        unsafe buffer.withUnsafeMutableBytes { buffer in
            unsafe source.withUnsafeBytes { source in
                let bytes = unsafe UnsafeRawBufferPointer(rebasing: source[offset..<offset + count])
                unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[position..<position + count])
                    .copyMemory(from: bytes)
            }
        }
    }
}
