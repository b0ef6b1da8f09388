import Foundation
import Testing

/// Machines that restart: each time all is made anew, and nothing of the old is left.
@Suite struct RebootTests {
    /// A boot sector that counts its boots in the disk's next sector, prints the count as a letter from A on, waits for a
    /// character, and restarts the machine in the way it names: by the keyboard controller (k), port 0xCF9 (p), port 0x92
    /// (a) or a triple fault (t). Any other ends the run.
    private static let image: [UInt8] = {
        let program: [UInt8] = [
            0x31, 0xC0,  // xorw %ax, %ax
            0x8E, 0xD8,  // movw %ax, %ds
            0x8E, 0xC0,  // movw %ax, %es
            0x8E, 0xD0,  // movw %ax, %ss
            0xBC, 0x00, 0x7C,  // movw $0x7C00, %sp
            0xFC,  // cld
            0xB0, 0x20,  // movb $0x20, %al
            0xE8, 0x98, 0x00,  // call command
            0xEC,  // 1: inb %dx, %al
            0xA8, 0x08,  // testb $8, %al
            0x74, 0xFB,  // jz 1b
            0xBA, 0xF0, 0x01,  // movw $0x1F0, %dx
            0xBF, 0x00, 0x80,  // movw $0x8000, %di
            0xB9, 0x00, 0x01,  // movw $256, %cx
            0xF3, 0x6D,  // rep insw
            0xFE, 0x06, 0x00, 0x80,  // incb 0x8000
            0xB0, 0x30,  // movb $0x30, %al
            0xE8, 0x7F, 0x00,  // call command
            0xEC,  // 1: inb %dx, %al
            0xA8, 0x08,  // testb $8, %al
            0x74, 0xFB,  // jz 1b
            0xBA, 0xF0, 0x01,  // movw $0x1F0, %dx
            0xBE, 0x00, 0x80,  // movw $0x8000, %si
            0xB9, 0x00, 0x01,  // movw $256, %cx
            0xF3, 0x6F,  // rep outsw
            0xBA, 0xF8, 0x03,  // movw $0x3F8, %dx
            0xA0, 0x00, 0x80,  // movb 0x8000, %al
            0x04, 0x40,  // addb $0x40, %al
            0xEE,  // outb %al, %dx
            0xB0, 0x0A,  // movb $10, %al
            0xEE,  // outb %al, %dx
            0xBA, 0xFD, 0x03,  // movw $0x3FD, %dx
            0xEC,  // 1: inb %dx, %al
            0xA8, 0x01,  // testb $1, %al
            0x74, 0xFB,  // jz 1b
            0xBA, 0xF8, 0x03,  // movw $0x3F8, %dx
            0xEC,  // inb %dx, %al
            0x3C, 0x6B,  // cmpb $'k', %al
            0x74, 0x10,  // je keyboard
            0x3C, 0x70,  // cmpb $'p', %al
            0x74, 0x12,  // je port
            0x3C, 0x61,  // cmpb $'a', %al
            0x74, 0x16,  // je fast
            0x3C, 0x74,  // cmpb $'t', %al
            0x74, 0x18,  // je triple
            0xB0, 0x00,  // movb $0, %al
            0xE6, 0xF4,  // outb %al, $0xF4
            0xB0, 0xFE,  // keyboard: movb $0xFE, %al
            0xE6, 0x64,  // outb %al, $0x64
            0xEB, 0xFE,  // jmp .
            0xBA, 0xF9, 0x0C,  // port: movw $0xCF9, %dx
            0xB0, 0x06,  // movb $6, %al
            0xEE,  // outb %al, %dx
            0xEB, 0xFE,  // jmp .
            0xB0, 0x01,  // fast: movb $1, %al
            0xE6, 0x92,  // outb %al, $0x92
            0xEB, 0xFE,  // jmp .
            0x2E, 0x0F, 0x01, 0x16, 0x9B, 0x7C,  // triple: lgdtw %cs:table
            0x2E, 0x0F, 0x01, 0x1E, 0x95, 0x7C,  // lidtw %cs:none
            0x0F, 0x20, 0xC0,  // movl %cr0, %eax
            0x0C, 0x01,  // orb $1, %al
            0x0F, 0x22, 0xC0,  // movl %eax, %cr0
            0xEA, 0x93, 0x7C, 0x08, 0x00,  // ljmp $8, $flat
            0x0F, 0x0B,  // flat: ud2     32-bit code, and no gate for any exception
            0, 0, 0, 0, 0, 0,  // none: a table without entries
            15, 0, 0x99, 0x7C, 0, 0,  // table: limit, base; its entry 0 is never read
            0xFF, 0xFF, 0, 0, 0, 0x9A, 0xCF, 0,  // entry 8: all 4 GiB, 32-bit code
            0x50,  // command: pushw %ax
            0xBA, 0xF7, 0x01,  // movw $0x1F7, %dx
            0xEC,  // 1: inb %dx, %al
            0xA8, 0x80,  // testb $0x80, %al
            0x75, 0xFB,  // jnz 1b
            0xBA, 0xF2, 0x01,  // movw $0x1F2, %dx
            0xB0, 0x01,  // movb $1, %al
            0xEE,  // outb %al, %dx
            0x42,  // incw %dx
            0xEE,  // outb %al, %dx
            0x42,  // incw %dx
            0xFE, 0xC8,  // decb %al
            0xEE,  // outb %al, %dx
            0x42,  // incw %dx
            0xEE,  // outb %al, %dx
            0x42,  // incw %dx
            0xB0, 0xE0,  // movb $0xE0, %al
            0xEE,  // outb %al, %dx
            0x42,  // incw %dx
            0x58,  // popw %ax
            0xEE,  // outb %al, %dx
            0xC3,  // ret
        ]
        let sector = program + [UInt8](repeating: 0, count: 510 - program.count) + [0x55, 0xAA]
        return sector + [UInt8](repeating: 0, count: 512)
    }()

    private func start(_ folder: TestFolder, _ options: String...) throws -> (child: Child, disk: String) {
        let disk = try folder.file("disk", Self.image)
        return (try MiniKVM.start(["run", "--disk", disk, "--memory", "16M"] + options, input: .pipe), disk)
    }

    @Test(arguments: ["k", "p", "a", "t"]) func restart_eachWay_bootsAgainAndTheDiskRemembers(way: String) throws {
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
        #expect(bytes[512] == 3)
        #expect(bytes[..<512].elementsEqual(Self.image[..<512]))
    }

    @Test func restart_withNoReboot_ends() throws {
        let folder = try TestFolder()
        let (child, _) = try start(folder, "--no-reboot")
        try child.waitFor("A\n")
        child.send("k")
        let outcome = child.finish()
        outcome.expect(status: 0)
        #expect(outcome.output == "A\n", "\(outcome.text)")
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

    /// What a process holds: descriptors, threads, and KiB of memory.
    private struct Holdings: Equatable {
        var descriptors: Int
        var threads: Int
        var mappings: Int
        var resident: Int

        init(of process: pid_t) throws {
            let folder = "/proc/\(process)"
            descriptors = try FileManager.default.contentsOfDirectory(atPath: folder + "/fd").count
            mappings = try String(contentsOfFile: folder + "/maps", encoding: .utf8).split(separator: "\n").count
            let status = try String(contentsOfFile: folder + "/status", encoding: .utf8)
            func number(_ name: String) -> Int {
                let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
                return line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? -1
            }
            threads = number("Threads")
            resident = number("VmRSS")
        }
    }

    @Test func restart_tenTimes_leaksNothing() throws {
        let folder = try TestFolder()
        let (child, _) = try start(folder)
        try child.waitFor("A\n")
        child.send("k")
        // The first restart may still set something up that stays.
        try child.waitFor("B\n")
        let before = try Holdings(of: child.identifier)
        for letter in ["C", "D", "E", "F", "G", "H", "I", "J", "K", "L"] {
            child.send("k")
            try child.waitFor(letter + "\n")
        }
        let after = try Holdings(of: child.identifier)
        child.send(".")
        child.finish().expect(status: 0)
        #expect(after.descriptors == before.descriptors)
        #expect(after.threads == before.threads)
        // The allocator may have taken an arena more; a machine's memory is 16 MiB, its CPU's page of exits is one more.
        #expect(abs(after.mappings - before.mappings) <= 2, "\(before) \(after)")
        #expect(after.resident - before.resident < 1024, "\(before) \(after)")
    }
}
