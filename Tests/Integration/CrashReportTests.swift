import Foundation
import Testing

/// Guests that are broken on purpose, one of each kind, and what the program says of their deaths.
@Suite struct CrashReportTests {
    /// Whose KVM it is decides what is left of a dead guest.
    enum Host {
        /// The registers are as the guest left them: Intel VT-x, and kvm_pvm.
        case keeping
        /// AMD-V: a triple fault leaves a reset CPU.
        case resetting

        static let current: Host =
            FileManager.default.fileExists(atPath: "/sys/module/kvm_amd") && !Bed.isPVM ? .resetting : .keeping
    }

    /// One kind of death.
    struct Kind: CustomTestStringConvertible, Sendable {
        var name: String
        var mode: String
        var program: [UInt8]
        var reason = "shutdown (triple fault)"
        /// The sentence, where the registers tell; `…` is any words.
        var sentence: String
        /// The first words of the advice, in the same case.
        var advice: String?
        /// Lines that are in such a report.
        var lines: [String] = []
        /// The mode that it died in, where that is another than it started in.
        var lastMode: String?

        var isTripleFault: Bool { reason.hasPrefix("shutdown") }
        var testDescription: String { name }
    }

    static let tripleFault =
        "The guest took an exception that it could not handle, nor the double fault that followed (a triple fault)…; "
        + "the registers below are those of a reset CPU, as AMD's KVM resets it."

    static let kinds = [
        Kind(
            name: "exception without an IDT", mode: "protected",
            program: [0x0F, 0x0B],  // ud2
            sentence: "The guest took #UD (invalid opcode) at 0x00100000 (`ud2`) with no IDT: IDTR still has real "
                + "mode's value (base 0, limit 0xFFFF).",
            advice: "load an IDT (LIDT) with gates for the exceptions",
            lines: [
                "code at 0x00100000: ud2", "RIP without paging: guest-physical 0x00100000",
                "IDTR   0000000000000000  limit FFFF",
            ]),
        Kind(
            name: "gate that is not present", mode: "long",
            program: [
                0x0F, 0x01, 0x1D, 0x02, 0x00, 0x00, 0x00,  // lidt register(%rip)
                0x0F, 0x0B,  // ud2
                0xFF, 0x0F, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00,  // register: limit 0xFFF, base 0x200000
            ],
            sentence:
                "The guest took #UD (invalid opcode) at 0x00100007 (`ud2`), but its gate in the IDT at 0x00200000 "
                + "is not present (0x0000000000000000).",
            lines: ["  6 #UD (invalid opcode): not present (0x0000000000000000)"]),
        Kind(
            name: "jump into zeros", mode: "long",
            program: [
                0x48, 0xB8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80,  // movabsq $1 << 63, %rax
                0xBB, 0x00, 0x00, 0x20, 0x00,  // movl $0x200000, %ebx
                0xFF, 0xE3,  // jmp *%rbx
            ],
            sentence: "The guest executes zeroed memory at 0x00200000: 00 00 is `add [rax], al`, and it ran on until "
                + "that faulted.",
            advice: "the code was not loaded there",
            lines: ["  00 00 00 00 00 00 00 00 <00> 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"]),
        Kind(
            name: "CR3 without tables", mode: "long",
            program: [
                0xB8, 0x00, 0x00, 0x20, 0x00,  // movl $0x200000, %eax
                0x0F, 0x22, 0xD8,  // movq %rax, %cr3
                0xEB, 0xFE,  // 1: jmp 1b
            ],
            sentence: "The page tables do not map 0x00100008, where the guest executes: the PML4E at 0x00200000 is not "
                + "present.",
            lines: [
                "page walk of RIP 0x00100008, 4-level paging:",
                "  PML4E[   0] at 0x00200000 = 0x0000000000000000", "  -> not present",
            ]),
        Kind(
            name: "stack in no memory", mode: "long",
            program: [
                0xBF, 0x60, 0x00, 0x20, 0x00,  // movl $0x200060, %edi     the IDT's gate of #UD
                0x48, 0xB8, 0x00, 0x00, 0x10, 0x00, 0x00, 0x8E, 0x10, 0x00,  // movabsq $0x00108E0000100000, %rax
                0x66, 0xB8, 0x22, 0x00,  // movw $0x22, %ax
                0x48, 0x89, 0x07,  // movq %rax, (%rdi)     present, to 0x10:0x100022
                0x0F, 0x01, 0x1D, 0x09, 0x00, 0x00, 0x00,  // lidt register(%rip)
                0xBC, 0x00, 0x00, 0x00, 0x80,  // movl $0x80000000, %esp
                0x0F, 0x0B,  // ud2
                0xEB, 0xFE,  // 1: jmp 1b
                0xFF, 0x0F, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00,  // register: limit 0xFFF, base 0x200000
            ],
            reason: Bed.isPVM ? "shutdown (triple fault)" : "KVM internal error, suberror …",
            sentence: "The stack pointer is 0x80000000, where no memory is mapped: neither a push nor an exception can "
                + "succeed.",
            advice: "point RSP at the end of mapped memory",
            lines: [
                "stack at 0x80000000, 64-bit words:",
                "  ---------------- ---------------- ---------------- ----------------",
            ]),
        Kind(
            name: "long mode without page tables", mode: "protected",
            program: [
                0x0F, 0x20, 0xE0,  // movl %cr4, %eax
                0x83, 0xC8, 0x20,  // orl $1 << 5, %eax     PAE
                0x0F, 0x22, 0xE0,  // movl %eax, %cr4
                0xB8, 0x00, 0x00, 0x20, 0x00,  // movl $0x200000, %eax
                0x0F, 0x22, 0xD8,  // movl %eax, %cr3
                0xB9, 0x80, 0x00, 0x00, 0xC0,  // movl $0xC0000080, %ecx     EFER
                0x0F, 0x32,  // rdmsr
                0x0D, 0x00, 0x01, 0x00, 0x00,  // orl $1 << 8, %eax     LME
                0x0F, 0x30,  // wrmsr
                0x0F, 0x20, 0xC0,  // movl %cr0, %eax
                0x0D, 0x00, 0x00, 0x00, 0x80,  // orl $1 << 31, %eax     PG
                0x0F, 0x22, 0xC0,  // movl %eax, %cr0
                0xEB, 0xFE,  // 1: jmp 1b
            ],
            sentence: "The page tables do not map 0x0010002A, where the guest executes, right where it switches paging "
                + "on: the PML4E at 0x00200000 is not present.",
            advice: "map the code that switches paging on one-to-one",
            lastMode: "compatibility mode (32-bit code in long mode)"),
        Kind(
            name: "instruction that cannot be emulated", mode: "long",
            program: [
                0xBF, 0x00, 0x00, 0x00, 0xD0,  // movl $0xD0000000, %edi     where no memory is
                0xF0, 0x48, 0x0F, 0xC7, 0x0F,  // lock cmpxchg16b (%rdi)
                0xEB, 0xFE,  // 1: jmp 1b
            ],
            reason: "KVM internal error, suberror 1",
            sentence: "KVM could not emulate the instruction at 0x00100005: F0 48 0F C7 0F EB FE…",
            lines: ["  00 00 00 BF 00 00 00 D0 <F0> 48 0F C7 0F EB FE 00 00 00 00 00 00 00 00 00"]),
        Kind(
            name: "jump to where no memory is", mode: "long",
            program: [
                0xB8, 0x00, 0x00, 0x00, 0xD0,  // movl $0xD0000000, %eax
                0xFF, 0xE0,  // jmp *%rax
            ],
            reason: "KVM internal error, suberror 1",
            sentence: "The guest jumped to 0xD0000000 (guest-physical 0xD0000000), where it has no memory.",
            advice: "a wrong function pointer, return address or load address",
            lines: ["  -> 0xD0000000, where there is no memory, 2 MiB page"]),
        Kind(
            name: "jump to where no memory is, without paging", mode: "protected",
            program: [
                0xB8, 0x00, 0x00, 0x00, 0xD0,  // movl $0xD0000000, %eax
                0xFF, 0xE0,  // jmp *%eax
            ],
            reason: "KVM internal error, suberror 1",
            sentence: "The guest jumped to 0xD0000000, where it has no memory.",
            lines: ["RIP without paging: guest-physical 0xD0000000, where there is no memory"]),
        Kind(
            name: "selector past the GDT", mode: "protected",
            program: [
                0xB8, 0x40, 0x00, 0x00, 0x00,  // movl $0x40, %eax
                0x8E, 0xD8,  // movw %ax, %ds
            ],
            sentence:
                "At 0x00100005 the guest loads DS with selector 0x0040 (mov ds, ax), but it lies beyond the GDT's "
                + "limit 0x002F: #GP.",
            advice: "GDTR is 0x00001000 with limit 0x002F"),
        Kind(
            name: "page fault without an IDT", mode: "long",
            program: [
                0x48, 0xB8, 0x00, 0x90, 0x78, 0x56, 0x34, 0x12, 0x00, 0x00,  // movabsq $0x123456789000, %rax
                0x48, 0x8B, 0x18,  // movq (%rax), %rbx
            ],
            sentence:
                "The guest took #PF (page fault) for address 0x123456789000 (CR2) at 0x0010000A with no IDT: IDTR "
                + "still has real mode's value (base 0, limit 0xFFFF).",
            lines: [
                "CR2    0000123456789000", "page walk of CR2 0x123456789000, 4-level paging:",
                "  PML4E[  36] at 0x00009120 = 0x0000000000000000", "  -> not present",
            ]),
        Kind(
            name: "EFER changed while paging is on", mode: "long",
            program: [
                0xB9, 0x80, 0x00, 0x00, 0xC0,  // movl $0xC0000080, %ecx     EFER
                0x0F, 0x32,  // rdmsr
                0x25, 0xFF, 0xFE, 0xFF, 0xFF,  // andl $~(1 << 8), %eax     LME
                0x0F, 0x30,  // wrmsr
                0xEB, 0xFE,  // 1: jmp 1b
            ],
            sentence: "The guest changes EFER.LME at 0x0010000C while paging is on, which is #GP.",
            advice: "clear CR0.PG before"),
    ]

    @Test(arguments: kinds) func guest_thatIsBroken_diesWithItsReport(kind: Kind) throws {
        let folder = try TestFolder()
        let file = try folder.file("program", kind.program)
        let outcome = try MiniKVM.run(
            ["run", "--flat", file, "--at", "0x100000", "--mode", kind.mode, "--memory", "16M"])
        outcome.expect(status: 1)
        #expect(outcome.output.isEmpty, "\(outcome.text)")

        let report = Report(outcome.errors)
        let isLost = Host.current == .resetting && kind.isTripleFault
        #expect(Pattern.matches(report.crash, isLost ? Self.tripleFault : kind.sentence), "\(outcome.text)")
        #expect(Pattern.matches(report.reason, kind.reason), "\(outcome.text)")
        if let advice = kind.advice, !isLost { #expect(report.advice.hasPrefix(advice), "\(outcome.text)") }
        let mode = kind.mode == "long" ? "64-bit long mode" : "32-bit protected mode"
        let lastMode = isLost ? "real mode" : kind.lastMode ?? mode
        #expect(report.lines.contains("--- vCPU 0, \(lastMode)"), "\(outcome.text)")
        if !isLost { for line in kind.lines { #expect(report.lines.contains(line), "\(line)\n\(outcome.text)") } }
        report.expectShape(outcome)
    }

    /// What kvm_pvm cannot do is said to be the host's lack, not the guest's mistake; elsewhere there is no death.
    @Test func paging32_switchedOnByTheGuest_worksOrIsTheHostsLack() throws {
        let program: [UInt8] = [
            0xBF, 0x00, 0x00, 0x20, 0x00,  // movl $0x200000, %edi
            0xC7, 0x07, 0x83, 0x00, 0x00, 0x00,  // movl $0x83, (%edi)     4 MiB one to one
            0x0F, 0x22, 0xDF,  // movl %edi, %cr3
            0x0F, 0x20, 0xE0,  // movl %cr4, %eax
            0x83, 0xC8, 0x10,  // orl $1 << 4, %eax     PSE
            0x0F, 0x22, 0xE0,  // movl %eax, %cr4
            0x0F, 0x20, 0xC0,  // movl %cr0, %eax
            0x0D, 0x00, 0x00, 0x00, 0x80,  // orl $1 << 31, %eax     PG
            0x0F, 0x22, 0xC0,  // movl %eax, %cr0
            0xB0, 0x2E,  // movb $46, %al
            0xE6, 0xF4,  // outb %al, $0xF4
        ]
        let folder = try TestFolder()
        let file = try folder.file("program", program)
        let outcome = try MiniKVM.run(["run", "--flat", file, "--at", "0x100000", "--mode", "protected"])
        guard Bed.isPVM else { return outcome.expect(status: 46) }
        outcome.expect(status: 1)
        let report = Report(outcome.errors)
        #expect(
            report.crash
                == "The guest switches on 32-bit paging, and this host's KVM (kvm_pvm) cannot do 32-bit paging.",
            "\(outcome.text)")
        #expect(report.advice.contains("minikvm doctor"))
        report.expectShape(outcome)
    }

    /// The exits before the end, and what was said on port 0x80, are part of the report.
    @Test func guest_thatSpokeBeforeItDied_isQuoted() throws {
        let program: [UInt8] = [
            0xB0, 0xA5,  // movb $0xA5, %al
            0xE6, 0x80,  // outb %al, $0x80
            0xB0, 0x5A,  // movb $0x5A, %al
            0xE6, 0x80,  // outb %al, $0x80
            0x0F, 0x0B,  // ud2
        ]
        let folder = try TestFolder()
        let file = try folder.file("program", program)
        let outcome = try MiniKVM.run(["run", "--flat", file, "--at", "0x100000", "--mode", "protected"])
        outcome.expect(status: 1)
        let report = Report(outcome.errors)
        #expect(report.lines.contains("--- POST codes (port 0x80), oldest first"), "\(outcome.text)")
        #expect(report.lines.contains("A5 5A"), "\(outcome.text)")
        let exits = report.lines.filter { $0.contains("0x80") && $0.contains("cpu0") }
        #expect(exits.count == 2, "\(outcome.text)")
        #expect(exits.allSatisfy { $0.contains(" rip=0x0000001000") }, "\(outcome.text)")
        if Host.current == .resetting {
            #expect(report.crash.contains("some time after RIP 0x00100006,"), "\(outcome.text)")
        }
    }
}

/// Texts with `…` for words that do not matter.
enum Pattern {
    static func matches(_ text: String, _ pattern: String) -> Bool {
        var rest = text[...]
        let parts = pattern.split(separator: "…", omittingEmptySubsequences: false)
        for (number, part) in parts.enumerated() {
            if number == 0 {
                guard rest.hasPrefix(part) else { return false }
                rest = rest.dropFirst(part.count)
            } else if number == parts.count - 1 {
                return rest.hasSuffix(part)
            } else {
                guard let found = rest.firstRange(of: part) else { return false }
                rest = rest[found.upperBound...]
            }
        }
        return rest.isEmpty
    }
}

/// A crash report taken apart.
struct Report {
    let lines: [String]

    init(_ text: String) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// The paragraph behind a heading, its lines joined.
    private func paragraph(_ heading: String) -> String {
        guard let start = lines.firstIndex(where: { $0.hasPrefix(heading) }) else { return "" }
        let rest = lines[(start + 1)...].prefix { $0.hasPrefix("  ") }
        return ([String(lines[start].dropFirst(heading.count))] + rest.map { String($0.dropFirst(2)) })
            .joined(separator: " ")
    }

    var crash: String { paragraph("Crash: ") }
    var advice: String { paragraph("What to do: ") }
    var reason: String { paragraph("Reason: ") }

    /// What every report has, whatever happened.
    func expectShape(_ outcome: Outcome, sourceLocation: SourceLocation = #_sourceLocation) {
        let digits = "[0-9A-F]{16}"
        var shapes = [
            "RAX \(digits)  RBX \(digits)  RCX \(digits)", "RDX \(digits)  RSI \(digits)  RDI \(digits)",
            "RBP \(digits)  RSP \(digits)  R8  \(digits)", "R9  \(digits)  R10 \(digits)  R11 \(digits)",
            "R12 \(digits)  R13 \(digits)  R14 \(digits)", "R15 \(digits)  RIP \(digits)",
            "RFLAGS \(digits)  IOPL=[0-3].*", "     sel   base              limit     type",
            "CR0    \(digits)  .*ET.*", "CR2    \(digits)", "CR3    \(digits)  .*paging", "CR4    \(digits).*",
            "EFER   \(digits).*", "GDTR   \(digits)  limit [0-9A-F]{4}", "IDTR   \(digits)  limit [0-9A-F]{4}",
            "code at 0x[0-9A-F]{8,16}.*", "  ([0-9A-F-]{2} ){8}<[0-9A-F-]{2}>( [0-9A-F-]{2}){15}",
            "(page walk of RIP|RIP without paging).*", "stack at 0x[0-9A-F]{8,16}, (16|32|64)-bit words:",
            "last [0-9]+ exits:|the only exit:|no exits are known",
        ]
        shapes += ["CS", "SS", "DS", "ES", "FS", "GS", "TR", "LDTR"].map {
            $0.padding(toLength: 4, withPad: " ", startingAt: 0) + " [0-9A-F]{4}  \(digits)  [0-9A-F]{8}  .+"
        }
        for shape in shapes {
            let found = lines.contains { $0.range(of: "^(\(shape))$", options: .regularExpression) != nil }
            #expect(found, "no line like \(shape)\n\(outcome.text)", sourceLocation: sourceLocation)
        }
        #expect(lines.allSatisfy { $0.count <= 80 }, "\(outcome.text)", sourceLocation: sourceLocation)
        #expect(
            outcome.errors.unicodeScalars.allSatisfy { $0 == "\n" || ($0.value >= 32 && $0.value != 127) },
            "control characters", sourceLocation: sourceLocation)
    }
}
