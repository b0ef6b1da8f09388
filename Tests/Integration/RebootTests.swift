import Foundation
import TestGuests
import Testing

/// The disk of Tests/Guests/restart.S, which restarts its machine in the way that a character names: by the keyboard
/// controller (k, o), port 0xCF9 (p hard, s soft), port 0x92 (a), a triple fault (t) or ACPI's reset register (r).
enum RestartDisk {
    /// Every way.
    static let ways = ["k", "o", "p", "s", "a", "t", "r"]
    /// Those that reset the processors alone, so that memory stays.
    static let processorWays = ["k", "o", "s", "a", "t"]
    /// Where the disk counts the boots.
    static let count = 4 * 512

    static let image: [UInt8] = {
        let guest = test_guest_restart()
        let bytes = Array(UnsafeBufferPointer(start: guest.bytes, count: guest.end - guest.bytes))
        precondition(bytes.count <= count)
        return bytes + [UInt8](repeating: 0, count: count + 512 - bytes.count)
    }()

    /// What it tells of the marks that it has left: memory, the CMOS byte, the shutdown code, the date.
    static func marks(memory: String, code: String = "00") -> String { "\(memory) 5A \(code) 2031-02-03\n" }
    /// What it says where it comes back by the warm reset vector: CS, IF and DS.
    static let resumed = "R 0700 00 0040\n"
}

/// Machines that restart: all is made anew, and nothing of the old is left but what a PC keeps.
@Suite struct RebootTests {
    private func start(_ folder: TestFolder, _ options: String...) throws -> (child: Child, disk: String) {
        let disk = try folder.file("disk", RestartDisk.image)
        return (try MiniKVM.start(["run", "--disk", disk, "--memory", "16M"] + options, input: .pipe), disk)
    }

    @Test(arguments: RestartDisk.ways) func restart_eachWay_bootsAgainAndTheDiskRemembers(way: String) throws {
        let folder = try TestFolder()
        let (child, disk) = try start(folder, "--triple-fault", "reboot")
        for letter in ["A", "B", "C"] {
            try child.waitFor(letter + "\n")
            child.send(letter == "C" ? "." : way)
        }
        let outcome = child.finish()
        outcome.expect(status: 0)
        #expect(outcome.output == "A\nB\nC\n", "\(outcome.text)")
        let bytes = try Data(contentsOf: URL(fileURLWithPath: disk))
        #expect(bytes[RestartDisk.count] == 3)
        #expect(bytes[..<RestartDisk.count].elementsEqual(RestartDisk.image[..<RestartDisk.count]))
    }

    @Test func restart_withNoReboot_ends() throws {
        let folder = try TestFolder()
        for way in ["k", "p"] {
            let (child, _) = try start(folder, "--no-reboot")
            try child.waitFor("A\n")
            child.send(way)
            let outcome = child.finish()
            outcome.expect(status: 0)
            #expect(outcome.output == "A\n", "\(outcome.text)")
        }
    }

    @Test func restart_whenTheImageHasBeenCutOff_endsWithOneLine() throws {
        let folder = try TestFolder()
        defer { withExtendedLifetime(folder) {} }
        let (child, disk) = try start(folder)
        try child.waitFor("A\n")
        #expect(truncate(disk, 100) == 0)
        child.send("k")
        let outcome = child.finish()
        outcome.expect(status: 1)
        #expect(outcome.errors == "minikvm: \(disk): the disk's first sector cannot be read\n", "\(outcome.text)")
    }

    @Test func tripleFault_unlessAskedFor_isReported() throws {
        let folder = try TestFolder()
        let (child, _) = try start(folder)
        try child.waitFor("A\n")
        child.send("t")
        let outcome = child.finish()
        outcome.expect(status: 1)
        #expect(outcome.errors.contains("triple fault"), "\(outcome.text)")
    }

    // MARK: What outlives a reset

    /// By the shutdown codes 0x05 and 0x0A the processor comes back at the warm reset vector, and memory is as it was. The
    /// code counts once: the next reset boots, with memory that is empty. CMOS memory and clock stay each time.
    @Test(arguments: RestartDisk.processorWays, ["5", "A"])
    func processorReset_withTheWarmResetVector_comesBackThere(way: String, code: String) throws {
        let folder = try TestFolder()
        let (child, _) = try start(folder, "--triple-fault", "reboot", "--cpus", "2")
        try child.waitFor("A\n")
        child.send("c")
        try child.waitFor("01\n")
        child.send("w" + code)
        try child.waitFor("w\n")
        child.send("m" + way)
        try child.waitFor(RestartDisk.resumed)
        // The other processor waits to be started, as after power-on.
        child.send("mc")
        try child.waitFor("01\n", count: 2)
        child.send(way)
        try child.waitFor("B\n")
        child.send("m.")
        let outcome = child.finish()
        outcome.expect(status: 0)
        let words = [
            "A\n01\nw\n", RestartDisk.marks(memory: "BEEF", code: "0" + code), RestartDisk.resumed,
            RestartDisk.marks(memory: "BEEF"), "01\nB\n", RestartDisk.marks(memory: "0000"),
        ]
        #expect(outcome.output == words.joined(), "\(outcome.text)")
    }

    /// Every other code boots, and so does each code after a reset of the whole machine.
    @Test(arguments: [("k", "0"), ("k", "9"), ("t", "B"), ("p", "A"), ("p", "5"), ("r", "A")])
    func reset_withoutTheWarmResetVector_bootsAndKeepsClockAndCMOS(way: String, code: String) throws {
        let folder = try TestFolder()
        let (child, _) = try start(folder, "--triple-fault", "reboot")
        try child.waitFor("A\n")
        child.send("w" + code + way)
        try child.waitFor("B\n")
        child.send("m.")
        let outcome = child.finish()
        outcome.expect(status: 0)
        #expect(outcome.output == "A\nw\nB\n" + RestartDisk.marks(memory: "0000"), "\(outcome.text)")
    }

    // MARK: What is lost

    /// What a process holds.
    private struct Holdings: Equatable {
        var descriptors: Int
        var threads: Int
        var mappings: Int
        /// KiB of address space for guests, told by its being left out of core dumps.
        var guestMemory = 0
        /// KiB of memory that is its own: no file's and no guest's, which comes in pages of 4 KiB or 2 MiB as the host likes.
        var memory = 0

        init(of process: pid_t) throws {
            let folder = "/proc/\(process)"
            descriptors = try FileManager.default.contentsOfDirectory(atPath: folder + "/fd").count
            mappings = 0
            let status = try Self.lines(folder + "/status")
            func number(_ name: String) -> Int {
                let line = status.first { $0.hasPrefix(name + ":") }
                return line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? -1
            }
            threads = number("Threads")
            // proc(5): for each mapping a line of addresses, lines of sizes, and VmFlags, where `dd` is MADV_DONTDUMP.
            var size = 0
            var anonymous = 0
            for line in try Self.lines(folder + "/smaps") {
                let words = line.split(separator: " ")
                switch words.first {
                case "Size:": size = Int(words[1]) ?? 0
                case "Anonymous:": anonymous = Int(words[1]) ?? 0
                case "VmFlags:":
                    mappings += 1
                    if words.contains("dd") { guestMemory += size } else { memory += anonymous }
                default: break
                }
            }
        }

        /// All of a file in /proc, which has no size: Foundation takes its first page for the whole.
        private static func lines(_ path: String) throws -> [Substring] {
            let file = try #require(FileHandle(forReadingAtPath: path))
            defer { try? file.close() }
            var data = Data()
            while let more = try file.read(upToCount: 1 << 16), !more.isEmpty { data += more }
            return String(decoding: data, as: UTF8.self).split(separator: "\n")
        }
    }

    /// A machine, and what makes it restart.
    struct Restarting: CustomTestStringConvertible, Sendable {
        var way: String
        var cpus = 1
        /// Whether it comes back by the warm reset vector, so that its memory is handed on.
        var comesBack = false
        /// Whether SeaBIOS boots it, with a log, and a control socket waits meanwhile.
        var hasEverything = false

        var testDescription: String {
            "by \(way), \(cpus) CPU\(cpus == 1 ? "" : "s")\(comesBack ? ", warm" : "")\(hasEverything ? ", SeaBIOS" : "")"
        }

        static let all =
            RestartDisk.ways.map { Restarting(way: $0) } + [
                Restarting(way: "k", cpus: 2), Restarting(way: "k", cpus: 2, comesBack: true),
                Restarting(way: "p", hasEverything: true), Restarting(way: "k", comesBack: true, hasEverything: true),
            ]

        func options(_ folder: TestFolder) throws -> [String] {
            var options = [
                "run", "--disk", try folder.file("disk", RestartDisk.image), "--memory", "16M", "--cpus", "\(cpus)",
                "--triple-fault", "reboot",
            ]
            if hasEverything {
                options += [
                    "--firmware", try LinuxFiles.path("MINIKVM_BIOS"), "--firmware-log", folder.path + "/log",
                    "--control",
                    folder.path + "/socket",
                ]
            }
            return options
        }
    }

    @Test(arguments: Restarting.all) func restart_tenTimes_leaksNothing(machine: Restarting) throws {
        let folder = try TestFolder()
        defer { withExtendedLifetime(folder) {} }
        let child = try MiniKVM.start(try machine.options(folder), input: .pipe, limit: 2 * MiniKVM.limit)
        try child.waitFor("A\n")
        /// Restarts it, and waits until it is there again.
        func restart(_ number: Int) throws {
            if machine.cpus > 1 {
                child.send("c")
                try child.waitFor("01\n", count: number)
            }
            child.send((machine.comesBack ? "wA" : "") + machine.way)
            if machine.comesBack {
                try child.waitFor(RestartDisk.resumed, count: number)
            } else {
                try child.waitFor("\(UnicodeScalar(UInt8(65 + number)))\n")
            }
        }
        // The first restarts may still set something up that stays.
        for number in 1...2 { try restart(number) }
        let before = try Holdings(of: child.identifier)
        for number in 3...12 { try restart(number) }
        let after = try Holdings(of: child.identifier)
        child.send(".")
        child.finish().expect(status: 0)
        #expect(after.descriptors == before.descriptors)
        #expect(after.threads == before.threads)
        // One machine's, and not that of the one before as well.
        #expect(after.guestMemory == before.guestMemory && (16 << 10..<32 << 10).contains(after.guestMemory))
        // The allocator may have taken an arena more; a machine's memory is 16 MiB, its CPU's page of exits is one more.
        #expect(abs(after.mappings - before.mappings) <= 2, "\(before) \(after)")
        // Less than a page for each restart: what is lost each time is at least an object, and comes to pages in the end,
        // while an allocator that has found its size takes one or two for good. Measured: 0 to 8 KiB.
        #expect(after.memory - before.memory < 40, "\(before) \(after)")
    }
}
