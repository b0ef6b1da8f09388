import CKVM
import KVM
import Machine
import Monitor
import Testing

/// One death: how the guest looks, and what must be said of it.
struct Death: Sendable, CustomTestStringConvertible {
    let name: String
    let cause: Diagnosis.Cause
    let sentence: String
    var exits: [ExitRecord] = []
    let guest: @Sendable (TestGuest) -> Void

    init(
        _ name: String, _ cause: Diagnosis.Cause, _ sentence: String,
        exits: [ExitRecord] = [], guest: @escaping @Sendable (TestGuest) -> Void
    ) {
        self.name = name
        self.cause = cause
        self.sentence = sentence
        self.exits = exits
        self.guest = guest
    }

    var testDescription: String { name }
}

@Suite struct DiagnosisTests {
    @Test(arguments: pagingDeaths + placeDeaths + exceptionDeaths + monitorDeaths)
    func diagnosis_ofADeadGuest_saysWhatHappened(death: Death) {
        let guest = TestGuest()
        death.guest(guest)
        let diagnosis = Diagnosis(
            reason: guest.reason, vcpu: guest.vcpu, memory: guest.memory, host: guest.host, exits: death.exits)
        #expect(diagnosis.cause == death.cause)
        #expect(diagnosis.sentence == death.sentence)
    }

    @Test func deaths_coverEveryCause() {
        let covered = Set((pagingDeaths + placeDeaths + exceptionDeaths + monitorDeaths).map(\.cause))
        #expect(Diagnosis.Cause.allCases.filter { !covered.contains($0) } == [])
    }
}

private let ud2: [UInt8] = [0x0F, 0x0B]
private let movCR0: [UInt8] = [0x0F, 0x22, 0xC0]

private let pagingDeaths: [Death] = [
    Death(
        "32-bit paging on kvm_pvm, at MOV CR0", .paging32Unsupported,
        "The guest switches on 32-bit paging, and this host's KVM (kvm_pvm) cannot do 32-bit paging."
    ) { guest in
        guest.protected()
        guest.host = .pvm
        guest.vcpu.registers.rax = 0x8000_0011
        guest.write(movCR0, at: 0x8000)
    },
    Death(
        "32-bit paging on kvm_pvm, set by the monitor", .paging32Unsupported,
        "The guest switches on 32-bit paging, and this host's KVM (kvm_pvm) cannot do 32-bit paging."
    ) { guest in
        guest.paging32()
        guest.host = .pvm
        guest.vcpu.special.controlRegister0.remove(.pg)
    },
    Death(
        "PG without PE", .pagingWithoutProtection,
        "The guest sets CR0.PG without CR0.PE at 0x00008000: paging needs protected mode, so that is #GP."
    ) { guest in
        guest.real()
        guest.vcpu.registers.rax = 0x8000_0010
        guest.write(movCR0, at: 0x8000)
    },
    Death(
        "LME without PAE", .longModeWithoutPAE,
        "The guest sets CR0.PG with EFER.LME but without CR4.PAE at 0x00008000: long mode needs PAE, so "
            + "that is #GP."
    ) { guest in
        guest.protected()
        guest.longTables()
        guest.vcpu.special.extendedFeatureEnable = .lme
        guest.vcpu.registers.rax = 0x8000_0011
        guest.write(movCR0, at: 0x8000)
    },
    Death(
        "four-level tables without LME", .longModeNotEnabled,
        "The tables at CR3 have four levels and map 0x00008000, but the CPU walks them by the rules of "
            + "PAE paging: EFER.LME was not set when paging was switched on."
    ) { guest in
        guest.protected()
        guest.longTables()
        guest.vcpu.special.controlRegister4.insert(.pae)
        guest.vcpu.special.controlRegister0.insert(.pg)
    },
    Death(
        "EFER.LME cleared under paging", .efersLockedByPaging,
        "The guest changes EFER.LME at 0x00008000 while paging is on, which is #GP."
    ) { guest in
        guest.long()
        guest.vcpu.registers.rcx = 0xC000_0080
        guest.write([0x0F, 0x30], at: 0x8000)
    },
    Death(
        "CR3 outside memory", .pageTablesOutsideMemory,
        "CR3 is 0x40000000, where the guest has no memory: there are no page tables, and 0x00008000 "
            + "cannot be fetched."
    ) { guest in
        guest.long()
        guest.vcpu.special.cr3 = 0x4000_0000
    },
    Death(
        "a table outside memory", .pageTablesOutsideMemory,
        "The PDPTE at 0x00011000 on the way to RIP's 0x00008000 leads to a table at 0x800000000000, where "
            + "the guest has no memory."
    ) { guest in
        guest.long()
        guest.write(0x8000_0000_0007 as UInt64, at: 0x11000)
    },
    Death(
        "switching paging on without mapping itself", .codeNotMapped,
        "The page tables do not map 0x00008000, where the guest executes, right where it switches paging "
            + "on: the PDE at 0x00010000 is not present."
    ) { guest in
        guest.paging32()
        guest.write(0 as UInt32, at: 0x10000)
        guest.write(movCR0, at: 0x7FFD)
        guest.vcpu.registers.rax = 0x8000_0011
    },
    Death(
        "about to switch paging on without mapping itself", .codeNotMapped,
        "The page tables do not map 0x00008000, where the guest executes, right where it switches paging "
            + "on: the PDE at 0x00010000 is not present."
    ) { guest in
        guest.protected()
        guest.vcpu.special.cr3 = 0x10000
        guest.write(movCR0, at: 0x8000)
        guest.vcpu.registers.rax = 0x8000_0011
    },
    Death(
        "a reserved bit", .reservedBits,
        "The PML4E at 0x00010000 on the way to RIP's 0x00008000 has reserved bits set (bit 7): #PF on "
            + "every access."
    ) { guest in
        guest.long()
        guest.write(0x12087 as UInt64, at: 0x10000)
    },
    Death(
        "NX without NXE", .reservedBits,
        "The PDE at 0x00012000 on the way to RIP's 0x00008000 has NX (bit 63) set while EFER.NXE is "
            + "clear, which makes it a reserved bit: #PF on every access."
    ) { guest in
        guest.long()
        guest.write(1 << 63 | 0x87 as UInt64, at: 0x12000)
    },
    Death(
        "code in an NX page", .codeNotExecutable,
        "The guest executes at 0x00008000, in a page that its tables mark NX (not executable): #PF."
    ) { guest in
        guest.long()
        guest.vcpu.special.extendedFeatureEnable.insert(.nxe)
        guest.write(1 << 63 | 0x87 as UInt64, at: 0x12000)
    },
    Death(
        "user code in a supervisor page", .supervisorPage,
        "The guest executes at 0x00008000 with CPL 3, in a page that only the supervisor may use: #PF."
    ) { guest in
        guest.long()
        guest.write(0x83 as UInt64, at: 0x12000)
        guest.vcpu.special.ss.dpl = 3
    },
]

private let placeDeaths: [Death] = [
    Death(
        "a jump past memory", .codeOutsideMemory,
        "The guest jumped to 0xDEADBEEF, where it has no memory."
    ) { guest in
        guest.protected()
        guest.vcpu.registers.rip = 0xDEAD_BEEF
    },
    Death(
        "a jump to no canonical address", .codeNotCanonical,
        "The guest jumped to 0xDEADBEEF00000000, which is no canonical address: a broken pointer or "
            + "return address."
    ) { guest in
        guest.long()
        guest.vcpu.registers.rip = 0xDEAD_BEEF_0000_0000
    },
    Death(
        "real-mode code past 64 KiB", .codeBeyondLimit,
        "RIP 0x00010000 lies beyond the code segment's limit 0x0000FFFF: #GP."
    ) { guest in
        guest.real()
        guest.vcpu.registers.rip = 0x1_0000
    },
    Death(
        "a far jump past the GDT", .selectorUnusable,
        "At 0x00008000 the guest loads CS with selector 0x0018 (jmp 0x0018:0x9000), but it lies beyond "
            + "the GDT's limit 0x0017: #GP."
    ) { guest in
        guest.protected()
        guest.write([0xEA, 0x00, 0x90, 0x00, 0x00, 0x18, 0x00], at: 0x8000)
    },
    Death(
        "a far jump with a null selector", .selectorUnusable,
        "At 0x00008000 the guest loads CS with selector 0x0000 (jmp 0x0000:0x9000), but it is the null "
            + "selector: #GP."
    ) { guest in
        guest.protected()
        guest.write([0xEA, 0x00, 0x90, 0x00, 0x00, 0x00, 0x00], at: 0x8000)
    },
    Death(
        "a data segment as CS", .selectorUnusable,
        "At 0x00008000 the guest loads CS with selector 0x0010 (jmp 0x0010:0x9000), but that descriptor "
            + "is not a code segment: #GP."
    ) { guest in
        guest.protected()
        guest.write([0xEA, 0x00, 0x90, 0x00, 0x00, 0x10, 0x00], at: 0x8000)
    },
    Death(
        "a GDT outside memory", .selectorUnusable,
        "At 0x00008000 the guest loads DS with selector 0x0010 (mov ds, cx), but the GDT at 0x70000000 is "
            + "not in memory: #GP."
    ) { guest in
        guest.protected()
        guest.vcpu.special.gdt.base = 0x7000_0000
        guest.vcpu.registers.rcx = 0x10
        guest.write([0x8E, 0xD9], at: 0x8000)
    },
    Death(
        "zeroed memory", .zeroedMemory,
        "The guest executes zeroed memory at 0x00008000: 00 00 is `add [rax], al`, and it ran on until "
            + "that faulted."
    ) { guest in
        guest.long()
    },
    Death(
        "erased memory", .erasedMemory,
        "The guest executes 0xFF bytes at 0x00008000, which are no instruction: erased or unmapped "
            + "memory."
    ) { guest in
        guest.real()
        guest.write([UInt8](repeating: 0xFF, count: 32), at: 0x8000)
    },
]

private let exceptionDeaths: [Death] = [
    Death(
        "a wrapped stack", .stackWrapped,
        "SP is 0x0001: the stack has run down to the start of its segment, and a push would wrap around "
            + "in the middle of a word (#SS)."
    ) { guest in
        guest.real()
        guest.write([0x50, 0x50, 0x50, 0x50, 0x50, 0x50, 0x50, 0x50], at: 0x8000)
        guest.vcpu.registers.rsp = 1
    },
    Death(
        "a page fault on the stack", .stackOutsideMemory,
        "The stack pointer is 0x40000000, where no memory is mapped: neither a push nor an exception can "
            + "succeed."
    ) { guest in
        guest.long()
        guest.write([0x50, 0xF4, 0xF4, 0xF4, 0xF4, 0xF4, 0xF4, 0xF4], at: 0x8000)
        guest.vcpu.registers.rsp = 0x4000_0000
        guest.vcpu.special.cr2 = 0x3FFF_FFF8
    },
    Death(
        "an exception without a stack", .stackOutsideMemory,
        "The stack pointer is 0x40000000, where no memory is mapped: neither a push nor an exception can "
            + "succeed."
    ) { guest in
        guest.protected()
        guest.write(ud2 + [UInt8](repeating: 0x90, count: 14), at: 0x8000)
        guest.vcpu.registers.rsp = 0x4000_0000
    },
    Death(
        "UD2 without an IDT", .noIDT,
        "The guest took #UD (invalid opcode) at 0x00008000 (`ud2`) with no IDT: IDTR's limit is 0."
    ) { guest in
        guest.protected()
        guest.write(ud2 + [UInt8](repeating: 0x90, count: 14), at: 0x8000)
        guest.vcpu.special.idt.limit = 0
    },
    Death(
        "a page fault without an IDT", .noIDT,
        "The guest took #PF (page fault) for address 0xDEADBEEF (CR2) at 0x00008000 (`nop`) with no IDT: "
            + "IDTR still has real mode's value (base 0, limit 0x03FF)."
    ) { guest in
        guest.paging32()
        guest.write([UInt8](repeating: 0x90, count: 16), at: 0x8000)
        guest.vcpu.special.cr2 = 0xDEAD_BEEF
        guest.vcpu.special.idt.base = 0
        guest.vcpu.special.idt.limit = 0x3FF
    },
    Death(
        "an IDT outside memory", .idtOutsideMemory,
        "The guest took vector 64 at 0x00008000 (`int 0x40`), but the IDT is at 0x70000000, and there is "
            + "no memory at 0x70000200."
    ) { guest in
        guest.protected()
        guest.write([0xCD, 0x40] + [UInt8](repeating: 0x90, count: 14), at: 0x8000)
        guest.vcpu.special.idt.base = 0x7000_0000
    },
    Death(
        "a vector beyond the IDT's limit", .gateUnusable,
        "The guest took vector 64 at 0x00008000 (`int 0x40`), but its gate in the IDT at 0x00001000 is "
            + "beyond the limit 0x00FF."
    ) { guest in
        guest.protected()
        guest.write([0xCD, 0x40] + [UInt8](repeating: 0x90, count: 14), at: 0x8000)
        guest.vcpu.special.idt.limit = 0xFF
    },
    Death(
        "a gate that is not present", .gateUnusable,
        "The guest took #BP (breakpoint) at 0x00008000 (`int3`), but its gate in the IDT at 0x00002000 is "
            + "not present (0x0000000000000000)."
    ) { guest in
        guest.long()
        guest.write([0xCC] + [UInt8](repeating: 0x90, count: 15), at: 0x8000)
        guest.write(0 as UInt64, at: 0x2030)
    },
    Death(
        "a gate with a selector that is none", .handlerUnreachable,
        "The guest took #UD (invalid opcode) at 0x00008000 (`ud2`), and the handler's gate names code "
            + "selector 0x0028, but it lies beyond the GDT's limit 0x0017."
    ) { guest in
        guest.protected()
        guest.write(ud2 + [UInt8](repeating: 0x90, count: 14), at: 0x8000)
        guest.write(0x0000_8E00_0028_9000 as UInt64, at: 0x1030)
    },
    Death(
        "a handler that is not mapped", .handlerUnreachable,
        "The guest took #UD (invalid opcode) at 0x00008000 (`ud2`), and its gate leads to a handler at "
            + "0x40009000, where no memory is mapped."
    ) { guest in
        guest.long()
        guest.write(ud2 + [UInt8](repeating: 0x90, count: 14), at: 0x8000)
        guest.write(0x4000_8E00_0008_9000 as UInt64, at: 0x2060)
    },
    Death(
        "user mode without a TSS", .noKernelStack,
        "The guest took #UD (invalid opcode) at 0x00008000 (`ud2`) in user mode (CPL 3), without a task "
            + "register: there is no TSS to take the kernel's stack from."
    ) { guest in
        guest.long()
        guest.write(ud2 + [UInt8](repeating: 0x90, count: 14), at: 0x8000)
        guest.vcpu.special.ss.dpl = 3
    },
    Death(
        "user mode with a TSS without a stack", .noKernelStack,
        "The guest took #UD (invalid opcode) at 0x00008000 (`ud2`) in user mode (CPL 3), and the TSS at "
            + "0x00003000 gives the kernel a stack at 0x00000000, where no memory is mapped."
    ) { guest in
        guest.long()
        guest.write(ud2 + [UInt8](repeating: 0x90, count: 14), at: 0x8000)
        guest.vcpu.special.ss.dpl = 3
        guest.vcpu.special.tr.selector = 0x28
        guest.vcpu.special.tr.base = 0x3000
    },
    Death(
        "a triple fault without a trace", .unknown,
        "The guest shut down at 0x00008000 (`nop`): an exception could not be delivered, nor the double "
            + "fault that followed (a triple fault)."
    ) { guest in
        guest.long()
        guest.write([UInt8](repeating: 0x90, count: 16), at: 0x8000)
    },
]

private let monitorDeaths: [Death] = [
    Death(
        "AMD's reset after a triple fault", .stateLost,
        "The guest took an exception that it could not handle, nor the double fault that followed (a "
            + "triple fault), some time after RIP 0x00008012, its last exit before; the registers below are those "
            + "of a reset CPU, as AMD's KVM resets it.", exits: [lastExit(0x8012)]
    ) { guest in
        guest.host = .amd
        guest.vcpu.registers.rip = 0xFFF0
        guest.vcpu.special.cs.base = 0xFFFF_0000
        guest.vcpu.special.idt.limit = 0xFFFF
    },
    Death(
        "cmpxchg16b on kvm_pvm", .cannotEmulate,
        "KVM could not emulate the instruction at 0x00008000: F0 48 0F C7 0F (lock cmpxchg16b)."
    ) { guest in
        guest.long()
        guest.host = .pvm
        guest.write([0xF0, 0x48, 0x0F, 0xC7, 0x0F, 0x90, 0x90, 0x90], at: 0x8000)
        guest.reason = .internalError(
            InternalError(suberror: 1, instructionBytes: [0xF0, 0x48, 0x0F, 0xC7, 0x0F]))
    },
    Death(
        "an event whose delivery fails", .deliveryFailed,
        "Delivering #PF (page fault) at 0x00008000 touched memory that is not there: the IDT, the GDT, "
            + "the TSS or the stack lies outside the guest's memory."
    ) { guest in
        guest.long()
        guest.write([UInt8](repeating: 0x90, count: 16), at: 0x8000)
        guest.reason = .internalError(InternalError(suberror: 3, data: [0x8000_030E]))
    },
    Death(
        "an invalid state", .invalidEntryState,
        "The hardware refused to enter the guest, whose state is not valid: RFLAGS bit 1 is clear, but "
            + "must be 1; CS is not a code segment."
    ) { guest in
        guest.protected()
        guest.vcpu.registers.rflags = 0
        guest.vcpu.special.cs.type = 3
        guest.reason = .failedEntry(hardwareReason: 0x8000_0021)
    },
    Death(
        "KVM_RUN failed", .runFailed,
        "KVM refused to run the guest: KVM_RUN: Bad address (errno 14)."
    ) { guest in
        guest.protected()
        guest.reason = .runFailed(KVMError(operation: "KVM_RUN", errno: 14))
    },
    Death(
        "an unhandled exit", .unhandledExit,
        "The guest left for a reason that the machine does not handle: KVM exit reason 99, unknown to "
            + "this program."
    ) { guest in
        guest.protected()
        guest.reason = .unhandledExit("KVM exit reason 99, unknown to this program")
    },
    Death(
        "a Linux panic", .guestPanic,
        "The guest's kernel gave up: Kernel panic - not syncing: VFS: Unable to mount root fs.[2J."
    ) { guest in
        guest.long()
        guest.reason = .panic(
            message: "[    0.6] Kernel panic - not syncing: VFS: Unable to mount root fs\u{1B}[2J")
    },
]

private func lastExit(_ pointer: UInt64) -> ExitRecord {
    var record = ExitRecord()
    record.kind = .portOut
    record.instructionPointer = pointer
    return record
}
