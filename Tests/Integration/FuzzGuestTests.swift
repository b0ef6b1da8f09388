import Foundation
import TestGuests
import Testing

/// The guest that writes garbage to everything (Tests/Guests/fuzz.S) under the whole program, which also counts, traces
/// and prints what it does.
@Suite struct FuzzedProgramTests {
    private static let seeds: [UInt32] = {
        let count = ProcessInfo.processInfo.environment["MINIKVM_FUZZ_SEEDS"].flatMap { UInt32($0) } ?? 1
        return Array(1...max(count, 1))
    }()

    /// The guest addresses no sector from here on: 64 is the end of the addresses, 65,536 the most that a command goes
    /// on for.
    private static let fence = 64 + 65_536

    private func program(_ folder: TestFolder, seed: UInt32, rounds: UInt32, isWild: Bool) throws -> String {
        let guest = test_guest_fuzz()
        var bytes = Array(UnsafeBufferPointer(start: guest.bytes, count: guest.end - guest.bytes))
        for (index, number) in [seed, rounds, isWild ? 1 : 0].enumerated() {
            withUnsafeBytes(of: number.littleEndian) { bytes.replaceSubrange(4 + 4 * index..<8 + 4 * index, with: $0) }
        }
        return try folder.file("fuzz", bytes)
    }

    /// An image whose first sectors take no space, and whose last ones are full.
    private func image(_ folder: TestFolder, _ name: String) throws -> (path: String, tail: Data) {
        let path = try folder.file(name, [])
        #expect(truncate(path, off_t(Self.fence) * 512) == 0)
        let tail = Data((0..<1024).flatMap { [UInt8](repeating: UInt8($0 % 251), count: 512) })
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.seekToEnd()
        try file.write(contentsOf: tail)
        try file.close()
        return (path, tail)
    }

    private func contents(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

    @Test(arguments: seeds) func garbage_withinTheFence_leavesTheOtherSectors(seed: UInt32) throws {
        let folder = try TestFolder()
        defer { withExtendedLifetime(folder) {} }
        let (written, tail) = try image(folder, "written")
        let (kept, _) = try image(folder, "kept")
        let before = try contents(kept)
        let trace = folder.path + "/trace"
        let outcome = try MiniKVM.run([
            "run", "--flat", try program(folder, seed: seed, rounds: 2000, isWild: false), "--at", "0x8000", "--memory",
            "16M", "--disk", written, "--disk", kept + ",ro", "--disk", kept + ",snapshot", "--trace=" + trace,
            "--stats",
        ])
        outcome.expect(status: 0)
        #expect(outcome.errors.contains("exits by reason"), "\(outcome.errors)")
        #expect(try contents(trace).count { $0 == 0x0A } > 2000)
        let after = try contents(written)
        #expect(after.count == Self.fence * 512 + tail.count)
        #expect(after[(Self.fence * 512)...] == tail)
        #expect(try contents(kept) == before)
    }

    /// It may end in any way but by a signal, and restarts whenever it resets itself.
    @Test(arguments: seeds) func garbage_withoutAFence_neverEndsByASignal(seed: UInt32) throws {
        let folder = try TestFolder()
        defer { withExtendedLifetime(folder) {} }
        let (written, _) = try image(folder, "written")
        for number in 0..<4 as Range<UInt32> {
            let child = try MiniKVM.start([
                "run", "--flat", try program(folder, seed: seed &* 0x100 &+ number, rounds: 2000, isWild: true), "--at",
                "0x8000", "--memory", "16M", "--disk", written, "--no-reboot",
            ])
            // Some guests stop their processor, and sleep.
            child.wait(seconds: 20)
            if !child.hasEnded { child.signal(SIGTERM) }
            let outcome = child.finish()
            #expect(!outcome.isLate && (outcome.signal == nil || outcome.signal == SIGTERM), "\(outcome.text)")
        }
    }
}
