internal import CKVM
internal import KVM

/// Deaths that KVM, the hardware or the guest itself reported.
extension Evidence {
    /// KVM_EXIT_INTERNAL_ERROR: KVM gave up.
    func internalError(_ error: InternalError) -> Diagnosis {
        switch error.suberror {
        case 1:
            // AMD's KVM emulates the instruction again whose exception met a stack outside memory.
            return codePlace ?? codeContent ?? stackWithoutMemory ?? cannotEmulate(error.instructionBytes)
        case 2:
            return exception
                ?? Diagnosis(
                    .deliveryFailed, "Two exceptions came at \(place) at the same time, and KVM could not merge them.")
        case 3:
            // With Intel the first word is the vectoring information, whose low byte is the vector.
            let event = error.data.first.map { ExceptionName.of(UInt8(truncatingIfNeeded: $0)) } ?? "an event"
            return exception
                ?? Diagnosis(
                    .deliveryFailed,
                    "Delivering \(event) at \(place) touched memory that is not there: the IDT, the GDT, the "
                        + "TSS or the stack lies outside the guest's memory.")
        default:
            return Diagnosis(.unknown, "KVM gave up at \(place) (KVM_EXIT_INTERNAL_ERROR, suberror \(error.suberror)).")
        }
    }

    private func cannotEmulate(_ bytes: [UInt8]) -> Diagnosis {
        let bytes = bytes.isEmpty ? code : bytes
        let known = Instruction(bytes, bits: mode.operandBits)
        let name = known.map { " (\($0.name))" } ?? ""
        let text = bytes.prefix(15).map { $0.digits(2) }.joined(separator: " ")
        var advice: String?
        if host == .pvm {
            advice =
                switch known?.effect {
                case .compareExchange16:
                    "kvm_pvm emulates the kernel's code and does not know it: hide CX16 from CPUID (leaf 1, ECX bit 13), "
                        + "or use a complete KVM; see `minikvm doctor`."
                case .extendedState:
                    "kvm_pvm emulates the kernel's code and does not know it: hide XSAVE from CPUID (leaf 1, ECX bit 26), "
                        + "or use a complete KVM; see `minikvm doctor`."
                default:
                    "kvm_pvm emulates the kernel's code instruction by instruction; `minikvm doctor` tells what works "
                        + "here, and `scripts/box` has a complete KVM."
                }
        } else if mode == .real {
            advice = "a host without unrestricted-guest support emulates real mode; `minikvm doctor` tells."
        }
        return Diagnosis(
            .cannotEmulate,
            text.isEmpty
                ? "KVM could not emulate the instruction at \(place)."
                : "KVM could not emulate the instruction at \(place): \(text)\(name).",
            advice: advice)
    }

    /// KVM_EXIT_FAIL_ENTRY: what in the state breaks the rules (Intel SDM volume 3, section 27.3.1; AMD APM volume 2,
    /// section 15.5.1).
    func failedEntry(_ hardwareReason: UInt64) -> Diagnosis {
        let cr0 = special.controlRegister0
        let efer = special.extendedFeatureEnable
        var broken: [String] = []
        if vcpu.registers.rflags & 2 == 0 { broken.append("RFLAGS bit 1 is clear, but must be 1") }
        if cr0.contains(.pg), !cr0.contains(.pe) { broken.append("CR0.PG is set without CR0.PE") }
        if cr0.contains(.nw), !cr0.contains(.cd) { broken.append("CR0.NW is set without CR0.CD") }
        if efer.contains([.lme, .lma]), !special.controlRegister4.contains(.pae) {
            broken.append("long mode is on without CR4.PAE")
        }
        if efer.contains(.lma), !cr0.contains(.pg) { broken.append("EFER.LMA is set without CR0.PG") }
        if efer.contains(.lme), cr0.contains(.pg), !efer.contains(.lma) {
            broken.append("EFER.LME and CR0.PG are set without EFER.LMA")
        }
        if efer.contains(.lma), special.cs.l != 0, special.cs.db != 0 { broken.append("CS has both L and D set") }
        if cr0.contains(.pe), vcpu.registers.rflags & FlagsRegister.vm.rawValue == 0 {
            if special.cs.type & 8 == 0 || special.cs.s == 0 { broken.append("CS is not a code segment") }
            if special.cs.present == 0 { broken.append("CS is not present") }
        }
        if special.tr.type != 11, special.tr.type != 3 { broken.append("TR is not a busy TSS") }
        guard !broken.isEmpty else {
            return Diagnosis(
                .invalidEntryState,
                "The hardware refused to enter the guest (reason \(hardwareReason.hex())): its state breaks a rule that "
                    + "this report does not know.",
                advice: "the host's kernel log may say more (dmesg).")
        }
        return Diagnosis(
            .invalidEntryState,
            "The hardware refused to enter the guest, whose state is not valid: \(broken.joined(separator: "; ")).")
    }

    /// The guest's kernel said that it gave up.
    func guestPanic(_ line: String) -> Diagnosis {
        let start = line.firstRange(of: "Kernel panic")?.lowerBound ?? line.startIndex
        let advice: String? =
            if line.contains("Unable to mount root fs") {
                "give it an initrd (--initrd FILE), or a disk and root=… on its command line."
            } else if line.contains("No working init found") || line.contains("Requested init") {
                "the root file system has no init that runs: check /init, its mode and its architecture."
            } else if line.contains("Attempted to kill init") {
                "its first process ended; the lines above it say why."
            } else {
                nil
            }
        return Diagnosis(
            .guestPanic, "The guest's kernel gave up: \(PlainText.clean(String(line[start...]))).", advice: advice)
    }
}

/// Text of a guest's, made fit for a terminal: whatever could move the cursor is replaced.
enum PlainText {
    static func clean(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 32 || 127...159 ~= $0.value ? "." : $0 }))
    }
}
