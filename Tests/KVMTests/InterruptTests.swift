import KVM
import Testing

@Suite struct InterruptTests {
    /// Waits for interrupts.
    private static let waiter: [UInt8] = [
        0xFB,  // sti
        0xF4,  // 1: hlt
        0xEB, 0xFD,  // jmp 1b
    ]
    /// Ends the interrupt at the first PIC and tells the monitor.
    private static let picHandler: [UInt8] = [
        0xB0, 0x20,  // mov al,0x20
        0xE6, 0x20,  // out 0x20,al
        0xE6, 0xF4,  // out 0xf4,al
        0xCF,  // iret
    ]
    /// Tells the monitor, and nobody else.
    private static let handler: [UInt8] = [
        0xE6, 0xF4,  // out 0xf4,al
        0xCF,  // iret
    ]

    /// A waiting guest whose IRQ 5 is vector 0x25, with the first PIC as its BIOS would have set it up.
    private func picGuest(levelTriggered: Bool = false) throws -> TinyGuest {
        let guest = try TinyGuest(
            Self.waiter, handlers: [0x25], handler: Self.picHandler, prepare: { try $0.createInterruptChips() })
        var chip = try guest.machine.interruptChipState(.pic1)
        #expect(chip.chip_id == 0)
        chip.chip.pic.irq_base = 0x20
        chip.chip.pic.imr = 0xDF
        chip.chip.pic.init4 = 1
        chip.chip.pic.elcr = levelTriggered ? 0x20 : 0
        try guest.machine.setInterruptChipState(chip)
        return guest
    }

    @Test func interruptChipState_set_isReadBack() throws {
        let guest = try picGuest(levelTriggered: true)
        let chip = try guest.machine.interruptChipState(.pic1)
        #expect(chip.chip.pic.irq_base == 0x20)
        #expect(chip.chip.pic.imr == 0xDF)
        #expect(chip.chip.pic.elcr == 0x20)
        var ioapic = try guest.machine.interruptChipState(.ioapic)
        #expect(ioapic.chip_id == 2)
        // struct kvm_ioapic_state's redirection entries begin 24 bytes behind the union's place at 8.
        let entry = 8 + 24 + 4 * 8
        withUnsafeMutableBytes(of: &ioapic) { $0.storeBytes(of: 0x1_0077, toByteOffset: entry, as: UInt64.self) }
        try guest.machine.setInterruptChipState(ioapic)
        ioapic = try guest.machine.interruptChipState(.ioapic)
        let bits = withUnsafeBytes(of: ioapic) { $0.load(fromByteOffset: entry, as: UInt64.self) }
        #expect(bits == 0x1_0077)
        let second = try guest.machine.interruptChipState(.pic2).chip_id
        #expect(second == 1)
    }

    @Test func setInterruptLine_edge_isDelivered() throws {
        let guest = try picGuest()
        for _ in 0..<3 {
            try guest.machine.setInterruptLine(gsi: 5, active: true)
            try guest.machine.setInterruptLine(gsi: 5, active: false)
            let exit = try guest.next()
            #expect(exit == .out(0xF4, [0x20]))
        }
    }

    @Test func connectInterrupt_eventfd_isDeliveredUntilDisconnected() throws {
        let guest = try picGuest()
        let event = Event()
        try guest.machine.connectInterrupt(eventDescriptor: event.descriptor, gsi: 5)
        for _ in 0..<3 {
            event.signal()
            let exit = try guest.next()
            #expect(exit == .out(0xF4, [0x20]))
        }
        try guest.machine.disconnectInterrupt(eventDescriptor: event.descriptor, gsi: 5)
        event.signal()
        let unread = event.take()
        #expect(unread == 1)
    }

    @Test func connectInterrupt_resample_tellsTheEndOfTheInterrupt() throws {
        let guest = try picGuest(levelTriggered: true)
        let event = Event()
        let resample = Event()
        guard
            has(
                .irqfdResample, guest.machine,
                otherwise: {
                    try guest.machine.connectInterrupt(
                        eventDescriptor: event.descriptor, gsi: 5, resampleDescriptor: resample.descriptor)
                })
        else { return }
        try guest.machine.connectInterrupt(
            eventDescriptor: event.descriptor, gsi: 5, resampleDescriptor: resample.descriptor)
        event.signal()
        let before = resample.take()
        #expect(before == 0)
        let exit = try guest.next()
        #expect(exit == .out(0xF4, [0x20]))
        let after = resample.take()
        #expect(after == 1)
    }

    @Test func connectInterrupt_eventfdTaken_isRefused() throws {
        let guest = try picGuest()
        let event = Event()
        try guest.machine.connectInterrupt(eventDescriptor: event.descriptor, gsi: 5)
        let error = #expect(throws: KVMError.self) {
            try guest.machine.connectInterrupt(eventDescriptor: event.descriptor, gsi: 6)
        }
        #expect(error?.errno == 16)
        #expect(error?.hint.contains("has a GSI already") == true)
    }

    /// Switches the local APIC on: the spurious-interrupt vector register (Intel SDM volume 3, figure 12-23), bit 8.
    private func enableLocalAPIC(_ guest: TinyGuest) throws {
        var apic = try guest.vcpu.localAPIC()
        withUnsafeMutableBytes(of: &apic) { $0.storeBytes(of: 0x1FF, toByteOffset: 0xF0, as: UInt32.self) }
        try guest.vcpu.setLocalAPIC(apic)
    }

    @Test func localAPIC_set_isReadBack() throws {
        let guest = try picGuest()
        try enableLocalAPIC(guest)
        let apic = try guest.vcpu.localAPIC()
        let register = withUnsafeBytes(of: apic) { $0.load(fromByteOffset: 0xF0, as: UInt32.self) }
        #expect(register == 0x1FF)
    }

    @Test func signalMessage_fixedVector_isDelivered() throws {
        let guest = try TinyGuest(
            Self.waiter, handlers: [0x41], handler: Self.handler, prepare: { try $0.createInterruptChips() })
        let blocked = try guest.machine.signalMessage(address: 0xFEE0_0000, data: 0x41)
        #expect(!blocked)
        try enableLocalAPIC(guest)
        let taken = try guest.machine.signalMessage(address: 0xFEE0_0000, data: 0x41)
        #expect(taken)
        let exit = try guest.next()
        #expect(exit == .out(0xF4, [0]))
    }

    @Test func setInterruptRoutes_message_deliversAnEventfdAsMSI() throws {
        let guest = try TinyGuest(
            Self.waiter, handlers: [0x42], handler: Self.handler, prepare: { try $0.createInterruptChips() })
        try enableLocalAPIC(guest)
        let event = Event()
        try guest.machine.setInterruptRoutes([
            .chip(gsi: 5, chip: .pic1, pin: 5), .message(gsi: 24, address: 0xFEE0_0000, data: 0x42),
        ])
        try guest.machine.connectInterrupt(eventDescriptor: event.descriptor, gsi: 24)
        event.signal()
        let exit = try guest.next()
        #expect(exit == .out(0xF4, [0]))
    }

    @Test func setInterruptRoutes_beyondTheChip_isRefused() throws {
        let guest = try picGuest()
        let error = #expect(throws: KVMError.self) {
            try guest.machine.setInterruptRoutes([.chip(gsi: 5, chip: .ioapic, pin: 99)])
        }
        #expect(error?.operation == "KVM_SET_GSI_ROUTING")
        #expect(error?.errno == 22)
    }

    /// The monitor's own I/O APIC: level-triggered vector 0x41, whose end comes out as an exit.
    @Test func createLocalAPICsOnly_levelInterrupt_tellsItsEnd() throws {
        let guest = try TinyGuest(
            Self.waiter, handlers: [0x41],
            handler: [
                0x67, 0x66, 0xC7, 0x05, 0xB0, 0x00, 0xE0, 0xFE, 0x00, 0x00, 0x00, 0x00,  // mov dword [0xfee000b0],0
                0xE6, 0xF4,  // out 0xf4,al
                0xCF,  // iret
            ], prepare: { try $0.createLocalAPICsOnly(pins: 24) })
        try enableLocalAPIC(guest)
        // Bits 15 and 14: level-triggered, asserted.
        try guest.machine.setInterruptRoutes([.message(gsi: 4, address: 0xFEE0_0000, data: 0xC041)])
        let event = Event()
        try guest.machine.connectInterrupt(eventDescriptor: event.descriptor, gsi: 4)
        event.signal()
        // kvm-pvm emulates on to the OUT before it looks at the end of the interrupt.
        var vectors: [UInt8] = []
        var told = 0
        for _ in 0..<2 {
            switch try guest.vcpu.run() {
            case .ioapicEOI(let vector): vectors.append(vector)
            case .portIO(let access) where access.port == 0xF4: told += 1
            case let exit: Issue.record("\(exit.kernelName)")
            }
        }
        #expect(vectors == [0x41])
        #expect(told == 1)
    }

    @Test func interrupt_withoutChips_waitsForTheWindow() throws {
        let guest = try TinyGuest(
            [
                0xB9, 0x64, 0x00,  // mov cx,100
                0xE2, 0xFE,  // 1: loop 1b
                0xE6, 0x80,  // out 0x80,al
                0xB9, 0x00, 0x00,  // mov cx,0
                0xFB,  // sti
                0xE2, 0xFE,  // 1: loop 1b, 65,536 times
                0xF4,  // hlt
            ], handlers: [0x25], handler: Self.handler)
        let closed = try guest.next()
        #expect(closed == .out(0x80, [0]))
        let before = [guest.vcpu.interruptsEnabled, guest.vcpu.readyForInterrupt]
        #expect(before == [false, false])
        guest.vcpu.requestInterruptWindow(true)
        let window = try guest.vcpu.run()
        guard case .interruptWindow = window else {
            Issue.record("no interrupt window but \(window.kernelName)")
            return
        }
        let after = [guest.vcpu.interruptsEnabled, guest.vcpu.readyForInterrupt]
        #expect(after == [true, true])
        guest.vcpu.requestInterruptWindow(false)
        try guest.vcpu.interrupt(vector: 0x25)
        let exits = try guest.all()
        #expect(exits == [.out(0xF4, [0])])
    }

    @Test func interrupt_secondWithLocalAPICs_isRefused() throws {
        let guest = try TinyGuest([], prepare: { try $0.createLocalAPICsOnly(pins: 24) })
        try guest.vcpu.interrupt(vector: 0x25)
        let error = #expect(throws: KVMError.self) { try guest.vcpu.interrupt(vector: 0x26) }
        #expect(error?.errno == 17)
    }

    @Test func interrupt_withChips_isRefused() throws {
        let guest = try picGuest()
        let error = #expect(throws: KVMError.self) { try guest.vcpu.interrupt(vector: 0x25) }
        #expect(error?.errno == 6)
    }

    @Test func injectNMI_runsVectorTwo() throws {
        let guest = try TinyGuest([0x90, 0xF4], handlers: [2], handler: Self.handler)  // nop; hlt
        try guest.vcpu.injectNMI()
        let exit = try guest.next()
        #expect(exit == .out(0xF4, [0]))
    }

    @Test func interruptChips_missingOrTwice_areTypedErrors() throws {
        let machine = try KVMSystem().makeVirtualMachine()
        let none = #expect(throws: KVMError.self) { try machine.setInterruptLine(gsi: 5, active: true) }
        #expect(none?.hint == "the machine has no interrupt chip in the kernel")
        #expect(throws: KVMError.self) { _ = try machine.interruptChipState(.pic1) }
        #expect(throws: KVMError.self) { try machine.signalMessage(address: 0xFEE0_0000, data: 0x41) }
        let noPIT = #expect(throws: KVMError.self) { _ = try machine.pitState() }
        #expect(noPIT?.hint == "the machine has no PIT in the kernel")
        try machine.createInterruptChips()
        try machine.createPIT(speakerDummy: false)
        let twoPITs = #expect(throws: KVMError.self) { try machine.createPIT(speakerDummy: false) }
        #expect(twoPITs?.errno == 17)
        let twice = #expect(throws: KVMError.self) { try machine.createInterruptChips() }
        #expect(twice?.errno == 17)
    }

    @Test func pitState_set_isReadBack() throws {
        let machine = try KVMSystem().makeVirtualMachine()
        try machine.createInterruptChips()
        try machine.createPIT(speakerDummy: true)
        var state = try machine.pitState()
        #expect(state.flags & 2 != 0 || state.flags == 0)
        state.channels.2.count = 0x1234
        state.channels.2.mode = 3
        state.channels.2.rw_mode = 3
        try machine.setPITState(state)
        let channel = try machine.pitState().channels.2
        #expect(channel.count == 0x1234)
        #expect(channel.mode == 3)
        try machine.setPITReinjection(false)
        let other = try KVMSystem().makeVirtualMachine()
        #expect(throws: KVMError.self) { try other.setPITReinjection(false) }
    }
}
