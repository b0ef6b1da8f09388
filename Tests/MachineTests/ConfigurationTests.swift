import Foundation
import Machine
import Testing

/// What a configuration may say, and that it survives being written down.
@Suite struct ConfigurationTests {
    struct Mistake: CustomTestStringConvertible, Sendable {
        var name: String
        var configuration: MachineConfiguration
        var errors: [String]
        var testDescription: String { name }

        init(
            _ name: String, _ guest: MachineConfiguration.Guest = .program(name: "x", bytes: [0xF4], address: 0x8000),
            memory: UInt64 = 1 << 20, cpus: Int = 1,
            interruptController: MachineConfiguration.InterruptController? = nil,
            board: MachineConfiguration.Board? = nil, disks: [String] = [], errors: [String]
        ) {
            self.name = name
            configuration = MachineConfiguration(
                guest: guest, memoryBytes: memory, cpus: cpus, interruptController: interruptController, board: board,
                disks: disks.map { MachineConfiguration.Disk(path: $0) })
            self.errors = errors
        }
    }

    static let linux = MachineConfiguration.Guest.linux(
        kernel: "bzImage", initrd: nil, commandLine: "", entry: .automatic)

    static let mistakes = [
        Mistake(
            "no memory", memory: 0,
            errors: [
                "memory of 0 bytes: too little; give at least 1M"
            ]),
        Mistake(
            "one page less than 1 MiB", memory: (1 << 20) - 4096,
            errors: ["memory of 1044480 bytes: too little; give at least 1M"]),
        Mistake(
            "half a page", memory: (1 << 20) + 2048,
            errors: [
                "memory of 1050624 bytes: not a multiple of 4096; give a whole number of MiB, such as 256M"
            ]),
        Mistake(
            "more than 64 TiB", memory: (1 << 46) + 4096,
            errors: ["memory of 70368744181760 bytes: more than the 64 TiB that x86-64 can map; give less"]),
        Mistake(
            "no CPUs", cpus: 0, errors: ["0 CPUs: a machine needs at least one; give --cpus 1 or more"]),
        Mistake(
            "fewer than no CPUs", cpus: -1, errors: ["-1 CPUs: a machine needs at least one; give --cpus 1 or more"]),
        Mistake(
            "256 CPUs", cpus: 256, errors: ["256 CPUs: the board's tables name at most 255; give fewer"]),
        Mistake(
            "two CPUs without interrupts", cpus: 2, interruptController: MachineConfiguration.InterruptController.none,
            errors: [
                "2 CPUs without an interrupt controller: nothing could start the others; add --irqchip kernel"
            ]),
        Mistake(
            "no disk to boot from", .disk, errors: ["a disk to boot from: there is none; give --disk FILE"]),
        Mistake(
            "five disks", .disk, disks: ["a", "b", "c", "d", "e"],
            errors: ["5 disks: the board has two channels with two drives each; give at most four"]),
        Mistake(
            "a disk without a name", .disk, disks: ["a", ""], errors: ["disk: the path is empty; name an image file"]),
        Mistake(
            "a disk without a controller", board: .microVM, disks: ["a"],
            errors: ["a disk on the board microvm, which has no controller for it; leave out --board microvm"]),
        Mistake(
            "a PC without interrupts", interruptController: MachineConfiguration.InterruptController.none, board: .pc,
            errors: ["a PC without interrupt controllers: its devices could not be heard; leave out --irqchip none"]),
        Mistake(
            "Linux without interrupts", linux, memory: 1 << 28,
            interruptController: MachineConfiguration.InterruptController.none,
            errors: ["Linux without an interrupt controller cannot run; leave out --irqchip none"]),
        Mistake(
            "flat at the end of memory", .flat(path: "x", address: 1 << 20, mode: .protected),
            errors: ["guest at 0x100000: outside the 1 MiB of memory; give a lower --at or more --memory"]),
        Mistake(
            "flat in the hole", .flat(path: "x", address: 0xC000_0000, mode: .long), memory: 5 << 30,
            errors: [
                "guest at 0xc0000000: in the hole from 0xc0000000 to 4 GiB, where devices are; give another --at"
            ]),
        Mistake(
            "flat above what real mode reaches", .flat(path: "x", address: 0x10_0000, mode: .real), memory: 1 << 22,
            errors: ["flat binary at 0x100000: real mode reaches 0xFFFFF; give a lower --at"]),
        Mistake(
            "flat above what is mapped", .flat(path: "x", address: 1 << 32, mode: .long), memory: 5 << 30,
            errors: ["flat binary at 0x100000000: beyond the 4 GiB that are mapped; give a lower --at"]),
        Mistake(
            "flat without a file", .flat(path: "", address: 0x8000, mode: .real),
            errors: [
                "flat binary: the path is empty; name a file"
            ]),
        Mistake(
            "boot sector without a file", .bootSector(path: ""),
            errors: [
                "boot sector: the path is empty; name a file"
            ]),
        Mistake(
            "Linux without files", .linux(kernel: "", initrd: "", commandLine: "a\0b", entry: .pvh), memory: 1 << 28,
            errors: [
                "kernel: the path is empty; name a file",
                "initrd: the path is empty; name a file or leave --initrd out",
                "kernel command line: it holds a zero byte; take it out",
            ]),
        Mistake(
            "a program longer than memory",
            .program(name: "x", bytes: [UInt8](repeating: 0, count: 1 << 20), address: 0x8000),
            errors: ["guest at 0x8000: outside the 1 MiB of memory; give more --memory"]),
        Mistake(
            "a program at the last address", .program(name: "x", bytes: [0], address: .max),
            errors: [
                "guest at 0xffffffffffffffff: outside the 1 MiB of memory; give more --memory"
            ]),
    ]

    @Test(arguments: mistakes) func validate_ofAMistake_tellsAllThatIsWrong(mistake: Mistake) {
        #expect(mistake.configuration.validate().map(\.description) == mistake.errors)
    }

    @Test(arguments: mistakes) func machine_ofAMistake_isNotMade(mistake: Mistake) {
        #expect(throws: MachineError.self) { _ = try Machine(mistake.configuration) }
    }

    static let good = [
        MachineConfiguration(guest: .program(name: "x", bytes: [0xF4], address: 0xF_FFFF), memoryBytes: 1 << 20),
        MachineConfiguration(guest: .program(name: "x", bytes: [1, 2], address: 0x8000), cpus: 8),
        MachineConfiguration(guest: .flat(path: "/x y", address: 0xF_FFFF, mode: .real), memoryBytes: 1 << 20),
        MachineConfiguration(guest: .flat(path: "x", address: 0xBFFF_FFFF, mode: .long), memoryBytes: 5 << 30),
        MachineConfiguration(guest: .flat(path: "x", address: 0x10_0000, mode: .protected)),
        MachineConfiguration(guest: .bootSector(path: "disk")),
        MachineConfiguration(
            guest: .linux(kernel: "k", initrd: nil, commandLine: "", entry: .automatic), cpus: 255),
        MachineConfiguration(
            guest: .linux(kernel: "k", initrd: "i", commandLine: "console=ttyS0 \"x\"", entry: .linux64),
            memoryBytes: 1 << 46),
        MachineConfiguration(guest: .linux(kernel: "k", initrd: "i", commandLine: "é", entry: .pvh), cpus: 3),
    ]

    @Test(arguments: good) func validate_ofAGoodOne_findsNothing(configuration: MachineConfiguration) {
        #expect(configuration.validate().isEmpty)
    }

    @Test(arguments: good + mistakes.map(\.configuration))
    func codable_writtenAndReadBack_isTheSame(configuration: MachineConfiguration) throws {
        let data = try JSONEncoder().encode(configuration)
        #expect(try JSONDecoder().decode(MachineConfiguration.self, from: data) == configuration)
    }

    @Test func interruptController_notGiven_followsTheGuest() {
        func controller(_ guest: MachineConfiguration.Guest, cpus: Int) -> MachineConfiguration.InterruptController {
            MachineConfiguration(guest: guest, cpus: cpus).interruptController
        }
        let program = MachineConfiguration.Guest.program(name: "x", bytes: [], address: 0)
        #expect(controller(program, cpus: 1) == .none)
        #expect(controller(program, cpus: 2) == .kernel)
        #expect(controller(Self.linux, cpus: 1) == .kernel)
    }
}
