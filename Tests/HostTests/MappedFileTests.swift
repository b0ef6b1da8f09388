import Foundation
import Host
import Testing

@Suite struct MappedFileTests {
    let folder = TemporaryFolder()

    @Test(arguments: [1, 4095, 4096, 4097, 3_000_000])
    func init_regularFile_givesItsBytes(count: Int) throws {
        let contents = Data((0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let path = try folder.write(contents)
        let file = try MappedFile(path: path)
        #expect(Data(file.bytes) == contents)
    }

    @Test func init_fileTruncatedLater_keepsTheBytes() throws {
        let path = try folder.write(Data(repeating: 7, count: 1 << 20))
        let file = try MappedFile(path: path)
        #expect(truncate(path, 0) == 0)
        #expect(file.bytes.allSatisfy { $0 == 7 })
    }

    @Test(arguments: [
        ("missing", "no such file or directory"),
        (".", "it is a directory"),
        ("empty", "it is empty"),
        ("file/below", "not a directory"),
    ])
    func init_unusablePath_saysWhy(name: String, reason: String) throws {
        _ = try folder.write(Data(), name: "empty")
        _ = try folder.write(Data([1]), name: "file")
        let error = #expect(throws: HostError.self) {
            _ = try MappedFile(path: folder.path + "/" + name, purpose: "kernel")
        }
        #expect(error?.description.contains(reason) == true)
        #expect(error?.description.contains("kernel '\(folder.path)/\(name)'") == true)
    }

    @Test(.enabled(if: geteuid() != 0, "root may read every file"))
    func init_unreadable_saysWhy() throws {
        let path = try folder.write(Data([1]))
        chmod(path, 0)
        let error = #expect(throws: HostError.self) { _ = try MappedFile(path: path) }
        #expect(error?.description.contains("permission denied") == true)
    }

    @Test(arguments: [(4096, true), (4095, false)] as [(UInt64, Bool)])
    func init_fileAtItsLimit_fitsOrIsRefused(limit: UInt64, fits: Bool) throws {
        let path = try folder.write(Data(repeating: 1, count: 4096))
        let bytes = try? MappedFile(path: path, limit: limit).bytes.count
        #expect(bytes == (fits ? 4096 : nil))
    }

    @Test func init_endlessDevice_isRefusedAtTheLimit() {
        let error = #expect(throws: HostError.self) { _ = try MappedFile(path: "/dev/zero", limit: 1 << 20) }
        #expect(error?.description.contains("more than 1 MiB") == true)
    }

    @Test func init_emptyDevice_isEmpty() {
        let error = #expect(throws: HostError.self) { _ = try MappedFile(path: "/dev/null") }
        #expect(error?.description.contains("it is empty") == true)
    }

    @Test func init_fileOfUnknownSize_isReadToItsEnd() throws {
        let file = try MappedFile(path: "/proc/self/status")
        #expect(String(decoding: file.bytes, as: UTF8.self).contains("Pid:"))
    }

    @Test func init_pipe_isReadToItsEnd() throws {
        let path = folder.path + "/pipe"
        #expect(mkfifo(path, 0o600) == 0)
        let nobody = #expect(throws: HostError.self) { _ = try MappedFile(path: path) }
        #expect(nobody?.description.contains("nobody writes into this pipe") == true)
        let number = open(path, O_RDWR)
        let writer = try HostThread(name: "writer") {
            let part = [UInt8](repeating: 9, count: 100_000)
            for _ in 0..<3 { _ = part.withUnsafeBytes { write(number, $0.baseAddress, $0.count) } }
            close(number)
        }
        let file = try MappedFile(path: path)
        writer.join()
        #expect(file.bytes.count == 300_000)
    }

    @Test func description_pathWithControlCharacters_staysOneLine() {
        let error = #expect(throws: HostError.self) { _ = try MappedFile(path: "/no\n\u{1B}[2Jsuch") }
        #expect(error?.description.unicodeScalars.allSatisfy { $0.value >= 0x20 } == true)
    }
}
