internal import CKVM
internal import GuestMemory
internal import KVM

/// Deaths at switching paging or long mode on, and where RIP is.
extension Evidence {
    /// The value that the guest writes to CR0: by the instruction at RIP, or by the one just before it.
    private var writtenCR0: (value: UInt64, isDone: Bool)? {
        if case .moveToControlRegister(0, let source) = instruction?.effect {
            return (vcpu.register(source) & 0xFFFF_FFFF, false)
        }
        // After MOV CR0 the page tables may not map the instruction, but the one before it lay at the same
        // physical address where tables are one-to-one: look there.
        if let before = try? memory.readBytes(at: address &- 3, count: 3),
            case .moveToControlRegister(0, let source) = Instruction(before, bits: mode.operandBits)?.effect
        {
            return (vcpu.register(source) & 0xFFFF_FFFF, true)
        }
        return nil
    }

    /// Rules for a guest that has just switched paging on, or tried to.
    var pagingSwitch: Diagnosis? {
        let written = writtenCR0.map { ControlRegister0(rawValue: $0.value) }
        let wantsPaging = written?.contains(.pg) ?? false
        let wantsLong = special.extendedFeatureEnable.contains(.lme)
        if let diagnosis = paging32(wantsPaging: wantsPaging, wantsLong: wantsLong) { return diagnosis }
        if let written, wantsPaging, !isPaging {
            if !written.contains(.pe) {
                return Diagnosis(
                    .pagingWithoutProtection,
                    "The guest sets CR0.PG without CR0.PE at \(place): paging needs protected mode, so that is #GP.",
                    advice: "set CR0.PE first, or both at once.")
            }
            if wantsLong, !special.controlRegister4.contains(.pae) {
                return Diagnosis(
                    .longModeWithoutPAE,
                    "The guest sets CR0.PG with EFER.LME but without CR4.PAE at \(place): long mode needs PAE, so that "
                        + "is #GP.",
                    advice: "set CR4.PAE (bit 5) before CR0.PG.")
            }
            if let diagnosis = prospectiveTables(written, isLong: wantsLong) { return diagnosis }
        }
        if isPaging, instruction?.effect == .writeMSR, vcpu.registers.rcx & 0xFFFF_FFFF == 0xC000_0080,
            (vcpu.registers.rax ^ special.efer) >> 8 & 1 != 0
        {
            return Diagnosis(
                .efersLockedByPaging,
                "The guest changes EFER.LME at \(place) while paging is on, which is #GP.",
                advice: "clear CR0.PG before, as the manual's order for entering and leaving long mode says.")
        }
        return isPaging ? tables : nil
    }

    private func paging32(wantsPaging: Bool, wantsLong: Bool) -> Diagnosis? {
        guard host == .pvm, !wantsLong else { return nil }
        var switchedOn = special
        switchedOn.controlRegister0.insert([.pe, .pg])
        let leadsHere = PageWalk(linearAddress: address, special: switchedOn, memory: memory).physicalAddress
        let wasSetByMonitor =
            special.controlRegister0.contains(.pe) && special.cr3 != 0
            && !special.controlRegister4.isDisjoint(with: [.pse, .pae])
            && leadsHere.map { memory.contains($0, count: 1) } ?? false
        guard wantsPaging || isPaging || wasSetByMonitor else { return nil }
        return Diagnosis(
            .paging32Unsupported,
            "The guest switches on 32-bit paging, and this host's KVM (kvm_pvm) cannot do 32-bit paging.",
            advice: "run it on a complete KVM: `scripts/box -- minikvm …`; `minikvm doctor` tells what works here.")
    }

    /// What the page tables would do if the write to CR0 at RIP succeeded.
    private func prospectiveTables(_ written: ControlRegister0, isLong: Bool) -> Diagnosis? {
        var vcpu = vcpu
        vcpu.special.controlRegister0 = written
        if isLong { vcpu.special.extendedFeatureEnable.insert(.lma) }
        var later = Evidence(
            reason: reason, vcpu: vcpu, memory: memory, host: host, exits: exits)
        later.switchesPagingOn = true
        return later.tables
    }

    /// Paging is on and RIP cannot be fetched.
    var tables: Diagnosis? {
        let walk = walk(address)
        let since = writtenCR0 != nil || switchesPagingOn ? ", right where it switches paging on" : ""
        switch walk.outcome {
        case .mapped: return permissions(walk)
        case .notCanonical: return nil
        case .tableOutsideMemory where walk.entries.count == 1:
            return Diagnosis(
                .pageTablesOutsideMemory,
                "CR3 is \(special.cr3.hex(8)), where the guest has no memory: there are no page tables, and \(place) "
                    + "cannot be fetched\(since).",
                advice: "load CR3 with the guest-physical address of the highest table.")
        case .tableOutsideMemory:
            let entry = walk.entries[walk.entries.count - 2]
            return Diagnosis(
                .pageTablesOutsideMemory,
                "The \(entry.name) at \(entry.address.hex(8)) on the way to RIP's \(place) leads to a table at "
                    + "\(walk.entries[walk.entries.count - 1].address.hex(8)), where the guest has no memory.",
                advice: "page-table entries hold guest-physical addresses, without the kernel's virtual base.")
        case .reservedBits(let bits):
            return reservedBits(bits, walk)
        case .notPresent:
            return longModeForgotten ?? notPresent(walk, since)
        }
    }

    private func reservedBits(_ bits: UInt64, _ walk: PageWalk) -> Diagnosis? {
        if let forgotten = longModeForgotten { return forgotten }
        guard let entry = walk.entries.last else { return nil }
        let names = (0..<64).filter { bits >> UInt64($0) & 1 != 0 }.map(String.init).joined(separator: ", ")
        let isNoExecute = bits == 1 << 63
        return Diagnosis(
            .reservedBits,
            isNoExecute
                ? "The \(entry.name) at \(entry.address.hex(8)) on the way to RIP's \(place) has NX (bit 63) set while "
                    + "EFER.NXE is clear, which makes it a reserved bit: #PF on every access."
                : "The \(entry.name) at \(entry.address.hex(8)) on the way to RIP's \(place) has reserved bits set (bit "
                    + "\(names)): #PF on every access.",
            advice: isNoExecute ? "set EFER.NXE (bit 11) before using NX." : nil)
    }

    private func notPresent(_ walk: PageWalk, _ since: String) -> Diagnosis? {
        guard let entry = walk.entries.last else { return nil }
        return Diagnosis(
            .codeNotMapped,
            "The page tables do not map \(place), where the guest executes\(since): the \(entry.name) at "
                + "\(entry.address.hex(8)) is not present.",
            advice: since.isEmpty
                ? nil : "map the code that switches paging on one-to-one, and jump from there to where it shall run.")
    }

    /// The tables at CR3 are those of long mode, but EFER.LME was clear when paging was switched on.
    private var longModeForgotten: Diagnosis? {
        guard
            !special.extendedFeatureEnable.contains(.lma),
            let physical = walk(address, mode: .level4).physicalAddress, memory.contains(physical, count: 1)
        else { return nil }
        let missing = special.controlRegister4.contains(.pae) ? "EFER.LME" : "CR4.PAE and EFER.LME"
        return Diagnosis(
            .longModeNotEnabled,
            "The tables at CR3 have four levels and map \(place), but the CPU walks them by the rules of "
                + "\(PagingMode(special).rawValue): \(missing) was not set when paging was switched on.",
            advice: "set CR4.PAE and EFER.LME (MSR 0xC0000080, bit 8) before CR0.PG.")
    }

    private func permissions(_ walk: PageWalk) -> Diagnosis? {
        if special.extendedFeatureEnable.contains(.nxe), !walk.isExecutable {
            return Diagnosis(
                .codeNotExecutable,
                "The guest executes at \(place), in a page that its tables mark NX (not executable): #PF.")
        }
        if vcpu.privilegeLevel == 3, !walk.isUser {
            return Diagnosis(
                .supervisorPage,
                "The guest executes at \(place) with CPL 3, in a page that only the supervisor may use: #PF.",
                advice: "set U (bit 2) in the entries of every level on the way to user pages.")
        }
        if vcpu.privilegeLevel < 3, walk.isUser, special.controlRegister4.contains(.smep) {
            return Diagnosis(
                .codeNotExecutable,
                "The guest executes at \(place) with CPL \(vcpu.privilegeLevel), in a user page, which CR4.SMEP "
                    + "forbids: #PF.")
        }
        return nil
    }

    /// RIP is where no code can be.
    var codePlace: Diagnosis? {
        if isPaging, let diagnosis = tables { return diagnosis }
        let walk = walk(address)
        if walk.outcome == .notCanonical {
            return Diagnosis(
                .codeNotCanonical,
                "The guest jumped to \(place), which is no canonical address: a broken pointer or return address.")
        }
        if mode != .long, vcpu.registers.rip > UInt64(special.cs.limit) {
            return Diagnosis(
                .codeBeyondLimit,
                "RIP \(vcpu.registers.rip.hex(8)) lies beyond the code segment's limit \(special.cs.limit.hex(8)): #GP.",
                advice: mode == .real ? "in real mode code ends at offset 0xFFFF of its segment." : nil)
        }
        if let physical = walk.physicalAddress, !memory.contains(physical, count: 1) {
            let virtual = isPaging ? " (guest-physical \(physical.hex(8)))" : ""
            return Diagnosis(
                .codeOutsideMemory,
                "The guest jumped to \(place)\(virtual), where it has no memory.",
                advice: "a wrong function pointer, return address or load address; compare with the memory's size.")
        }
        return nil
    }
}
