internal import CKVM
internal import KVM

/// A vCPU's registers in lines of at most 80 columns.
struct RegisterText {
    private let vcpu: VCPUSnapshot

    init(_ vcpu: VCPUSnapshot) { self.vcpu = vcpu }

    /// RAX to R15, RIP and RFLAGS.
    var general: [String] {
        let r = vcpu.registers
        let all: [(String, UInt64)] = [
            ("RAX", r.rax), ("RBX", r.rbx), ("RCX", r.rcx), ("RDX", r.rdx), ("RSI", r.rsi), ("RDI", r.rdi),
            ("RBP", r.rbp), ("RSP", r.rsp), ("R8", r.r8), ("R9", r.r9), ("R10", r.r10), ("R11", r.r11),
            ("R12", r.r12), ("R13", r.r13), ("R14", r.r14), ("R15", r.r15), ("RIP", r.rip),
        ]
        let cells = all.map { "\($0.0.padded(3)) \($0.1.digits(16))" }
        var lines = stride(from: 0, to: cells.count, by: 3).map {
            cells[$0..<min($0 + 3, cells.count)].joined(separator: "  ")
        }
        let privilege = r.rflags >> 12 & 3
        lines += bits("RFLAGS", r.rflags, "IOPL=\(privilege) " + BitNames.rflags(r.rflags, besides: 0x3002))
        return lines
    }

    /// The segment registers with their hidden parts (Intel SDM volume 3, sections 3.4.3 and 3.4.5).
    var segments: [String] {
        let s = vcpu.special
        let all: [(String, SegmentRegister)] = [
            ("CS", s.cs), ("SS", s.ss), ("DS", s.ds), ("ES", s.es), ("FS", s.fs), ("GS", s.gs), ("TR", s.tr),
            ("LDTR", s.ldt),
        ]
        return ["     sel   base              limit     type"]
            + all.map { name, segment in
                let words = [
                    name.padded(4), UInt64(segment.selector).digits(4), " " + segment.base.digits(16),
                    " " + UInt64(segment.limit).digits(8), " " + attributes(segment),
                ]
                return words.joined(separator: " ")
            }
    }

    private func attributes(_ segment: SegmentRegister) -> String {
        guard segment.unusable == 0 else { return "unusable" }
        guard segment.present != 0 || segment.type != 0 else { return "not present" }
        let type = Int(segment.type & 15)
        var name: String
        if segment.s == 0 {
            let systems = [
                "reserved", "TSS16 available", "LDT", "TSS16 busy", "call gate 16", "task gate", "int gate 16",
                "trap gate 16", "reserved", "TSS available", "reserved", "TSS busy", "call gate", "reserved",
                "int gate", "trap gate",
            ]
            name = systems[type]
        } else if type & 8 != 0 {
            name = type & 2 != 0 ? "code exec/read" : "code exec-only"
            if type & 4 != 0 { name += " conf" }
        } else {
            name = type & 2 != 0 ? "data read/write" : "data read-only"
            if type & 4 != 0 { name += " down" }
        }
        if segment.s != 0, type & 1 != 0 { name += " A" }
        let flags: [(UInt8, String)] = [
            (segment.present, "P"), (segment.s, "S"), (segment.l, "L"), (segment.db, type & 8 != 0 ? "D" : "B"),
            (segment.g, "G"),
        ]
        let names = flags.filter { $0.0 != 0 }.map(\.1).joined(separator: " ")
        return "\(name.padded(22)) DPL=\(segment.dpl) \(names)"
    }

    /// Control, descriptor-table and debug registers, and what is on its way.
    var control: [String] {
        let s = vcpu.special
        var lines = bits("CR0", s.cr0, BitNames.cr0(s.cr0))
        lines.append("CR2    \(s.cr2.digits(16))")
        lines.append("CR3    \(s.cr3.digits(16))  \(PagingMode(s).rawValue)")
        lines += bits("CR4", s.cr4, BitNames.cr4(s.cr4))
        lines += bits("EFER", s.efer, BitNames.efer(s.efer))
        lines.append("GDTR   \(s.gdt.base.digits(16))  limit \(s.gdt.limit.digits(4))")
        lines.append("IDTR   \(s.idt.base.digits(16))  limit \(s.idt.limit.digits(4))")
        if let debug = vcpu.debug {
            lines += bits("DR6", debug.dr6, BitNames.dr6(debug.dr6, besides: 0xFFFF_0FF0))
            lines += bits("DR7", debug.dr7, BitNames.dr7(debug.dr7, besides: 0xFFFF_0400))
        }
        if let events { lines.append("events " + events) }
        return lines
    }

    private var events: String? {
        guard let events = vcpu.events else { return nil }
        var words: [String] = []
        if events.exception.injected != 0 || events.exception.pending != 0 {
            let code = events.exception.has_error_code != 0 ? ", error code \(events.exception.error_code.hex())" : ""
            words.append(ExceptionName.of(events.exception.nr) + code)
        }
        if events.interrupt.injected != 0 { words.append("interrupt \(events.interrupt.nr.hex(2))") }
        if events.interrupt.shadow != 0 { words.append("interrupt shadow") }
        if events.nmi.injected != 0 || events.nmi.pending != 0 { words.append("NMI") }
        if events.nmi.masked != 0 { words.append("NMI masked") }
        return words.isEmpty ? nil : words.joined(separator: ", ")
    }

    private func bits(_ name: String, _ value: UInt64, _ names: String) -> [String] {
        "\(name.padded(6)) \(value.digits(16))  \(names)".wrappedKeepingFirst(indent: 25)
    }
}

extension String {
    /// Breaks at the last space before column 80, again and again; spaces within stay.
    fileprivate func wrappedKeepingFirst(indent: Int) -> [String] {
        var rest = self
        var lines: [String] = []
        while rest.count > 80, let space = rest.prefix(81).lastIndex(of: " "), rest[..<space].count > indent {
            lines.append(String(rest[..<space]))
            rest = String(repeating: " ", count: indent) + rest[rest.index(after: space)...]
        }
        return lines + [rest]
    }
}
