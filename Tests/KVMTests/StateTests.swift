import KVM
import Testing

@Suite struct StateTests {
    @Test func registers_set_areReadBack() throws {
        let guest = try TinyGuest([])
        var registers = try guest.vcpu.registers()
        registers.rax = 0x0123_4567_89AB_CDEF
        registers.r15 = .max
        registers.rflags = 0x246
        try guest.vcpu.setRegisters(registers)
        let read = try guest.vcpu.registers()
        #expect(read.rax == 0x0123_4567_89AB_CDEF)
        #expect(read.r15 == .max)
        #expect(read.rflags == 0x246)
        #expect(read.rip == 0x1000)
    }

    @Test func specialRegisters_set_areReadBack() throws {
        let guest = try TinyGuest([])
        var special = try guest.vcpu.specialRegisters()
        special.gs.base = 0xF_0000
        special.gs.selector = 0xF000
        special.gdt.base = 0x7000
        special.gdt.limit = 0x27
        special.cr3 = 0x5000
        special.controlRegister0.insert(.ts)
        try guest.vcpu.setSpecialRegisters(special)
        let read = try guest.vcpu.specialRegisters()
        #expect(read.gs.base == 0xF_0000)
        #expect(read.gs.selector == 0xF000)
        #expect(read.gdt.base == 0x7000)
        #expect(read.gdt.limit == 0x27)
        #expect(read.cr3 == 0x5000)
        #expect(read.controlRegister0.contains(.ts))
    }

    @Test func setSpecialRegisters_longModeWithoutPAE_isRefused() throws {
        let guest = try TinyGuest([])
        var special = guest.longMode(try guest.vcpu.specialRegisters())
        special.controlRegister4.remove(.pae)
        let error = #expect(throws: KVMError.self) { try guest.vcpu.setSpecialRegisters(special) }
        #expect(error?.errno == 22)
        #expect(error?.hint.contains("not valid here") == true)
    }

    @Test func specialRegisters2_set_areReadBack() throws {
        let guest = try TinyGuest([])
        guard has(.sregs2, guest.machine, otherwise: { _ = try guest.vcpu.specialRegisters2() }) else { return }
        var special = try guest.vcpu.specialRegisters2()
        special.fs.base = 0x1_0000
        special.cr2 = 0xDEAD_B000
        try guest.vcpu.setSpecialRegisters2(special)
        let read = try guest.vcpu.specialRegisters2()
        #expect(read.fs.base == 0x1_0000)
        #expect(read.cr2 == 0xDEAD_B000)
        #expect(read.flags == 0)
    }

    @Test func fpuAndXSAVE_showTheSameRegisters() throws {
        let guest = try TinyGuest([])
        var fpu = try guest.vcpu.fpu()
        fpu.fcw = 0x27F
        fpu.mxcsr = 0x1F80
        fpu.xmm.3.5 = 0x5A
        try guest.vcpu.setFPU(fpu)
        let readBack = try guest.vcpu.fpu()
        #expect(readBack.fcw == 0x27F)
        #expect(readBack.xmm.3.5 == 0x5A)
        guard has(.xsave, guest.machine, otherwise: { _ = try guest.vcpu.xsave() }) else { return }
        // Legacy region: FCW at 0, XMM3 at 160 + 3 × 16 (Intel SDM volume 1, table 13-1).
        var area = try guest.vcpu.xsave()
        #expect(area.count >= max(4096, guest.machine.check(.xsave2)))
        #expect(area[0] == 0x7F)
        area[160 + 48 + 5] = 0xA5
        // XSTATE_BV bits 0 and 1: x87 and SSE are not in their initial state.
        area[512] |= 3
        try guest.vcpu.setXSAVE(area)
        let after = try guest.vcpu.fpu()
        #expect(after.xmm.3.5 == 0xA5)
        let areaAfter = try guest.vcpu.xsave()
        #expect(areaAfter[160 + 48 + 5] == 0xA5)
        let larger = try guest.vcpu.xsave(size: 20_000)
        #expect(larger.count == 20_000)
    }

    @Test func setXSAVE_tooShort_isRefusedBeforeTheKernelReadsOn() throws {
        let guest = try TinyGuest([])
        let error = #expect(throws: KVMError.self) { try guest.vcpu.setXSAVE([UInt8](repeating: 0, count: 4095)) }
        #expect(error?.hint.hasPrefix("the area has 4095 bytes") == true)
    }

    @Test func extendedControlRegisters_offeredByCPUID_areReadBack() throws {
        let guest = try TinyGuest([])
        guard has(.xcrs, guest.machine, otherwise: { _ = try guest.vcpu.extendedControlRegisters() }) else { return }
        var registers = try guest.vcpu.extendedControlRegisters()
        #expect(registers.nr_xcrs == 1)
        #expect(registers.xcrs.0.value == 1)
        // XCR0 must have bit 0, x87.
        registers.xcrs.0.value = 2
        let error = #expect(throws: KVMError.self) { try guest.vcpu.setExtendedControlRegisters(registers) }
        #expect(error?.operation == "KVM_SET_XCRS")
        try guest.vcpu.setCPUID(try KVMSystem().supportedCPUID())
        registers.xcrs.0.value = 1
        try guest.vcpu.setExtendedControlRegisters(registers)
        let read = try guest.vcpu.extendedControlRegisters().xcrs.0.value
        #expect(read == 1)
    }

    @Test func cpuid_set_isReadBackAndSeenByTheGuest() throws {
        let guest = try TinyGuest([
            0x66, 0xB8, 0x00, 0x00, 0x00, 0x40,  // mov eax,0x40000000
            0x0F, 0xA2,  // cpuid
            0xF4,  // hlt
        ])
        var entries = try KVMSystem().supportedCPUID().filter { $0.function >> 16 != 0x4000 }
        entries.append(CPUIDEntry(function: 0x4000_0000, eax: 0x4000_0001, ebx: 0x1111, ecx: 0x2222, edx: 0x3333))
        entries.append(CPUIDEntry(function: 0x4000_0001))
        try guest.vcpu.setCPUID(entries)
        let read = try guest.vcpu.cpuid()
        #expect(read.count == entries.count)
        #expect(
            read.contains(CPUIDEntry(function: 0x4000_0000, eax: 0x4000_0001, ebx: 0x1111, ecx: 0x2222, edx: 0x3333)))
        let exit = try guest.next()
        #expect(exit == .halt)
        let registers = try guest.vcpu.registers()
        #expect([registers.rax, registers.rbx, registers.rcx, registers.rdx] == [0x4000_0001, 0x1111, 0x2222, 0x3333])
    }

    @Test func setCPUID_moreThanTheKernelTakes_isATypedError() throws {
        let guest = try TinyGuest([])
        let error = #expect(throws: KVMError.self) {
            try guest.vcpu.setCPUID((0..<300).map { CPUIDEntry(function: $0) })
        }
        #expect(error?.operation == "KVM_SET_CPUID2")
        #expect(error?.errno == 7)
    }

    @Test func multiprocessingState_applicationProcessor_startsUninitialized() throws {
        let guest = try TinyGuest([0xF4], prepare: { try $0.createInterruptChips() })
        let second = try guest.machine.makeVCPU(identifier: 1)
        let states = [try guest.vcpu.multiprocessingState(), try second.multiprocessingState()]
        #expect(states == [.runnable, .uninitialized])
        for state: MultiprocessingState in [.initReceived, .halted, .runnable] {
            try second.setMultiprocessingState(state)
            let read = try second.multiprocessingState()
            #expect(read == state)
        }
    }

    @Test func setMultiprocessingState_withoutChips_isRefused() throws {
        let guest = try TinyGuest([])
        let error = #expect(throws: KVMError.self) { try guest.vcpu.setMultiprocessingState(.halted) }
        #expect(error?.hint == "without a local APIC in the kernel a vCPU can only be runnable")
    }

    @Test func setBootCPU_other_makesItTheOneThatRuns() throws {
        let machine = try KVMSystem().makeVirtualMachine()
        try machine.createInterruptChips()
        try machine.setBootCPU(identifier: 1)
        let first = try machine.makeVCPU(identifier: 0)
        let second = try machine.makeVCPU(identifier: 1)
        let states = [try first.multiprocessingState(), try second.multiprocessingState()]
        #expect(states == [.uninitialized, .runnable])
        let error = #expect(throws: KVMError.self) { try machine.setBootCPU(identifier: 0) }
        #expect(error?.hint == "it must be set before the first vCPU is made")
    }

    @Test func makeVCPU_numberTakenOrTooHigh_saysSo() throws {
        let machine = try KVMSystem().makeVirtualMachine()
        let first = try machine.makeVCPU(identifier: 3)
        let number = first.identifier
        #expect(number == 3)
        for identifier: UInt32 in [3, .max] {
            let error = #expect(throws: KVMError.self) { _ = try machine.makeVCPU(identifier: identifier) }
            #expect(error?.hint.hasPrefix("vCPU number \(identifier) is taken, or not below") == true)
        }
    }

    @Test func events_nmiMaskAndShadow_areReadBack() throws {
        let guest = try TinyGuest([])
        var events = try guest.vcpu.events()
        events.nmi.masked = 1
        events.sipi_vector = 0x12
        events.flags = UInt32(KVM_VCPUEVENT_VALID_SIPI_VECTOR | KVM_VCPUEVENT_VALID_NMI_PENDING)
        try guest.vcpu.setEvents(events)
        let read = try guest.vcpu.events()
        #expect(read.nmi.masked == 1)
    }

    @Test func events_pendingTripleFault_shutsDown() throws {
        let guest = try TinyGuest(
            [0xF4],
            prepare: { machine in
                if machine.check(.tripleFaultEvent) > 0 { try machine.enable(.tripleFaultEvent, 1) }
            })
        guard has(.tripleFaultEvent, guest.machine, otherwise: { try guest.machine.enable(.tripleFaultEvent, 1) })
        else { return }
        var events = try guest.vcpu.events()
        #expect(events.flags & UInt32(KVM_VCPUEVENT_VALID_TRIPLE_FAULT) != 0)
        #expect(events.triple_fault.pending == 0)
        events.triple_fault.pending = 1
        try guest.vcpu.setEvents(events)
        let pending = try guest.vcpu.events().triple_fault.pending
        #expect(pending == 1)
        let exit = try guest.next()
        #expect(exit == .other("KVM_EXIT_SHUTDOWN"))
    }

    @Test func debugRegisters_set_areReadBack() throws {
        let guest = try TinyGuest([])
        guard has(.debugRegisters, guest.machine, otherwise: { _ = try guest.vcpu.debugRegisters() }) else { return }
        var registers = try guest.vcpu.debugRegisters()
        registers.db.1 = 0x1234
        registers.dr7 = 0x404
        try guest.vcpu.setDebugRegisters(registers)
        let read = try guest.vcpu.debugRegisters()
        #expect(read.db.1 == 0x1234)
        #expect(read.dr7 == 0x404)
    }

    @Test func taskPriority_withoutChips_reachesTheGuest() throws {
        let guest = try TinyGuest([0xF4])
        guest.vcpu.taskPriority = 5
        let exit = try guest.next()
        #expect(exit == .halt)
        let priorities = [guest.vcpu.taskPriority, try guest.vcpu.specialRegisters().cr8]
        #expect(priorities == [5, 5])
        let inSystemManagementMode = guest.vcpu.inSystemManagementMode
        #expect(!inSystemManagementMode)
    }

    @Test func sharedRegisters_areThoseOfEachExitAndAreTakenBack() throws {
        let guest = try TinyGuest([
            0xB8, 0x34, 0x12,  // mov ax,0x1234
            0xE6, 0x80,  // out 0x80,al
            0xE7, 0x81,  // out 0x81,ax
            0xF4,  // hlt
        ])
        let known = SharedRegisterSets(rawValue: UInt64(guest.machine.check(.syncRegisters)))
        #expect(known == [.general, .special, .events])
        let exitWithout = try guest.next()
        #expect(exitWithout == .out(0x80, [0x34]))
        let untouched = guest.vcpu.sharedInstructionPointer
        #expect(untouched == 0)

        try guest.start(at: 0x1000)
        guest.vcpu.sharedRegisterSets = known
        let exit = try guest.next()
        #expect(exit == .out(0x80, [0x34]))
        var registers = guest.vcpu.sharedGeneralRegisters
        let asked = try guest.vcpu.registers()
        #expect(registers.rax == 0x1234)
        #expect(registers.rip == asked.rip)
        let instructionPointer = guest.vcpu.sharedInstructionPointer
        #expect(instructionPointer == asked.rip)
        var special = guest.vcpu.sharedSpecialRegisters
        #expect(special.cs.limit == 0xFFFF_FFFF)
        var events = guest.vcpu.sharedEvents
        #expect(events.nmi.masked == 0)

        registers.rax = 0xABCD
        guest.vcpu.sharedGeneralRegisters = registers
        special.fs.base = 0x4_0000
        guest.vcpu.sharedSpecialRegisters = special
        events.nmi.masked = 1
        guest.vcpu.sharedEvents = events
        let next = try guest.next()
        #expect(next == .out(0x81, [0xABCD]))
        let base = try guest.vcpu.specialRegisters().fs.base
        #expect(base == 0x4_0000)
        let masked = try guest.vcpu.events().nmi.masked
        #expect(masked == 1)
    }

    @Test func sharedRegisterSets_unknown_areRefusedByRun() throws {
        let guest = try TinyGuest([0xF4])
        guest.vcpu.sharedRegisterSets = SharedRegisterSets(rawValue: 1 << 40)
        let error = #expect(throws: KVMError.self) { _ = try guest.vcpu.run() }
        #expect(error?.operation == "KVM_RUN")
        #expect(error?.errno == 22)
    }
}
