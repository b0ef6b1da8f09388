import Devices
import Testing

/// A channel as a driver sees it: registers, and the data they bring.
private struct Driver {
    static let data: UInt64 = 0
    static let error: UInt64 = 1
    static let device: UInt64 = 6
    static let status: UInt64 = 7

    let channel: ATAChannel
    let line = RecordingLine()

    init(_ first: (any BlockStore)?, _ second: (any BlockStore)? = nil) {
        channel = ATAChannel(first: first, second: second, interrupt: line)
    }

    func read(_ offset: UInt64) -> UInt64 { channel.read(offset: offset, width: 1) }
    func write(_ value: UInt64, _ offset: UInt64) { channel.write(value, offset: offset, width: 1) }
    var alternateStatus: UInt64 { read(ATAChannel.controlOffset) }

    /// Gives a 28-bit command.
    func command(_ command: UInt64, sector: UInt64 = 0, count: UInt64 = 1, drive: UInt64 = 0) {
        write(0xE0 | drive << 4 | sector >> 24 & 0xF, Self.device)
        write(count & 0xFF, 2)
        for index in 0..<3 as Range<UInt64> { write(sector >> (8 * index) & 0xFF, 3 + index) }
        write(command, Self.status)
    }

    /// Gives a 48-bit command.
    func extendedCommand(_ command: UInt64, sector: UInt64, count: UInt64) {
        write(0xE0, Self.device)
        write(count >> 8, 2)
        write(count & 0xFF, 2)
        for index in 0..<3 as Range<UInt64> {
            write(sector >> (8 * (index + 3)) & 0xFF, 3 + index)
            write(sector >> (8 * index) & 0xFF, 3 + index)
        }
        write(command, Self.status)
    }

    /// Reads data as REP INS does.
    func readData(_ count: Int, width: Int = 4) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xEE, count: count)
        bytes.withUnsafeMutableBytes { bytes in
            var span = MutableRawSpan(_unsafeBytes: bytes)
            channel.readItems(offset: Self.data, width: width, into: &span)
        }
        return bytes
    }

    /// Writes data as REP OUTS does.
    func writeData(_ bytes: [UInt8], width: Int = 4) {
        bytes.withUnsafeBytes { channel.writeItems(RawSpan(_unsafeBytes: $0), offset: Self.data, width: width) }
    }
}

/// A disk whose requests fail.
private final class BrokenDisk: BlockStore {
    var sectorCount: UInt64 { 100 }
    var isReadOnly: Bool { false }
    func read(sector: UInt64, into target: inout MutableRawSpan) -> BlockResult { .failed }
    func write(_ source: RawSpan, sector: UInt64) -> BlockResult { .failed }
    func flush() -> BlockResult { .failed }
}

private func sector(_ number: Int) -> [UInt8] { (0..<512).map { UInt8(truncatingIfNeeded: $0 &+ 7 * number) } }
private func disk(_ sectors: Int) -> MemoryDisk { MemoryDisk((0..<sectors).flatMap { sector($0) }) }

struct ATAChannelTests {
    @Test(arguments: [1, 2, 4])
    func read_ofTwoSectors_interruptsForEach(width: Int) {
        let driver = Driver(disk(8))
        driver.command(0x20, sector: 3, count: 2)
        #expect(driver.line.isRaised && driver.line.edges == 1)
        #expect(driver.read(Driver.status) == 0x58)
        #expect(!driver.line.isRaised)
        #expect(driver.readData(512, width: width) == sector(3))
        #expect(driver.line.isRaised && driver.line.edges == 2)
        #expect(driver.read(Driver.status) == 0x58)
        #expect(driver.readData(512, width: width) == sector(4))
        #expect(driver.alternateStatus == 0x50)
        #expect(!driver.line.isRaised && driver.line.edges == 2)
    }

    @Test func read_itemByItem_givesTheSameAsAString() {
        let driver = Driver(disk(2))
        driver.command(0x20, sector: 1)
        var bytes: [UInt8] = []
        for _ in 0..<256 {
            let word = driver.channel.read(offset: 0, width: 2)
            bytes += [UInt8(truncatingIfNeeded: word), UInt8(truncatingIfNeeded: word >> 8)]
        }
        #expect(bytes == sector(1))
        #expect(driver.alternateStatus == 0x50)
    }

    @Test func write_ofTwoSectors_interruptsAfterEach() {
        let store = disk(8)
        let driver = Driver(store)
        driver.command(0x30, sector: 5, count: 2)
        // The first block is asked for without an interrupt.
        #expect(!driver.line.isRaised && driver.alternateStatus == 0x58)
        driver.writeData(sector(50))
        #expect(driver.line.isRaised && driver.read(Driver.status) == 0x58)
        driver.writeData(sector(51))
        #expect(driver.line.isRaised && driver.read(Driver.status) == 0x50)
        #expect(Array(store.bytes[5 * 512..<7 * 512]) == sector(50) + sector(51))
        #expect(Array(store.bytes[..<(5 * 512)]) == (0..<5).flatMap { sector($0) })
    }

    /// A driver that waits by the alternate status does not acknowledge: the next command does, before its own end.
    @Test(arguments: [0x20, 0xE7, 0xEF, 0x90] as [UInt64])
    func commands_withoutAReadOfTheStatus_interruptEachTime(command: UInt64) {
        let driver = Driver(disk(4))
        driver.write(0xAA, 1)
        for _ in 0..<3 { driver.command(command) }
        #expect(driver.line.edges == 3)
        #expect(driver.line.isRaised)
        _ = driver.read(Driver.status)
        #expect(!driver.line.isRaised)
    }

    @Test func bytesWanted_isWhatABlockLacks() {
        let driver = Driver(disk(8))
        #expect(driver.channel.bytesWanted == 0)
        driver.command(0x20)
        #expect(driver.channel.bytesWanted == 0)
        driver.command(0x30, count: 2)
        #expect(driver.channel.bytesWanted == 512)
        driver.writeData(.init(repeating: 0, count: 508))
        #expect(driver.channel.bytesWanted == 4)
        driver.writeData([0, 0, 0, 0])
        #expect(driver.channel.bytesWanted == 512)
        driver.writeData(sector(0))
        #expect(driver.channel.bytesWanted == 0)
        driver.command(0xC5, count: 3)
        #expect(driver.channel.bytesWanted == 3 * 512)
        driver.write(0x04, ATAChannel.controlOffset)
        #expect(driver.channel.bytesWanted == 0)
        #expect(Driver(nil).channel.bytesWanted == 0)
    }

    @Test func readMultiple_interruptsOncePerBlock() {
        let driver = Driver(disk(40))
        driver.command(0xC6, count: 8)
        #expect(driver.read(Driver.status) == 0x50)
        driver.command(0xC4, sector: 2, count: 20)
        #expect(driver.readData(20 * 512) == (2..<22).flatMap { sector($0) })
        // The status was not read between the blocks, so the line stayed where it was.
        #expect(driver.alternateStatus == 0x50)
        driver.command(0xC6, count: 3)
        #expect(driver.read(Driver.status) == 0x51 && driver.read(Driver.error) == 0x04)
        driver.command(0xC6, count: 0)
        driver.command(0xC4)
        #expect(driver.read(Driver.status) == 0x51)
    }

    @Test func writeMultiple_writesAll() {
        let store = disk(40)
        let driver = Driver(store)
        driver.command(0xC5, sector: 1, count: 17)
        driver.writeData((100..<117).flatMap { sector($0) })
        #expect(driver.read(Driver.status) == 0x50)
        #expect(Array(store.bytes[512..<18 * 512]) == (100..<117).flatMap { sector($0) })
        #expect(Array(store.bytes[(18 * 512)...]) == (18..<40).flatMap { sector($0) })
    }

    @Test func lba48_addressesByBothBytesOfEachRegister() {
        let driver = Driver(disk(700))
        driver.extendedCommand(0x24, sector: 0x0101, count: 0x0101)
        #expect(driver.readData(257 * 512) == (257..<514).flatMap { sector($0) })
        #expect(driver.alternateStatus == 0x50)
        driver.extendedCommand(0x24, sector: 1 << 40, count: 1)
        #expect(driver.read(Driver.status) == 0x51 && driver.read(Driver.error) == 0x10)
        driver.write(0x80, ATAChannel.controlOffset)
        #expect(driver.read(5) == 1)
    }

    @Test func count0_is256Sectors() {
        let driver = Driver(disk(256))
        driver.command(0x20, count: 0)
        #expect(driver.readData(256 * 512).suffix(512) == sector(255)[...])
        #expect(driver.alternateStatus == 0x50)
    }

    @Test func cylinderHeadSector_countsByTheGeometry() {
        let driver = Driver(disk(2000))
        driver.write(1, 2)
        driver.write(2, 3)
        driver.write(1, 4)
        driver.write(0, 5)
        driver.write(0xA3, Driver.device)
        driver.write(0x20, Driver.status)
        #expect(driver.readData(512) == sector((1 * 16 + 3) * 63 + 1))
        // 4 heads of 10 sectors.
        driver.write(10, 2)
        driver.write(0xA3, Driver.device)
        driver.write(0x91, Driver.status)
        driver.write(1, 2)
        driver.write(0x20, Driver.status)
        #expect(driver.readData(512) == sector((1 * 4 + 3) * 10 + 1))
        driver.write(0, 3)
        driver.write(0x20, Driver.status)
        #expect(driver.read(Driver.status) == 0x51 && driver.read(Driver.error) == 0x10)
    }

    @Test func read_pastTheEnd_givesWhatThereIsAndNamesTheSector() {
        let driver = Driver(disk(4))
        driver.command(0x20, sector: 3, count: 3)
        #expect(driver.readData(512) == sector(3))
        #expect(driver.read(Driver.status) == 0x51 && driver.read(Driver.error) == 0x10)
        #expect(driver.read(3) == 4)
        #expect(driver.readData(8) == [UInt8](repeating: 0xFF, count: 8))
    }

    @Test func brokenDisk_failsAndLives() {
        let driver = Driver(BrokenDisk())
        driver.command(0x20)
        #expect(driver.read(Driver.status) == 0x51 && driver.read(Driver.error) == 0x40)
        driver.command(0x30)
        driver.writeData(sector(0))
        #expect(driver.read(Driver.status) == 0x71 && driver.read(Driver.error) == 0x04)
        driver.command(0xE7)
        #expect(driver.read(Driver.status) == 0x71)
        driver.command(0x40, count: 9)
        #expect(driver.read(Driver.status) == 0x51)
        driver.command(0xEC)
        #expect(driver.read(Driver.status) == 0x58)
    }

    @Test func readOnlyDisk_abortsWrites() {
        let store = MemoryDisk(sector(0), isReadOnly: true)
        let driver = Driver(store)
        driver.command(0x30)
        #expect(driver.read(Driver.status) == 0x51 && driver.read(Driver.error) == 0x04)
        driver.writeData(sector(9))
        #expect(store.bytes == sector(0))
    }

    @Test func identify_tellsSizeAndSumsUp() {
        let driver = Driver(disk(300))
        driver.command(0xEC)
        #expect(driver.line.isRaised)
        let data = driver.readData(512)
        func word(_ index: Int) -> UInt16 { UInt16(data[2 * index]) | UInt16(data[2 * index + 1]) << 8 }
        #expect(word(60) == 300 && word(61) == 0 && word(100) == 300 && word(101) == 0)
        #expect(word(49) & 1 << 9 != 0 && word(83) & 1 << 10 != 0)
        #expect(
            String(decoding: (27..<47).flatMap { [data[2 * $0 + 1], data[2 * $0]] }, as: UTF8.self)
                .hasPrefix("mini-kvm disk  "))
        #expect(data.reduce(0, &+) == 0 && data[510] == 0xA5)
        driver.command(0xA1)
        #expect(driver.read(Driver.status) == 0x51)
    }

    /// SeaBIOS refuses every sector of a disk that has no cylinder.
    @Test(arguments: [(1, 1, 1), (1007, 1, 1), (1008, 1, 1), (2016, 2, 1), (8160, 8, 2)])
    func identify_ofASmallDisk_hasAtLeastOneCylinder(sectors: Int, cylinders: UInt16, ofLargeTracks: UInt16) {
        let driver = Driver(disk(sectors))
        func words(_ indices: Int...) -> [UInt16] {
            driver.command(0xEC)
            let data = driver.readData(512)
            return indices.map { UInt16(data[2 * $0]) | UInt16(data[2 * $0 + 1]) << 8 }
        }
        #expect(words(1, 3, 6) == [cylinders, 16, 63])
        #expect(words(54, 55, 56, 57, 58) == [cylinders, 16, 63, cylinders * 1008, 0])
        // INITIALIZE DEVICE PARAMETERS: 16 heads, 255 sectors in a track.
        driver.write(255, 2)
        driver.write(0xAF, Driver.device)
        driver.write(0x91, Driver.status)
        #expect(words(1, 54, 55, 56, 57, 58) == [cylinders, ofLargeTracks, 16, 255, ofLargeTracks * 4080, 0])
        // The cylinder is there, and the sectors of it that the disk does not have are not.
        func status(ofCylinder cylinder: UInt64, head: UInt64, sector: UInt64) -> UInt64 {
            driver.write(1, 2)
            driver.write(sector, 3)
            driver.write(cylinder, 4)
            driver.write(0, 5)
            driver.write(0xA0 | head, Driver.device)
            driver.write(0x40, Driver.status)
            return driver.read(Driver.status)
        }
        #expect(status(ofCylinder: 0, head: 0, sector: 1) == 0x50)
        let last = UInt64(sectors - 1)
        let place = (cylinder: last / 4080, head: last / 255 % 16, sector: last % 255 + 1)
        #expect(status(ofCylinder: place.cylinder, head: place.head, sector: place.sector) == 0x50)
        if place.sector < 255 {
            #expect(status(ofCylinder: place.cylinder, head: place.head, sector: place.sector + 1) == 0x51)
            #expect(driver.read(Driver.error) == 0x10)
        }
        #expect(status(ofCylinder: UInt64(ofLargeTracks), head: 0, sector: 1) == 0x51)
        #expect(driver.read(Driver.error) == 0x10)
    }

    @Test func drives_areTwo() {
        let driver = Driver(disk(4), MemoryDisk(sector(77)))
        driver.command(0x20, drive: 1)
        #expect(driver.readData(512) == sector(77))
        driver.command(0x20, sector: 1, drive: 1)
        #expect(driver.read(Driver.status) == 0x51)
        // xv6 looks for drive 1 so.
        driver.write(0xF0, Driver.device)
        #expect(driver.read(Driver.status) != 0)
        // A pending interrupt of the other drive is not this one's.
        driver.command(0x20)
        #expect(driver.line.isRaised)
        driver.write(0xF0, Driver.device)
        #expect(!driver.line.isRaised)
        driver.write(0xE0, Driver.device)
        #expect(driver.line.isRaised)
    }

    @Test func absentDrives_areSeenAsAbsent() {
        let alone = Driver(disk(4))
        alone.write(0xF0, Driver.device)
        #expect(alone.read(Driver.status) == 0 && alone.alternateStatus == 0)
        alone.write(0xEC, Driver.status)
        #expect(alone.read(Driver.status) == 0 && !alone.line.isRaised)
        let none = Driver(nil)
        none.command(0xEC)
        #expect(
            none.read(Driver.status) == 0xFF && none.read(2) == 0xFF
                && none.channel.read(offset: 0, width: 4) == 0xFFFF_FFFF)
        none.command(0x90)
        #expect(!none.line.isRaised)
    }

    @Test func softwareReset_leavesTheSignature() {
        let driver = Driver(disk(4), disk(4))
        driver.command(0xC6, count: 2)
        driver.command(0x20, sector: 1)
        driver.write(0x04, ATAChannel.controlOffset)
        #expect(driver.alternateStatus == 0x80 && !driver.line.isRaised)
        // Deaf as long as it lasts.
        driver.command(0xEC)
        #expect(driver.alternateStatus == 0x80)
        driver.write(0, ATAChannel.controlOffset)
        #expect(driver.alternateStatus == 0x50 && driver.read(Driver.error) == 1)
        #expect((2...5).map { driver.read($0) } == [1, 1, 0, 0])
        #expect(driver.readData(4) == [0xFF, 0xFF, 0xFF, 0xFF])
        driver.command(0x90, drive: 1)
        #expect(driver.read(Driver.error) == 1 && driver.line.edges > 0)
    }

    @Test func interruptDisable_holdsTheLineDownAndKeepsTheInterrupt() {
        let driver = Driver(disk(4))
        driver.write(0x02, ATAChannel.controlOffset)
        driver.command(0x20)
        #expect(!driver.line.isRaised)
        driver.write(0, ATAChannel.controlOffset)
        #expect(driver.line.isRaised)
        _ = driver.alternateStatus
        #expect(driver.line.isRaised)
        _ = driver.read(Driver.status)
        #expect(!driver.line.isRaised)
    }

    @Test func setFeatures_takesPIOAndRefusesDMA() {
        let driver = Driver(disk(4))
        for (feature, count, status) in [
            (0x03, 0x00, 0x50), (0x03, 0x08, 0x50), (0x03, 0x0C, 0x50), (0x03, 0x0D, 0x51), (0x03, 0x20, 0x51),
            (0x03, 0x45, 0x51), (0x82, 0, 0x50), (0x02, 0, 0x50), (0x66, 0, 0x50), (0xCC, 0, 0x50), (0x99, 0, 0x51),
            // IDENTIFY says that IORDY cannot be switched off (word 49), and names no look-ahead (word 82).
            (0x03, 0x01, 0x51), (0x55, 0, 0x51), (0xAA, 0, 0x51),
        ] as [(UInt64, UInt64, UInt64)] {
            driver.write(feature, 1)
            driver.command(0xEF, count: count)
            #expect(driver.read(Driver.status) == status, "feature \(feature), count \(count)")
            #expect(driver.read(Driver.error) == (status == 0x51 ? 0x04 : 0x00), "feature \(feature), count \(count)")
        }
    }

    /// What a driver has set: the write cache (word 85), sectors of READ MULTIPLE (59), heads and sectors (55, 56).
    private static func settings(_ driver: Driver, drive: UInt64 = 0) -> [UInt16] {
        driver.command(0xEC, drive: drive)
        let data = driver.readData(512)
        return [85, 59, 55, 56].map { UInt16(data[2 * $0]) | UInt16(data[2 * $0 + 1]) << 8 }
    }

    private static func change(_ driver: Driver) {
        driver.write(0x82, 1)
        driver.command(0xEF)
        driver.command(0xC6, count: 4)
        driver.write(10, 2)
        driver.write(0xE3, Driver.device)
        driver.write(0x91, Driver.status)
    }

    /// SET FEATURES 0x66 and 0xCC: whether a software reset leaves the settings as they are. At power-on it does not.
    @Test func softwareReset_keepsTheSettingsOnlyWhenAskedTo() {
        let driver = Driver(disk(4))
        let (first, changed): ([UInt16], [UInt16]) = ([1 << 5, 0x110, 16, 63], [0, 0x104, 4, 10])
        func reset() {
            driver.write(0x04, ATAChannel.controlOffset)
            driver.write(0, ATAChannel.controlOffset)
        }
        func setFeatures(_ feature: UInt64) {
            driver.write(feature, 1)
            driver.command(0xEF)
        }
        #expect(Self.settings(driver) == first)
        Self.change(driver)
        #expect(Self.settings(driver) == changed)
        reset()
        #expect(Self.settings(driver) == first)

        Self.change(driver)
        setFeatures(0x66)
        driver.command(0x20, sector: 1)
        reset()
        // The command is gone as ever; the settings are not, and neither is the wish to keep them.
        #expect(driver.readData(4) == [0xFF, 0xFF, 0xFF, 0xFF])
        #expect(Self.settings(driver) == changed)
        reset()
        #expect(Self.settings(driver) == changed)

        setFeatures(0xCC)
        #expect(Self.settings(driver) == changed)
        reset()
        #expect(Self.settings(driver) == first)
    }

    /// Each drive has its own settings.
    @Test func softwareReset_ofTwoDrives_asksEachForItself() {
        let driver = Driver(disk(4), disk(4))
        for drive in 0...1 as ClosedRange<UInt64> {
            driver.write(0x82, 1)
            driver.command(0xEF, drive: drive)
        }
        driver.write(0x66, 1)
        driver.command(0xEF, drive: 1)
        driver.write(0x04, ATAChannel.controlOffset)
        driver.write(0, ATAChannel.controlOffset)
        #expect(Self.settings(driver, drive: 0)[0] == 1 << 5)
        #expect(Self.settings(driver, drive: 1)[0] == 0)
    }

    /// Random accesses of all kinds: it lives, and what it was not told to write stays as it was.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func randomAccesses_doNotHarm(seed: UInt64) {
        var random = SplitMix(state: seed)
        let driver = Driver(MemoryDisk([UInt8](repeating: 0xA5, count: 64 * 512)), BrokenDisk())
        for _ in 0..<20_000 {
            let number = random.next()
            let offset = [0, 0, 1, 2, 3, 4, 5, 6, 7, 7, ATAChannel.controlOffset, 9][Int(number % 12)]
            let width = 1 << Int(number >> 8 & 3)
            switch number >> 16 & 3 {
            case 0: _ = driver.channel.read(offset: offset, width: width)
            case 1: _ = driver.readData(Int(number >> 32 & 0xFFF) * min(width, 4), width: min(width, 4))
            case 2:
                driver.writeData(
                    .init(repeating: 1, count: Int(number >> 32 & 0xFFF) * min(width, 4)), width: min(width, 4))
            default:
                let value = number >> 24
                driver.channel.write(
                    width == 8 ? value : value & ((1 << UInt64(8 * width)) - 1), offset: offset, width: width)
            }
        }
    }
}

/// A generator whose sequence follows from its seed (Steele, Lea and Flood's SplitMix64).
private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
