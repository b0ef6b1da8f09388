import Devices
import Foundation
import Host
import Testing

struct DiskImageTests {
    private let folder = TemporaryFolder()

    private func image(_ bytes: [UInt8], name: String = "image") throws -> String {
        try folder.write(Data(bytes), name: name)
    }

    private func read(_ store: any BlockStore, _ sector: UInt64, count: Int = 512) -> (BlockResult, [UInt8]) {
        var bytes = [UInt8](repeating: 0, count: count)
        let result = bytes.withUnsafeMutableBytes { bytes in
            var span = MutableRawSpan(_unsafeBytes: bytes)
            return store.read(sector: sector, into: &span)
        }
        return (result, bytes)
    }

    private func write(_ store: any BlockStore, _ bytes: [UInt8], _ sector: UInt64) -> BlockResult {
        bytes.withUnsafeBytes { store.write(RawSpan(_unsafeBytes: $0), sector: sector) }
    }

    @Test func write_goesToTheFile() throws {
        let path = try image([UInt8](repeating: 1, count: 4 * 512))
        let disk = try DiskImage(path: path)
        #expect(disk.sectorCount == 4)
        #expect(write(disk, [UInt8](repeating: 2, count: 1024), 1) == .done)
        #expect(disk.flush() == .done)
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        #expect(
            bytes == [UInt8](repeating: 1, count: 512) + .init(repeating: 2, count: 1024)
                + .init(repeating: 1, count: 512))
        #expect(read(disk, 2).1 == [UInt8](repeating: 2, count: 512))
    }

    @Test func readOnly_refusesWrites() throws {
        let disk = try DiskImage(path: image([UInt8](repeating: 1, count: 512)), isReadOnly: true)
        #expect(write(disk, [UInt8](repeating: 2, count: 512), 0) == .readOnly)
        #expect(read(disk, 0) == (.done, [UInt8](repeating: 1, count: 512)))
    }

    @Test func snapshot_keepsWritesAndLeavesTheFile() throws {
        let path = try image([UInt8](repeating: 1, count: 4 * 512))
        let disk = try SnapshotDisk(over: DiskImage(path: path, isReadOnly: true))
        #expect(write(disk, [UInt8](repeating: 2, count: 512), 1) == .done)
        #expect(read(disk, 0, count: 2048).1 == [1, 2, 1, 1].flatMap { [UInt8](repeating: $0, count: 512) })
        #expect([UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) == [UInt8](repeating: 1, count: 2048))
    }

    @Test func truncatedWhileOpen_isAFailedRead() throws {
        let path = try image([UInt8](repeating: 1, count: 4 * 512))
        let disk = try DiskImage(path: path)
        #expect(truncate(path, 700) == 0)
        #expect(read(disk, 0).0 == .done)
        #expect(read(disk, 1).0 == .failed)
        #expect(read(disk, 3).0 == .failed)
    }

    /// What was cut off does not come back: neither by a write there, nor by one that reaches over the end.
    @Test func truncatedWhileOpen_isAFailedWriteAndDoesNotGrow() throws {
        let path = try image([UInt8](repeating: 1, count: 4 * 512))
        let disk = try DiskImage(path: path)
        #expect(truncate(path, 700) == 0)
        #expect(write(disk, [UInt8](repeating: 2, count: 512), 3) == .failed)
        #expect(write(disk, [UInt8](repeating: 2, count: 512), 1) == .failed)
        #expect(write(disk, [UInt8](repeating: 2, count: 1024), 0) == .failed)
        #expect(
            [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) == [UInt8](repeating: 1, count: 700))
        #expect(write(disk, [UInt8](repeating: 2, count: 512), 0) == .done)
        // Somebody gives it its size back: the disk is whole again, with what is in it now.
        #expect(truncate(path, 4 * 512) == 0)
        #expect(write(disk, [UInt8](repeating: 3, count: 512), 3) == .done)
        #expect(read(disk, 2) == (.done, [UInt8](repeating: 0, count: 512)))
        #expect(read(disk, 3) == (.done, [UInt8](repeating: 3, count: 512)))
    }

    @Test func snapshot_overATruncatedFile_hasWhatWasWritten() throws {
        let path = try image([UInt8](repeating: 1, count: 4 * 512))
        let disk = try SnapshotDisk(over: DiskImage(path: path, isReadOnly: true))
        #expect(write(disk, [UInt8](repeating: 2, count: 512), 2) == .done)
        #expect(truncate(path, 512) == 0)
        #expect(read(disk, 2) == (.done, [UInt8](repeating: 2, count: 512)))
        #expect(read(disk, 1).0 == .failed)
        #expect(read(disk, 1, count: 1024).0 == .failed)
    }

    /// More sectors than 28 bits can number, in a file that takes no space.
    @Test func imageBeyondLBA28_isReadAndWrittenToItsEnd() throws {
        let path = try image([1])
        let sectors: UInt64 = 1 << 28 + 8
        try #require(truncate(path, off_t(sectors) * 512) == 0)
        let disk = try DiskImage(path: path)
        #expect(disk.sectorCount == sectors)
        #expect(write(disk, [UInt8](repeating: 7, count: 512), sectors - 1) == .done)
        #expect(read(disk, sectors - 1).1 == [UInt8](repeating: 7, count: 512))
        #expect(read(disk, sectors - 2).1 == [UInt8](repeating: 0, count: 512))
    }

    @Test func removedWhileOpen_goesOn() throws {
        let path = try image([UInt8](repeating: 1, count: 512))
        let disk = try DiskImage(path: path)
        #expect(unlink(path) == 0)
        #expect(write(disk, [UInt8](repeating: 3, count: 512), 0) == .done)
        #expect(read(disk, 0).1 == [UInt8](repeating: 3, count: 512))
    }

    @Test func lock_letsReadersShareAndNobodyElse() throws {
        let path = try image([UInt8](repeating: 1, count: 512))
        do {
            let writer = try DiskImage(path: path)
            for isReadOnly in [false, true] {
                #expect { try DiskImage(path: path, isReadOnly: isReadOnly) } throws: {
                    "\($0)".contains("cannot lock disk image") && "\($0)".contains("another program")
                }
            }
            withExtendedLifetime(writer) {}
        }
        let reader = try DiskImage(path: path, isReadOnly: true)
        _ = try DiskImage(path: path, isReadOnly: true)
        #expect(throws: HostError.self) { try DiskImage(path: path) }
        withExtendedLifetime(reader) {}
    }

    @Test(arguments: [
        ("empty", 0, "it is empty"), ("short", 511, "no multiple of 512"), ("odd", 513, "no multiple of 512"),
    ])
    func init_ofAWrongSize_saysSo(name: String, size: Int, words: String) throws {
        let path = try image([UInt8](repeating: 0, count: size), name: name)
        #expect { try DiskImage(path: path) } throws: { "\($0)".contains(words) }
    }

    @Test(arguments: [("/nonexistent/disk", "no such file"), ("/dev/null", "neither a file"), ("/", "director")])
    func init_ofWhatIsNoImage_saysSo(path: String, words: String) {
        #expect { try DiskImage(path: path) } throws: { "\($0)".contains(words) }
    }
}
