import CKVM
import KVM
import Machine
import Monitor
import Testing

@Suite struct CrashReportTests {
    @Test func report_ofLongModeGuest_readsAsExpected() {
        let guest = TestGuest()
        guest.long()
        guest.write([0x90, 0x0F, 0x0B, 0xF4], at: 0x7FFF)
        guest.write(0x1122_3344_5566_7788 as UInt64, at: 0x7C00)
        guest.vcpu.special.cr2 = 0x4000_0000
        guest.vcpu.special.idt.limit = 0
        let report = CrashReport(
            reason: .shutdown, vcpus: [guest.vcpu], memory: guest.memory, host: .intel, exits: [out(), halt()],
            console: ["Booting\u{1B}[2J"], postCodes: [0x01, 0xA5])
        #expect(report.render() == expected)
    }

    @Test(arguments: TestGuest.Setting.allCases)
    func report_whateverTheRegisters_staysWithin80ColumnsAndPrintable(setting: TestGuest.Setting) {
        var generator = SystemRandomNumberGenerator()
        for round in 0..<8 {
            let guest = TestGuest()
            guest.prepare(setting)
            if round > 0 { scramble(&guest.vcpu, &generator) }
            let report = CrashReport(
                reason: .internalError(InternalError(suberror: 1, data: [.max, .max, .max, .max])),
                vcpus: [guest.vcpu, guest.vcpu], memory: guest.memory, host: .pvm, exits: [out(), halt()],
                console: [String(repeating: "x\u{7}\u{9B}", count: 300)], postCodes: [UInt8](repeating: 0xFF, count: 99)
            )
            let text = report.render()
            let long = text.split(separator: "\n").filter { $0.count > 80 }
            #expect(long == [])
            #expect(!text.unicodeScalars.contains { $0 != "\n" && ($0.value < 32 || 127...159 ~= $0.value) })
        }
    }

    @Test func report_ofMoreExitsThanKept_showsTheLast32() {
        let guest = TestGuest()
        guest.real()
        let exits = (0..<100 as Range<UInt64>).map { time in
            var record = out()
            record.time = time * 1000
            return record
        }
        let text = CrashReport(reason: .shutdown, vcpus: [guest.vcpu], memory: guest.memory, exits: exits).render()
        #expect(text.contains("last 32 exits:\n   0.000068 cpu0"))
    }

    @Test func cause_ofAnExit_isTheExit() {
        #expect(Crash.Cause(.shutdown) == .shutdown)
        #expect(Crash.Cause(.failedEntry(hardwareReason: 5, cpu: 0)) == .failedEntry(hardwareReason: 5))
        let error = InternalError(suberror: 2, data: [1])
        #expect(Crash.Cause(.internalError(error)) == .internalError(error))
        guard case .unhandledExit(let text) = Crash.Cause(.exception(vector: 6, errorCode: 0)) else {
            Issue.record("no unhandled exit")
            return
        }
        #expect(text == "exception 6, error code 0")
    }

    private func out() -> ExitRecord {
        var record = ExitRecord()
        record.time = 1_234_567
        record.kind = .portOut
        record.width = 1
        record.count = 1
        record.instructionPointer = 0x8012
        record.address = 0x3F8
        record.value = 0x48
        return record
    }

    private func halt() -> ExitRecord {
        var record = ExitRecord()
        record.time = 12_345_678_901
        record.kind = .halt
        return record
    }

    private func scramble(_ vcpu: inout VCPUSnapshot, _ generator: inout SystemRandomNumberGenerator) {
        withUnsafeMutableBytes(of: &vcpu.registers) { bytes in
            for place in bytes.indices { bytes[place] = .random(in: 0...255, using: &generator) }
        }
        withUnsafeMutableBytes(of: &vcpu.special) { bytes in
            for place in bytes.indices { bytes[place] = .random(in: 0...255, using: &generator) }
        }
        vcpu.debug = DebugRegisters()
        vcpu.debug?.dr6 = .max
        vcpu.debug?.dr7 = .max
        vcpu.events = VCPUEvents()
        vcpu.events?.exception.injected = 1
        vcpu.events?.exception.nr = .random(in: 0...255, using: &generator)
    }
}

private let expected = """
    Crash: The guest took #UD (invalid opcode) at 0x00008000 (`ud2`) with no IDT:
      IDTR's limit is 0.
    What to do: load an IDT (LIDT) with gates for the exceptions, 8, 13 and 14 at
      least, before anything can fault.
    Reason: shutdown (triple fault)

    --- vCPU 0, 64-bit long mode
    RAX 0000000000000000  RBX 0000000000000000  RCX 0000000000000000
    RDX 0000000000000000  RSI 0000000000000000  RDI 0000000000000000
    RBP 0000000000000000  RSP 0000000000007C00  R8  0000000000000000
    R9  0000000000000000  R10 0000000000000000  R11 0000000000000000
    R12 0000000000000000  R13 0000000000000000  R14 0000000000000000
    R15 0000000000000000  RIP 0000000000008000
    RFLAGS 0000000000000002  IOPL=0
         sel   base              limit     type
    CS   0008  0000000000000000  FFFFFFFF  code exec/read A       DPL=0 P S L G
    SS   0010  0000000000000000  FFFFFFFF  data read/write A      DPL=0 P S B G
    DS   0000  0000000000000000  00000000  not present
    ES   0000  0000000000000000  00000000  not present
    FS   0000  0000000000000000  00000000  not present
    GS   0000  0000000000000000  00000000  not present
    TR   0000  0000000000000000  FFFFFFFF  TSS busy               DPL=0 P G
    LDTR 0000  0000000000000000  00000000  not present
    CR0    0000000080000011  PE ET PG
    CR2    0000000040000000
    CR3    0000000000010000  4-level paging
    CR4    0000000000000020  PAE
    EFER   0000000000000500  LME LMA
    GDTR   0000000000000500  limit 0017
    IDTR   0000000000002000  limit 0000

    code at 0x00008000: ud2
      00 00 00 00 00 00 00 90 <0F> 0B F4 00 00 00 00 00 00 00 00 00 00 00 00 00
    page walk of RIP 0x00008000, 4-level paging:
      PML4E[   0] at 0x00010000 = 0x0000000000011007 P W U
      PDPTE[   0] at 0x00011000 = 0x0000000000012007 P W U
      PDE  [   0] at 0x00012000 = 0x0000000000000087 P W U PS
      -> 0x00008000, 2 MiB page, user, writable, executable
    page walk of CR2 0x40000000, 4-level paging:
      PML4E[   0] at 0x00010000 = 0x0000000000011007 P W U
      PDPTE[   1] at 0x00011008 = 0x0000000000000000
      -> not present
    stack at 0x00007C00, 64-bit words:
      1122334455667788 0000000000000000 0000000000000000 0000000000000000
      0000000000000000 0000000000000000 0000000000000000 0000000000000000
    gates of the IDT:
      6 #UD (invalid opcode): beyond IDTR's limit
      8 #DF (double fault): beyond IDTR's limit
      13 #GP (general protection): beyond IDTR's limit
      14 #PF (page fault): beyond IDTR's limit
    last 2 exits:
       0.001234 cpu0 rip=0x000000008012 OUT 0x3F8 (COM1 THR) <- 0x48 'H'
      12.345678 cpu0 HLT

    --- POST codes (port 0x80), oldest first
    01 A5

    --- last lines of the console
      Booting.[2J

    """
