internal import CKVM
internal import KVM

/// Deaths by an exception that could not be delivered.
extension Evidence {
    /// The instruction at RIP loads a segment that the GDT does not give.
    var selector: Diagnosis? {
        guard mode.isProtected || isFarJumpIntoProtectedMode, let instruction else { return nil }
        let loaded: (selector: UInt16, register: String)?
        switch instruction.effect {
        case .farJump(let selector, _): loaded = (selector, "CS")
        case .farReturn: loaded = fromStack(instruction.operandBytes).map { ($0, "CS") }
        case .interruptReturn: loaded = fromStack(instruction.operandBytes).map { ($0, "CS") }
        case .loadTaskRegister(let source):
            loaded = (UInt16(truncatingIfNeeded: vcpu.register(source)), "TR")
        case .moveToSegment(let segment, let source):
            let names = ["ES", "CS", "SS", "DS", "FS", "GS"]
            loaded =
                names.indices.contains(segment)
                ? (UInt16(truncatingIfNeeded: vcpu.register(source)), names[segment]) : nil
        default: loaded = nil
        }
        guard let loaded else { return nil }
        // DS, ES, FS and GS may be null; so may SS in 64-bit mode.
        let mayBeNull = loaded.register != "CS" && loaded.register != "TR" && (loaded.register != "SS" || mode == .long)
        if mayBeNull, loaded.selector & 0xFFFC == 0 { return nil }
        let descriptor = SegmentDescriptor(selector: loaded.selector, gdtr: special.gdt, memory: linear)
        var defect = descriptor.defect
        if defect == nil, loaded.register == "CS", loaded.selector & 4 == 0, !descriptor.isCode {
            defect = "that descriptor is not a code segment"
        }
        guard let defect else { return nil }
        return Diagnosis(
            .selectorUnusable,
            "At \(place) the guest loads \(loaded.register) with selector \(loaded.selector.hex(4)) "
                + "(\(instruction.name)), but \(defect): #GP.",
            advice: "GDTR is \(special.gdt.base.hex(8)) with limit \(special.gdt.limit.hex(4)): check LGDT's operand "
                + "(limit, then a linear address) and the descriptor.")
    }

    /// CR0.PE is set, and CS still holds what real mode left in it.
    private var isFarJumpIntoProtectedMode: Bool { special.controlRegister0.contains(.pe) }

    private func fromStack(_ operandBytes: Int) -> UInt16? {
        linear.number(vcpu.stackAddress &+ UInt64(operandBytes), width: 2).map { UInt16(truncatingIfNeeded: $0) }
    }

    /// The bytes at RIP are no code.
    var codeContent: Diagnosis? {
        let code = code
        guard code.count >= 8 else { return nil }
        if code.prefix(8).allSatisfy({ $0 == 0 }) {
            return Diagnosis(
                .zeroedMemory,
                "The guest executes zeroed memory at \(place): 00 00 is `\(instruction?.name ?? "add")`, and it ran on until "
                    + "that faulted.",
                advice: "the code was not loaded there, or a jump, call or return went astray.")
        }
        if code.prefix(8).allSatisfy({ $0 == 0xFF }) {
            return Diagnosis(
                .erasedMemory,
                "The guest executes 0xFF bytes at \(place), which are no instruction: erased or unmapped memory.",
                advice: "the code was not loaded there, or a jump, call or return went astray.")
        }
        return nil
    }

    /// The exception that probably came: what KVM says is pending, else what RIP's instruction or CR2 tell.
    var vector: UInt8? {
        if let pending = vcpu.pendingException, pending != 8 { return pending }
        switch instruction?.effect {
        case .softwareInterrupt(let vector): return vector
        case .invalidOpcode: return 6
        default: break
        }
        if isPaging, special.cr2 != 0, walk(special.cr2).physicalAddress == nil { return 14 }
        return nil
    }

    /// An exception met no usable IDT, gate, handler or stack.
    var exception: Diagnosis? {
        stack ?? interruptTable ?? kernelStack ?? stackWithoutMemory
    }

    /// The exception in words and where, such as `#PF (page fault) for address 0x… (CR2) at 0x…`.
    private var exceptionText: String {
        guard let vector else { return "an exception at \(place)" }
        let name = ExceptionName.of(vector)
        let place = instruction.map { "\(self.place) (`\($0.name)`)" } ?? self.place
        return vector == 14 ? "\(name) for address \(special.cr2.hex(8)) (CR2) at \(place)" : "\(name) at \(place)"
    }

    private var interruptTable: Diagnosis? {
        let idtr = special.idt
        let took = "The guest took \(exceptionText)"
        let advice =
            "load an IDT (LIDT) with gates for the exceptions, 8, 13 and 14 at least, before anything can fault."
        if mode.isProtected {
            if idtr.limit == 0 {
                return Diagnosis(.noIDT, "\(took) with no IDT: IDTR's limit is 0.", advice: advice)
            }
            if idtr.base == 0, idtr.limit == 0xFFFF || idtr.limit == 0x3FF {
                return Diagnosis(
                    .noIDT,
                    "\(took) with no IDT: IDTR still has real mode's value (base 0, limit \(idtr.limit.hex(4))).",
                    advice: advice)
            }
        }
        let gate = InterruptGate(vector: vector ?? 13, vcpu: vcpu, memory: linear)
        let which = (vector == nil ? "the gate of #GP, for one" : "its gate") + " in the IDT at \(idtr.base.hex(8)) is"
        switch gate {
        case .beyondLimit:
            return Diagnosis(
                .gateUnusable,
                "\(took), but \(which) beyond the limit \(idtr.limit.hex(4)).", advice: advice)
        case .notInMemory(let address):
            return Diagnosis(
                .idtOutsideMemory,
                "\(took), but the IDT is at \(idtr.base.hex(8)), and there is no memory at \(address.hex(8)).",
                advice: "LIDT's operand is a limit and then a linear address; map the page that it names.")
        case .notPresent, .wrongType:
            return Diagnosis(.gateUnusable, "\(took), but \(which) \(gate.text).", advice: advice)
        case .handler(let selector, let offset):
            return mode.isProtected && vector != nil ? handler(selector, offset, took) : nil
        }
    }

    private func handler(_ selector: UInt16, _ offset: UInt64, _ took: String) -> Diagnosis? {
        let descriptor = SegmentDescriptor(selector: selector, gdtr: special.gdt, memory: linear)
        if let defect = descriptor.defect {
            return Diagnosis(
                .handlerUnreachable,
                "\(took), and the handler's gate names code selector \(selector.hex(4)), but \(defect).",
                advice: "put the selector of the kernel's code segment into every gate.")
        }
        guard mode == .long, linear.physicalAddress(offset) == nil else { return nil }
        return Diagnosis(
            .handlerUnreachable,
            "\(took), and its gate leads to a handler at \(offset.hex(8)), where no memory is mapped.")
    }

    /// The stack cannot take what an exception or a push puts on it.
    private var stack: Diagnosis? {
        let pointer = vcpu.stackPointer
        if !mode.isProtected, pointer & 1 != 0, pointer < 6 {
            return Diagnosis(
                .stackWrapped,
                "SP is \(pointer.hex(4)): the stack has run down to the start of its segment, and a push would wrap "
                    + "around in the middle of a word (#SS).",
                advice: "give SS:SP a place with room below it, such as 0000:7C00.")
        }
        guard isPaging, special.cr2 != 0, walk(special.cr2).physicalAddress == nil else { return nil }
        let below = vcpu.stackAddress &- special.cr2
        guard below <= 4096 || (special.cr2 &- vcpu.stackAddress) < 8 else { return nil }
        return noStack
    }

    private var noStack: Diagnosis {
        Diagnosis(
            .stackOutsideMemory,
            "The stack pointer is \(vcpu.stackAddress.hex(8)), where no memory is mapped: neither a push nor an "
                + "exception can succeed.",
            advice: "point RSP at the end of mapped memory; if it was right once, the stack overflowed.")
    }

    /// An exception's first push goes just below the stack pointer.
    var stackWithoutMemory: Diagnosis? {
        let first = vcpu.stackAddress &- UInt64(mode == .long ? 8 : mode.operandBits / 8)
        return linear.physicalAddress(mode == .long ? first : first & 0xFFFF_FFFF) == nil ? noStack : nil
    }

    /// From CPL 3, an exception takes its stack from the TSS (Intel SDM volume 3, section 8.2.1).
    private var kernelStack: Diagnosis? {
        guard mode.isProtected, vcpu.privilegeLevel == 3 else { return nil }
        let task = special.tr
        guard task.selector & 0xFFFC != 0 else {
            return Diagnosis(
                .noKernelStack,
                "The guest took \(exceptionText) in user mode (CPL 3), without a task register: there is no TSS to "
                    + "take the kernel's stack from.",
                advice: "build a TSS with the stack for CPL 0 and load it with LTR.")
        }
        let width = mode.isLong ? 8 : 4
        let pointer = linear.number(task.base &+ 4, width: width)
        guard pointer.map({ linear.physicalAddress($0 &- UInt64(width)) == nil }) ?? true else { return nil }
        return Diagnosis(
            .noKernelStack,
            "The guest took \(exceptionText) in user mode (CPL 3), and the TSS at \(task.base.hex(8)) gives the kernel "
                + "a stack at \(pointer.map { $0.hex(8) } ?? "no readable address"), where no memory is mapped.",
            advice: "put the end of a mapped stack into the TSS (RSP0, or SS0 and ESP0).")
    }
}
