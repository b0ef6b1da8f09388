public import CKVM
internal import Glibc

/// One of the interrupt chips of KVM_CREATE_IRQCHIP, as KVM_GET_IRQCHIP numbers them.
public enum InterruptChip: UInt32, Sendable, CaseIterable {
    /// The first 8259A, IRQ 0 to 7.
    case pic1 = 0
    /// The second 8259A, IRQ 8 to 15.
    case pic2 = 1
    /// The I/O APIC, 24 pins.
    case ioapic = 2
}

/// Where a global system interrupt goes (KVM_SET_GSI_ROUTING).
public enum InterruptRoute: Equatable, Sendable {
    /// To a pin of a chip.
    case chip(gsi: UInt32, chip: InterruptChip, pin: UInt32)
    /// To a message-signalled interrupt: address and data as in Intel SDM volume 3, "Message Signalled Interrupts".
    case message(gsi: UInt32, address: UInt64, data: UInt32)
}

/// What an ioeventfd waits for.
public enum EventAddress: Equatable, Sendable {
    /// A write of `width` bytes (0: any width) to an I/O port.
    case port(UInt16, width: UInt32)
    /// A write of `width` bytes (0: any width) to guest-physical memory that no slot backs.
    case memory(UInt64, width: UInt32)
}

extension VirtualMachine {
    /// KVM_CREATE_IRQCHIP (section 4.24): two 8259A PICs, an I/O APIC and a local APIC in each vCPU, all in the kernel;
    /// before any vCPU. GSI 0 to 15 go to both the PICs and the I/O APIC, 16 to 23 to the I/O APIC.
    public borrowing func createInterruptChips() throws(KVMError) {
        try descriptor.call(.createIRQChip, hint: "they are there already, or a vCPU is")
    }

    /// KVM_CAP_SPLIT_IRQCHIP (section 7.5): local APICs in the kernel, the other chips in the monitor; before any
    /// vCPU.
    /// - Parameter pins: how many GSI routes are kept for the monitor's I/O APIC.
    public borrowing func createLocalAPICsOnly(pins: UInt64) throws(KVMError) {
        try enable(.splitIRQChip, pins)
    }

    /// KVM_CREATE_PIT2 (section 4.71): an 8254 in the kernel, at ports 0x40 to 0x43; after ``createInterruptChips()``.
    /// - Parameter speakerDummy: also a port 0x61 that only knows channel 2's gate and output.
    public borrowing func createPIT(speakerDummy: Bool) throws(KVMError) {
        var configuration = kvm_pit_config()
        configuration.flags = speakerDummy ? UInt32(KVM_PIT_SPEAKER_DUMMY) : 0
        try descriptor.set(.createPIT2, configuration, hint: "it is there already, or the interrupt chips are not")
    }

    /// KVM_GET_PIT2 (section 4.72): the state of the three channels.
    public borrowing func pitState() throws(KVMError) -> PITState {
        try descriptor.get(.getPIT2, kvm_pit_state2(), hint: Self.noPIT)
    }

    /// KVM_SET_PIT2 (section 4.73).
    public borrowing func setPITState(_ state: PITState) throws(KVMError) {
        try descriptor.set(.setPIT2, state, hint: Self.noPIT)
    }

    /// KVM_REINJECT_CONTROL (section 4.99): whether the PIT repeats the ticks that the guest had no time for, which it
    /// does at first.
    public borrowing func setPITReinjection(_ wanted: Bool) throws(KVMError) {
        var control = kvm_reinject_control()
        control.pit_reinject = wanted ? 1 : 0
        try descriptor.set(.reinjectControl, control, hint: Self.noPIT)
    }

    private static var noPIT: String { "the machine has no PIT in the kernel" }
    private static var noChips: String { "the machine has no interrupt chip in the kernel" }

    /// KVM_IRQ_LINE (section 4.25): sets the level of a global system interrupt.
    public borrowing func setInterruptLine(gsi: UInt32, active: Bool) throws(KVMError) {
        var level = kvm_irq_level()
        level.irq = gsi
        level.level = active ? 1 : 0
        try descriptor.set(.irqLine, level, hint: Self.noChips)
    }

    /// KVM_GET_IRQCHIP (section 4.26): a chip's registers, as the kernel's 512-byte union.
    public borrowing func interruptChipState(_ chip: InterruptChip) throws(KVMError) -> InterruptChipState {
        var state = kvm_irqchip()
        state.chip_id = chip.rawValue
        return try descriptor.get(.getIRQChip, state, hint: Self.noChips)
    }

    /// KVM_SET_IRQCHIP (section 4.27).
    public borrowing func setInterruptChipState(_ state: InterruptChipState) throws(KVMError) {
        try descriptor.set(.setIRQChip, state, hint: Self.noChips)
    }

    /// KVM_SET_GSI_ROUTING (section 4.52): replaces the whole table. `check(.irqRouting)` answers the most routes.
    public borrowing func setInterruptRoutes(_ routes: [InterruptRoute]) throws(KVMError) {
        let bytes = MemoryLayout<kvm_irq_routing>.size + routes.count * MemoryLayout<kvm_irq_routing_entry>.size
        let pointer = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 8)
        defer { pointer.deallocate() }
        pointer.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        let table = pointer.bindMemory(to: kvm_irq_routing.self, capacity: 1)
        table.pointee.nr = UInt32(routes.count)
        for (slot, route) in routes.enumerated() {
            ckvm_routing_entries(table)[slot] =
                switch route {
                case .chip(let gsi, let chip, let pin): ckvm_route_to_chip(gsi, chip.rawValue, pin)
                case .message(let gsi, let address, let data): ckvm_route_to_msi(gsi, address, data)
                }
        }
        try descriptor.call(
            .setGSIRouting, at: pointer,
            hint: "no interrupt chip, a GSI or pin that is not there, or one GSI to a message and elsewhere")
    }

    /// KVM_SIGNAL_MSI (section 4.71): delivers a message-signalled interrupt now.
    /// - Returns: whether a CPU took it (false: it was masked or blocked).
    @discardableResult
    public borrowing func signalMessage(address: UInt64, data: UInt32) throws(KVMError) -> Bool {
        var message = kvm_msi()
        message.address_lo = UInt32(truncatingIfNeeded: address)
        message.address_hi = UInt32(truncatingIfNeeded: address >> 32)
        message.data = data
        return try descriptor.call(.signalMSI, with: &message, hint: Self.noChips) > 0
    }

    /// KVM_IRQFD (section 4.75): a write to the eventfd pulses the interrupt, without the monitor's thread.
    /// - Parameters:
    ///   - eventDescriptor: an eventfd that stays open while it is connected.
    ///   - gsi: the global system interrupt.
    ///   - resampleDescriptor: for level-triggered interrupts (KVM_CAP_IRQFD_RESAMPLE): the line stays active until
    ///     the guest's EOI, and the kernel then writes this eventfd.
    public borrowing func connectInterrupt(
        eventDescriptor: Int32, gsi: UInt32, resampleDescriptor: Int32? = nil
    ) throws(KVMError) {
        var request = kvm_irqfd()
        request.fd = UInt32(bitPattern: eventDescriptor)
        request.gsi = gsi
        if let resampleDescriptor {
            request.flags = UInt32(KVM_IRQFD_FLAG_RESAMPLE)
            request.resamplefd = UInt32(bitPattern: resampleDescriptor)
        }
        try descriptor.set(
            .irqFD, request, hint: "not an eventfd, one that has a GSI already, or no interrupt chip for GSI \(gsi)")
    }

    /// KVM_IRQFD with KVM_IRQFD_FLAG_DEASSIGN (section 4.75). One that is not connected is no error.
    public borrowing func disconnectInterrupt(eventDescriptor: Int32, gsi: UInt32) throws(KVMError) {
        var request = kvm_irqfd()
        request.fd = UInt32(bitPattern: eventDescriptor)
        request.gsi = gsi
        request.flags = UInt32(KVM_IRQFD_FLAG_DEASSIGN)
        try descriptor.set(.irqFD, request)
    }

    /// KVM_IOEVENTFD (section 4.59): a guest's write to the address wakes the eventfd instead of leaving KVM_RUN.
    /// - Parameters:
    ///   - eventDescriptor: an eventfd.
    ///   - address: where the guest writes.
    ///   - match: only writes of this value; nil for any. Not with width 0.
    public borrowing func connectEvent(
        eventDescriptor: Int32, to address: EventAddress, match: UInt64? = nil
    ) throws(KVMError) {
        try descriptor.set(
            .ioEventFD, event(eventDescriptor, address, match, deassign: false),
            hint: "taken already (EEXIST), or not an eventfd, or a width other than 1, 2, 4, 8 or, without a match, 0")
    }

    /// KVM_IOEVENTFD with KVM_IOEVENTFD_FLAG_DEASSIGN (section 4.59), all arguments as connected.
    public borrowing func disconnectEvent(
        eventDescriptor: Int32, from address: EventAddress, match: UInt64? = nil
    ) throws(KVMError) {
        try descriptor.set(
            .ioEventFD, event(eventDescriptor, address, match, deassign: true), hint: "it is not connected like this")
    }

    private borrowing func event(
        _ eventDescriptor: Int32, _ address: EventAddress, _ match: UInt64?, deassign: Bool
    ) -> kvm_ioeventfd {
        var request = kvm_ioeventfd()
        request.fd = eventDescriptor
        switch address {
        case .port(let port, let width):
            request.addr = UInt64(port)
            request.len = width
            request.flags |= 1 << UInt32(kvm_ioeventfd_flag_nr_pio)
        case .memory(let address, let width):
            request.addr = address
            request.len = width
        }
        if let match {
            request.datamatch = match
            request.flags |= 1 << UInt32(kvm_ioeventfd_flag_nr_datamatch)
        }
        if deassign { request.flags |= 1 << UInt32(kvm_ioeventfd_flag_nr_deassign) }
        return request
    }
}
