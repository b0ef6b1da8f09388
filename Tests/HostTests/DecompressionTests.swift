import Foundation
import Host
import Testing

@Suite struct DecompressionTests {
    typealias Format = Decompression.Format

    /// The command-line tool that makes each format, as a kernel's build calls it.
    static let tools: [Format: [String]] = [
        .gzip: ["gzip", "-n", "-6"],
        .xz: ["xz", "--check=crc32", "--x86", "--lzma2=preset=1"],
        .lzma: ["xz", "--format=lzma", "-1"],
        .lz4Legacy: ["lz4", "-l", "-3"],
        .zstd: ["zstd", "-5", "-q"],
    ]

    /// Repeats and noise, so that both literals and matches occur.
    static func sample(_ count: Int) -> [UInt8] {
        var state: UInt32 = 12345
        let tile = (0..<min(count, 300_007)).map { index in
            state = state &* 1_664_525 &+ 1_013_904_223
            return index % 3 == 0 ? UInt8(state >> 24) : UInt8(truncatingIfNeeded: index >> 4)
        }
        var sample: [UInt8] = []
        while sample.count < count { sample += tile.prefix(count - sample.count) }
        return sample
    }

    static func compress(_ format: Format, _ contents: [UInt8]) throws -> [UInt8] {
        let folder = TemporaryFolder()
        let source = try folder.write(Data(contents), name: "in")
        let target = try folder.write(Data(), name: "out")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = tools[format]
        process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: source))
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: target))
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return [UInt8](try Data(contentsOf: URL(fileURLWithPath: target)))
    }

    static func decompress(
        _ format: Format, _ input: [UInt8], capacity: Int
    ) throws(Decompression.Failure) -> (output: [UInt8], progress: Decompression.Progress) {
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 1)
        defer { output.deallocate() }
        // A copy of exactly this size, so that a byte read too far is seen by an address sanitizer.
        let source = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 1)
        defer { source.deallocate() }
        source.copyBytes(from: input)
        let progress = try Decompression.decompress(format, UnsafeRawBufferPointer(source), into: output)
        return ([UInt8](output.prefix(progress.bytesWritten)), progress)
    }

    @Test(arguments: Format.allCases, [1, 100_000, 18_000_000])
    func decompress_whatTheToolMade_givesTheOriginal(format: Format, count: Int) throws {
        let original = Self.sample(count)
        let packed = try Self.compress(format, original)
        #expect(packed.withUnsafeBytes { Format(magicOf: $0) } == format)
        let exact = try Self.decompress(format, packed, capacity: count)
        #expect(exact.output == original)
        #expect(exact.progress.bytesRead == packed.count)
        // A kernel has its decompressed size after the stream.
        let size = withUnsafeBytes(of: UInt32(count).littleEndian) { [UInt8]($0) }
        let followed = try Self.decompress(format, packed + size, capacity: count + 100)
        #expect(followed.output == original)
        #expect(followed.progress.bytesRead == packed.count)
    }

    @Test(arguments: Format.allCases)
    func decompress_anExactlyFullBlockAndASize_endsThere(format: Format) throws {
        let original = Self.sample(8 << 20)
        let packed = try Self.compress(format, original)
        let result = try Self.decompress(format, packed + [0, 0, 0x80, 0], capacity: 8 << 20)
        #expect(result.output == original && result.progress.bytesRead == packed.count)
    }

    @Test(arguments: Format.allCases)
    func decompress_cutAnywhere_isTruncated(format: Format) throws {
        let original = Self.sample(30_000)
        let packed = try Self.compress(format, original)
        for count in [0, 1, 3, 5, 6, 7, 12, packed.count / 2, packed.count - 1] {
            #expect(throws: Decompression.Failure.truncated(format)) {
                _ = try Self.decompress(format, Array(packed.prefix(count)), capacity: original.count)
            }
        }
    }

    @Test(arguments: Format.allCases)
    func decompress_tooLittleRoom_isSaid(format: Format) throws {
        let original = Self.sample(30_000)
        let packed = try Self.compress(format, original)
        for capacity in [0, 1, 29_999] {
            #expect(throws: Decompression.Failure.outputTooSmall(format, capacity: capacity)) {
                _ = try Self.decompress(format, packed, capacity: capacity)
            }
        }
    }

    @Test(arguments: Format.allCases)
    func decompress_anyByteDamaged_isAnErrorOrStaysInside(format: Format) throws {
        let original = Self.sample(3000)
        let packed = try Self.compress(format, original)
        var refusals = 0
        for index in packed.indices {
            var damaged = packed
            damaged[index] ^= 0x41
            do {
                let result = try Self.decompress(format, damaged, capacity: original.count)
                #expect(result.output.count <= original.count)
            } catch {
                refusals += 1
            }
        }
        // The formats with a check sum see nearly all of it.
        if format == .gzip || format == .xz { #expect(refusals > packed.count * 9 / 10) }
        #expect(refusals > 0)
    }

    @Test func format_ofOtherBytes_isNone() {
        for bytes in [[], [0x1F], [0x7F, 0x45, 0x4C, 0x46], [0x5D, 0x00]] as [[UInt8]] {
            #expect(bytes.withUnsafeBytes { Format(magicOf: $0) } == nil)
        }
    }
}
