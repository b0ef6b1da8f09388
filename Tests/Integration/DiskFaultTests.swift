import Foundation
import Glibc
import TestGuests
import Testing

/// What may happen to a disk image under a running guest: the guest is told by its drive, and the monitor goes on.
///
/// The guest is Tests/Guests/disk.S. It gives the drive a command for each line, and answers with status and error
/// register and four bytes: `r 50 00 77777777`. Status 50 is "done"; 51 "failed"; 71 "failed, by a fault of the drive".
/// Error 04 is "aborted", 10 "no such sector", 40 "cannot be read".
@Suite struct DiskFaultTests {
    /// A monitor that runs the guest, and what it has answered.
    private final class Session {
        let child: Child
        private var prompts = 1

        /// - Parameter shell: what a shell does before it becomes the monitor.
        init(_ folder: TestFolder, disk: String, shell: String? = nil) throws {
            let guest = test_guest_disk()
            let program = try folder.file(
                "guest", Array(UnsafeBufferPointer(start: guest.bytes, count: guest.end - guest.bytes)))
            let words = ["run", "--flat", program, "--at", "0x8000", "--memory", "1M", "--disk", disk]
            if let shell {
                child = try Child(
                    ["/bin/bash", "-c", shell + "; exec \"$@\"", "bash", MiniKVM.path] + words, input: .pipe)
            } else {
                child = try MiniKVM.start(words, input: .pipe)
            }
            try child.waitFor(">")
        }

        /// Gives a command.
        /// - Returns: the answer.
        func ask(_ letter: Character, _ sector: UInt64 = 0) throws -> String {
            let digits = String(sector, radix: 16)
            child.send("\(letter)\(String(repeating: "0", count: 12 - digits.count))\(digits)\n")
            prompts += 1
            try child.waitFor(">", count: prompts)
            let text = String(decoding: child.output, as: UTF8.self)
            return text.split(separator: ">").last.map { $0.trimmingCharacters(in: .newlines) } ?? ""
        }

        /// The guest ends the run, and the monitor says nothing.
        func end() {
            child.send("q000000000000\n")
            let outcome = child.finish()
            outcome.expect(status: 0)
            #expect(outcome.errors.isEmpty, "\(outcome.text)")
        }
    }

    private static let sectors = 128

    /// An image of 64 KiB, full of ones.
    private func image(_ folder: TestFolder) throws -> String {
        try folder.file("disk", [UInt8](repeating: 1, count: Self.sectors * 512))
    }

    private func size(_ path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : -1
    }

    @Test func wholeImage_isReadAndWritten() throws {
        let folder = try TestFolder()
        defer { withExtendedLifetime(folder) {} }
        let disk = try image(folder)
        let session = try Session(folder, disk: disk)
        #expect(try session.ask("r", 5) == "r 50 00 01010101")
        #expect(try session.ask("w", 5) == "w 50 00 77777777")
        #expect(try session.ask("W", 127) == "W 50 00 57575757")
        #expect(try session.ask("R", 5) == "R 50 00 77777777")
        #expect(try session.ask("r", 128) == "r 51 10 00000000")
        #expect(try session.ask("w", 1 << 40) == "w 51 10 00000000")
        #expect(try session.ask("f") == "f 50 00 00000000")
        session.end()
        var expected = [UInt8](repeating: 1, count: Self.sectors * 512)
        expected.replaceSubrange(5 * 512..<6 * 512, with: [UInt8](repeating: 0x77, count: 512))
        expected.replaceSubrange(127 * 512..<128 * 512, with: [UInt8](repeating: 0x57, count: 512))
        #expect([UInt8](try Data(contentsOf: URL(fileURLWithPath: disk))) == expected)
    }

    @Test func readOnlyImage_refusesWritesAndStays() throws {
        let folder = try TestFolder()
        defer { withExtendedLifetime(folder) {} }
        let disk = try image(folder)
        let session = try Session(folder, disk: disk + ",ro")
        #expect(try session.ask("w", 5) == "w 51 04 00000000")
        #expect(try session.ask("r", 5) == "r 50 00 01010101")
        session.end()
        #expect(try Data(contentsOf: URL(fileURLWithPath: disk)).allSatisfy { $0 == 1 })
    }

    /// 128 GiB and 8 sectors: more than 28 bits can number. The file is sparse and takes next to nothing.
    @Test func imageBeyondLBA28_isReachedBy48BitsAndCappedFor28() throws {
        let folder = try TestFolder()
        defer { withExtendedLifetime(folder) {} }
        let disk = try folder.file("disk", [])
        let sectors: UInt64 = 1 << 28 + 8
        try #require(truncate(disk, off_t(sectors) * 512) == 0)
        let session = try Session(folder, disk: disk)
        // IDENTIFY: words 60 and 61 are 0x0FFFFFFF, and words 100 to 103 the whole number.
        #expect(try session.ask("i", 60) == "i 50 00 FFFFFF0F")
        #expect(try session.ask("i", 100) == "i 50 00 08000010")
        #expect(try session.ask("i", 102) == "i 50 00 00000000")
        #expect(try session.ask("w", sectors - 1) == "w 50 00 77777777")
        #expect(try session.ask("r", sectors - 1) == "r 50 00 77777777")
        #expect(try session.ask("r", sectors) == "r 51 10 00000000")
        #expect(try session.ask("W", 1 << 28 - 1) == "W 50 00 57575757")
        #expect(try session.ask("r", 1 << 28 - 1) == "r 50 00 57575757")
        #expect(try session.ask("r", 1 << 28) == "r 50 00 00000000")
        session.end()
        var status = stat()
        #expect(stat(disk, &status) == 0 && status.st_size == sectors * 512 && status.st_blocks < 2048)
    }

    /// A file that may not grow, by the limit of a process: the host answers as on a full disk, and sends a signal besides.
    @Test func imageThatMayNotGrow_failsTheWrite() throws {
        let folder = try TestFolder()
        defer { withExtendedLifetime(folder) {} }
        let disk = try folder.file("disk", [])
        try #require(truncate(disk, 4 << 20) == 0)
        // 2 MiB: 4096 sectors, and more than the guest's memory, which counts as a file, too.
        let session = try Session(folder, disk: disk, shell: "ulimit -f 2048")
        #expect(try session.ask("w", 4095) == "w 50 00 77777777")
        #expect(try session.ask("w", 4096) == "w 71 04 77777777")
        #expect(try session.ask("W", 8191) == "W 71 04 57575757")
        #expect(try session.ask("r", 8191) == "r 50 00 00000000")
        #expect(try session.ask("r", 4095) == "r 50 00 77777777")
        #expect(try session.ask("w", 0) == "w 50 00 77777777")
        #expect(try session.ask("f") == "f 50 00 00000000")
        session.end()
        #expect(size(disk) == 4 << 20)
    }

    /// Whether a file system can be mounted where nobody else sees it.
    private static let canMount: Bool = {
        let child = try? Child(["/bin/bash", "-c", "unshare --mount mount -t tmpfs none /tmp"])
        return child?.finish().status == 0
    }()

    /// A file system of 256 KiB with an image of 1 MiB that takes no space until it is written.
    @Test(.enabled(if: canMount, "file systems cannot be mounted here")) func fullDisk_failsTheWrite() throws {
        let folder = try TestFolder()
        defer { withExtendedLifetime(folder) {} }
        let full = folder.path + "/full"
        try FileManager.default.createDirectory(atPath: full, withIntermediateDirectories: false)
        let session = try Session(
            folder, disk: full + "/disk",
            shell: """
                [ -n "$MOUNTED" ] || MOUNTED=1 exec unshare --mount bash -c '
                    mount -t tmpfs -o size=256k none "$0" || exit 99
                    truncate -s 1M "$0/disk"; head -c 192k /dev/zero >"$0/other"; exec "$@"' '\(full)' "$@"
                """)
        var answers: [String] = []
        for page in 0..<20 as Range<UInt64> { answers.append(try session.ask("w", 8 * page)) }
        #expect(answers.first == "w 50 00 77777777")
        #expect(answers.last == "w 71 04 77777777")
        #expect(Set(answers).count == 2, "\(answers)")
        #expect(try session.ask("r", 0) == "r 50 00 77777777")
        #expect(try session.ask("r", 8 * 19) == "r 50 00 00000000")
        #expect(try session.ask("w", 1) == "w 50 00 77777777")
        session.end()
    }

    @Test func imageRemoved_goesOn() throws {
        let folder = try TestFolder()
        defer { withExtendedLifetime(folder) {} }
        let disk = try image(folder)
        let session = try Session(folder, disk: disk)
        #expect(try session.ask("r", 5) == "r 50 00 01010101")
        #expect(unlink(disk) == 0)
        #expect(try session.ask("w", 5) == "w 50 00 77777777")
        #expect(try session.ask("r", 5) == "r 50 00 77777777")
        #expect(try session.ask("f") == "f 50 00 00000000")
        session.end()
        #expect(size(disk) == -1)
    }

    @Test(arguments: ["", ",ro", ",snapshot"]) func imageTruncated_failsWhatIsGoneAndStaysSo(access: String) throws {
        let folder = try TestFolder()
        defer { withExtendedLifetime(folder) {} }
        let disk = try image(folder)
        let session = try Session(folder, disk: disk + access)
        #expect(try session.ask("r", 100) == "r 50 00 01010101")
        #expect(truncate(disk, 50 * 512 + 100) == 0)
        #expect(try session.ask("r", 100) == "r 51 40 00000000")
        #expect(try session.ask("r", 50) == "r 51 40 00000000")
        #expect(try session.ask("r", 49) == "r 50 00 01010101")
        // The snapshot is a file of its own; the image is not made to grow again.
        let written = [
            "": "w 71 04 77777777", ",ro": "w 51 04 00000000", ",snapshot": "w 50 00 77777777",
        ]
        #expect(try session.ask("w", 100) == written[access])
        #expect(try session.ask("r", 100) == (access == ",snapshot" ? "r 50 00 77777777" : "r 51 40 00000000"))
        #expect(try session.ask("f") == "f 50 00 00000000")
        session.end()
        #expect(size(disk) == 50 * 512 + 100)
    }

    @Test func imageInUse_byAnotherMonitor_isRefusedInOneLine() throws {
        let folder = try TestFolder()
        defer { withExtendedLifetime(folder) {} }
        let disk = try image(folder)
        let session = try Session(folder, disk: disk)
        for (access, words) in [
            ("", "another program uses it; end that first, or add ,snapshot or ,ro in both"),
            (",ro", "another program writes it; end that first"),
            (",snapshot", "another program writes it; end that first"),
        ] {
            let outcome = try MiniKVM.run(["run", "halt", "--disk", disk + access])
            outcome.expect(status: 1)
            #expect(outcome.errors == "minikvm: cannot lock disk image '\(disk)': \(words)\n")
        }
        #expect(try session.ask("w", 5) == "w 50 00 77777777")
        session.end()
    }

    @Test func imageInUse_byReadersOnly_isShared() throws {
        let folder = try TestFolder()
        defer { withExtendedLifetime(folder) {} }
        let disk = try image(folder)
        let first = try Session(folder, disk: disk + ",ro")
        let second = try Session(folder, disk: disk + ",snapshot")
        #expect(try second.ask("w", 5) == "w 50 00 77777777")
        #expect(try first.ask("r", 5) == "r 50 00 01010101")
        let outcome = try MiniKVM.run(["run", "halt", "--disk", disk])
        outcome.expect(status: 1)
        #expect(outcome.errors.contains("another program uses it"), "\(outcome.text)")
        first.end()
        second.end()
    }

    /// The monitor's own output into a file that may not grow: one line, and no death by a signal; whether the guest waits
    /// after what it has said, or ends at once.
    @Test(arguments: [true, false]) func output_intoAFileThatMayNotGrow_endsWithOneLine(guestWaits: Bool) throws {
        let folder = try TestFolder()
        defer { withExtendedLifetime(folder) {} }
        let full = try folder.file("full", [])
        try #require(truncate(full, 4 << 20) == 0)
        let waiting = ["--flat", try folder.file("program", TinyProgram.endlessLoop), "--at", TinyProgram.address]
        let outcome = try Child(
            [
                "/bin/bash", "-c", "ulimit -f 4096; exec \"$@\" >>'\(full)'", "bash", MiniKVM.path, "run", "--memory",
                "1M",
            ]
                + (guestWaits ? waiting : ["hello"])
        ).finish()
        outcome.expect(status: 1)
        #expect(
            outcome.errors == "minikvm: cannot write to the terminal: file too large; the guest's output is lost\n")
        #expect(size(full) == 4 << 20)
    }
}
