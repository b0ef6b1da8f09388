import Boot
import Testing

@Suite struct BootBundleTests {
    /// An archive as cpio writes it.
    private func archive(_ files: [(String, [UInt8])]) -> [UInt8] {
        var bytes: [UInt8] = []
        func pad() { while bytes.count % 4 != 0 { bytes.append(0) } }
        func field(_ value: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: 8 - text.count) + text
        }
        for (name, data) in files + [("TRAILER!!!", [])] {
            let fields = [
                1, name == "TRAILER!!!" ? 0 : 0o100644, 0, 0, 1, 0, data.count, 0, 0, 0, 0, name.utf8.count + 1, 0,
            ]
            bytes += [UInt8](("070701" + fields.map(field).joined() + name + "\0").utf8)
            pad()
            bytes += data
            pad()
        }
        return bytes
    }

    private func read(_ bytes: [UInt8]) -> Result<[String], CPIOError> {
        bytes.withUnsafeBytes { buffer in
            do throws(CPIOError) {
                return .success(
                    try CPIOArchive(ImageBytes(buffer)).files.map { String(decoding: $0.name, as: UTF8.self) })
            } catch {
                return .failure(error)
            }
        }
    }

    @Test func archive_withFiles_namesThem() {
        #expect(read(archive([("manifest", [1]), ("./Image", [2, 3])])) == .success(["manifest", "Image"]))
        #expect(read(archive([])) == .success([]))
    }

    @Test func everyTruncation_isAnError() {
        let bytes = archive([("a", [1, 2, 3]), ("b", [])])
        // What follows the trailer's name does not matter.
        for count in 0..<bytes.count - 4 {
            guard case .failure = read([UInt8](bytes.prefix(count))) else {
                Issue.record("\(count) bytes were enough")
                return
            }
        }
    }

    @Test func changedBytes_neverTrap() {
        let bytes = archive([("manifest", [UInt8](repeating: 7, count: 50)), ("b", [1])])
        for _ in 0..<20_000 {
            var changed = bytes
            for _ in 0..<Int.random(in: 1...3) { changed[Int.random(in: changed.indices)] = UInt8.random(in: 0...255) }
            _ = read(changed)
        }
    }

    private func guests(_ text: String) throws(ManifestError) -> [GuestDescription] {
        try BundleManifest.read([UInt8](text.utf8))
    }

    @Test func manifest_ofTwoGuests_isRead() throws {
        let guests = try guests(
            """
            # A comment.
            guest one
            kernel Image
              initrd initrd
            memory 256M
            harts 2
            append console=ttyS0  quiet

            guest two
            image hello.bin
            base 0x100000
            load 0x100000
            memory 64K
            """)
        #expect(guests.map { String(decoding: $0.name, as: UTF8.self) } == ["one", "two"])
        #expect(guests[0].payload == .linux([UInt8]("Image".utf8)))
        #expect(guests[0].memory == 256 << 20)
        #expect(guests[0].harts == 2)
        #expect(guests[0].commandLine == [UInt8]("console=ttyS0  quiet".utf8))
        #expect(guests[1].payload == .flat([UInt8]("hello.bin".utf8)))
        #expect(guests[1].memoryBase == 0x10_0000)
    }

    @Test func manifest_withDisks_isRead() throws {
        let guest = try guests("guest a\nkernel b\ndisk c\ndisk d,ro\ndisk host:1\ndisk host:0,ro\nconsole virtio")[0]
        #expect(
            guest.disks == [
                DiskDescription(contents: .image([UInt8]("c".utf8)), isReadOnly: false),
                DiskDescription(contents: .image([UInt8]("d".utf8)), isReadOnly: true),
                DiskDescription(contents: .host(1), isReadOnly: false),
                DiskDescription(contents: .host(0), isReadOnly: true),
            ])
        #expect(guest.console == .virtio)
    }

    @Test(arguments: [
        ("", ManifestError.noGuests), ("kernel Image", .outsideOfGuest(line: 1)),
        ("colour red", .outsideOfGuest(line: 1)), ("guest", .badValue(.guest, value: [], line: 1)),
    ])
    func manifest_withoutAGuest_isRefused(text: String, error: ManifestError) {
        #expect(throws: error) { _ = try guests(text) }
    }

    @Test(arguments: [
        ("guest a", ManifestError.nothingToRun(line: 1)),
        ("guest a\nkernel b\ncolour red", .unknownKey([UInt8]("colour".utf8), line: 3)),
        ("guest a\nkernel b\n\ncolour 5", .unknownKey([UInt8]("colour".utf8), line: 4)),
        ("guest a\nkernel b\ncolour red\nharts 99", .unknownKey([UInt8]("colour".utf8), line: 3)),
        ("guest a\nkernel b" + String(repeating: "\ndisk c", count: 7), .tooManyDisks(line: 9)),
    ])
    func manifest_withAMistake_tellsTheLineAndKeepsTheOthers(text: String, error: ManifestError) throws {
        let guests = try guests(text + "\nguest other\nimage c")
        #expect(guests.map(\.mistake) == [error, nil])
    }

    @Test(arguments: [
        (ManifestKey.kernel, ""), (.harts, ""), (.memory, "5"), (.memory, "12X"), (.memory, "99999999999999999999"),
        (.memory, "17179869184G"), (.memory, "1025G"), (.memory, "0"), (.base, "5"), (.base, "1025G"), (.load, "here"),
        (.disk, "host:x"), (.disk, "host:64"), (.console, "x"), (.faults, "host"), (.harts, "0"), (.harts, "17"),
    ])
    func manifest_withABadValue_tellsKeyAndValue(key: ManifestKey, value: String) throws {
        let guest = try #require(try guests("guest a\nkernel b\n\(key.name) \(value)").first)
        #expect(guest.mistake == .badValue(key, value: [UInt8](value.utf8), line: 3))
    }

    @Test func manifest_withATabBehindAKey_isRead() throws {
        #expect(try guests("guest\ta\nkernel\tb\nharts \t2")[0].harts == 2)
    }

    private func kernel(_ header: [UInt8]) throws(RISCVLinuxImageError) -> RISCVLinuxImage {
        let result: Result<RISCVLinuxImage, RISCVLinuxImageError> = header.withUnsafeBytes { bytes in
            do throws(RISCVLinuxImageError) {
                return .success(try RISCVLinuxImage(ImageBytes(bytes)))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    @Test func kernel_withoutMagic_isRefused() throws {
        var header = [UInt8](repeating: 0, count: 64)
        #expect(throws: RISCVLinuxImageError.badMagic) { _ = try kernel(header) }
        header.replaceSubrange(56..<60, with: [0x52, 0x53, 0x43, 5])
        header[10] = 0x20
        #expect(try kernel(header).textOffset == 0x20_0000)
        #expect(throws: RISCVLinuxImageError.truncated) { _ = try kernel([UInt8](header.prefix(63))) }
    }
}
