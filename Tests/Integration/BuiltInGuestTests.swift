import Foundation
import Testing

/// The lessons, each with what it says when everything holds.
@Suite struct BuiltInGuestTests {
    struct Lesson: CustomTestStringConvertible, Sendable {
        var name: String
        /// The lines that it prints. A `|` separates what different processors and KVMs make of one line.
        var lines: [String]
        /// The lines come in an order of their own.
        var isUnordered = false

        var testDescription: String { name }
    }

    static let lessons: [Lesson] = [
        Lesson(name: "halt", lines: []),
        Lesson(name: "hello", lines: ["Hello from the guest!"]),
        Lesson(
            name: "counter",
            lines: (1...20).map { "counter: \($0)" } + [
                "counter: the sum in memory is 210: ok", "counter: a register kept its value: ok",
            ]),
        Lesson(
            name: "protected",
            lines: [
                "protected: CR0.PE = 0, real mode: ok",
                "protected: the far jump arrived in 32-bit code",
                "protected: CR0.PE = 1, CS holds selector 8: ok",
                "protected: operands and stack are 32 bits wide: ok",
                "protected: DS reaches above 1 MiB: ok",
                "protected: GS:0xFF is address 0x50FF: ok",
                "protected: selector 0x40 is past the table: #GP: ok",
                // An emulated processor, as the box has one, may leave limits alone.
                "protected: GS:0x100 is past the limit: #GP: ok|protected: GS:0x100 was read: no limit checks here!",
            ]),
        Lesson(
            name: "long-mode",
            lines: [
                "long-mode: CPUID says there is long mode: ok",
                "long-mode: in 32-bit protected mode",
                "long-mode: CR4.PAE = 1, EFER.LME = 1, LMA = 0: ok",
                "long-mode: EFER.LMA = 1, long mode is active: ok",
                "long-mode: 64-bit addition, 2^40 * 2^40 = 2^80: ok",
                "long-mode: R15 through a stack of 8-byte slots: ok",
                "long-mode: RIP-relative: the guest starts at 0x8000: ok",
                "long-mode: 2 MiB page maps 0x200000 -> 0x000000: ok",
            ]),
        Lesson(
            name: "user-mode",
            lines: [
                "user-mode: kernel in ring 0, starting the program",
                "user-mode: int $64 from ring 3 into the kernel: ok",
                Bed.isPVM
                    ? "user-mode: SYSCALL stays in ring 3 on this KVM: left out"
                    : "user-mode: SYSCALL from ring 3 into the kernel: ok",
                "user-mode: CLI in ring 3: #GP, caught: ok",
                "user-mode: OUT in ring 3: #GP, caught: ok",
                "user-mode: the kernel's memory: #PF, error code 5: ok",
                "user-mode: the program asked to exit: ok",
            ]),
        Lesson(
            name: "timer",
            lines: [
                "timer: the PIC answers, all masked but IRQ0: ok",
                "timer: 10 ticks of the PIT by IRQ0: ok",
                "timer: IRQ0 masked in the PIC, no ticks: ok",
                "timer: IRQ0 unmasked, 10 more ticks: ok",
                "timer: 10 ticks of the local APIC's timer: ok",
                "timer: the APIC's count goes down: ok",
                "timer: masked in the local APIC, no ticks: ok",
                "timer: one-shot, exactly one tick: ok",
            ]),
        Lesson(
            name: "mbr",
            lines: [
                "mbr: started at 0x7C00 from disk 0x80: ok",
                "mbr: the sector ends with 55 AA: ok",
                "mbr: stage two found at 0x7E00, copying to 0x1000",
                "mbr: stage two runs at 0x1000: ok",
                "mbr: stage one is erased, stage two goes on: ok",
            ]),
        Lesson(
            name: "smp",
            lines: [
                "smp: bootstrap processor, CPUs in all: 4",
                "smp: CPU with APIC id 0 reports",
                "smp: CPU with APIC id 1 reports",
                "smp: CPU with APIC id 2 reports",
                "smp: CPU with APIC id 3 reports",
                "smp: all reported, no APIC id twice: ok",
            ],
            isUnordered: true),
        Lesson(
            name: "hypercall",
            lines: ["hypercall: CPUID names the hypervisor KVMKVMKVM: ok"]
                + (Bed.isPVM
                    ? ["hypercall: VMCALL never ends on this KVM: left out"]
                    : [
                        "hypercall: VMCALL, number 1, returns 0: ok",
                        "hypercall: VMMCALL, number 1, returns 0: ok",
                        "hypercall: an unknown number returns -1000: ok",
                        "hypercall: KVM left both instructions as they were|"
                            + "hypercall: KVM wrote VMMCALL over VMCALL: AMD|"
                            + "hypercall: KVM wrote VMCALL over VMMCALL: Intel",
                    ]) + [
                    "hypercall: these words came through port 0xE9",
                    "hypercall: the monitor answers on port 0xE9: ok",
                ]),
    ]

    @Test(arguments: lessons) func lesson_onThisBed_saysWhatItShouldAndEndsWithStatus0(lesson: Lesson) throws {
        let outcome = try MiniKVM.run(["run", lesson.name])
        outcome.expect(status: 0)
        #expect(outcome.errors.isEmpty, "\(outcome.text)")
        var lines = outcome.output.split(separator: "\n").map(String.init)
        // kvm_pvm has no gate for int $64, and says so in a line of its own.
        if Bed.isPVM { lines.removeAll { $0 == "user-mode: int $64 is #UD on this KVM: emulating it" } }
        if lesson.isUnordered { lines.sort() }
        let expected = lesson.isUnordered ? lesson.lines.sorted() : lesson.lines
        #expect(lines.count == expected.count, "\(outcome.text)")
        for (line, wanted) in zip(lines, expected) {
            #expect(wanted.split(separator: "|").contains(Substring(line)), "\(outcome.text)")
        }
    }

    /// The one that needs 32-bit paging: on a KVM without it, the program says so before anything runs.
    @Test func paging_onThisBed_holdsOrTellsThatTheHostCannot() throws {
        let outcome = try MiniKVM.run(["run", "paging"])
        guard Bed.isPVM else {
            outcome.expect(status: 0)
            #expect(
                outcome.output.split(separator: "\n") == [
                    "paging: in protected mode, building the tables",
                    "paging: CR0.PG = 1 and the code goes on: ok",
                    "paging: 4 KiB page maps 0x400000 -> 0x11000: ok",
                    "paging: 4 KiB page maps 0x401000 -> 0x11000: ok",
                    "paging: 4 MiB page maps 0x800000 -> 0x000000: ok",
                    "paging: accessed and dirty bits are set as used: ok",
                    "paging: after INVLPG 0x400000 -> 0x12000: ok",
                    "paging: #PF at 0x402000, error code 0, repaired: ok",
                    "paging: #PF on a read-only page, error code 3: ok",
                ])
            return
        }
        outcome.expect(status: 1)
        #expect(outcome.output.isEmpty, "\(outcome.text)")
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.text)")
        #expect(outcome.errors.hasPrefix("minikvm: "), "\(outcome.text)")
        #expect(outcome.errors.contains("32-bit paging"), "\(outcome.text)")
        #expect(outcome.errors.contains("doctor"), "\(outcome.text)")
    }

    /// What a PC has, tried by a kernel from its own disk.
    @Test(arguments: [1, 2, 4]) func pcCheck_ofSoManyCPUs_passesInAll(cpus: Int) throws {
        let outcome = try MiniKVM.run(["run", "pc-check", "--cpus", "\(cpus)"])
        guard Bed.isPVM else {
            outcome.expect(status: 0)
            #expect(outcome.errors.isEmpty, "\(outcome.text)")
            #expect(outcome.lines.count { $0.hasPrefix("PASS  ") } == 17, "\(outcome.text)")
            #expect(!outcome.lines.contains { $0.hasPrefix("FAIL") }, "\(outcome.text)")
            return
        }
        outcome.expect(status: 1)
        #expect(outcome.errors.contains("32-bit paging"), "\(outcome.text)")
    }

    /// Keys that somebody presses meanwhile, and those of the end of input, are no part of the checks.
    @Test(.enabled(if: !Bed.isPVM, "kvm_pvm has no 32-bit paging")) func pcCheck_withKeysPressed_passesInAll() throws {
        try MiniKVM.run(["run", "pc-check", "--keyboard", "terminal"], sending: Array("abc\u{1B}xyz".utf8))
            .expect(status: 0)
    }

    @Test func echo_linesAndCtrlD_comeBackCounted() throws {
        let outcome = try MiniKVM.run(["run", "echo"], sending: Array("one\ntwo\n\u{4}".utf8))
        outcome.expect(status: 0)
        #expect(
            outcome.output == "echo: type something; Ctrl-D ends\none\ntwo\n\necho: bytes received: 0x00000008\n",
            "\(outcome.text)")
    }

    @Test(arguments: [1, 2, 3, 8]) func smp_ofSoManyCPUs_allReport(cpus: Int) throws {
        let outcome = try MiniKVM.run(["run", "smp", "--cpus", "\(cpus)"])
        outcome.expect(status: 0)
        for number in 0..<cpus {
            let line = "smp: CPU with APIC id \(number) reports"
            #expect(outcome.lines.count { $0 == line } == 1, "\(outcome.text)")
        }
    }

    @Test(arguments: [[], ["--stats"]]) func trace_withItsFileInTheSameWord_goesThere(more: [String]) throws {
        let folder = try TestFolder()
        let trace = folder.path + "/trace"
        let outcome = try MiniKVM.run(["run", "hello", "--trace=" + trace] + more)
        outcome.expect(status: 0)
        #expect(!outcome.errors.contains("OUT 0x3F8 (COM1 THR) <-"), "\(outcome.text)")
        #expect(folder.names == ["trace"])
        #expect(try String(contentsOfFile: trace, encoding: .utf8).contains("OUT 0x3F8 (COM1 THR) <- 0x48 'H'"))
    }

    @Test func guests_listed_areTheLessonsOfTheTour() throws {
        let outcome = try MiniKVM.run(["guests"])
        outcome.expect(status: 0)
        let names = outcome.output.split(separator: "\n").compactMap { $0.split(separator: " ").first.map(String.init) }
        #expect(
            names == [
                "halt", "hello", "echo", "counter", "protected", "paging", "long-mode", "user-mode", "timer", "mbr",
                "smp", "hypercall", "pc-check",
            ])
        #expect(outcome.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }
}
