internal import Devices
internal import Firmware
internal import GuestMemory
internal import KVM
internal import Synchronization

/// What KVM holds for a machine: the virtual machine, its memory slots and interrupt chips.
final class KernelObjects: Sendable {
    let virtualMachine: VirtualMachine
    /// What the host can give a guest's CPUID.
    let supportedCPUID: [CPUIDEntry]
    /// Whether KVM's local APICs have a TSC-deadline timer.
    let hasTSCDeadlineTimer: Bool
    /// Whether KVM copies the registers to where they can be read without an ioctl.
    let sharesRegisters: Bool
    /// Whether KVM can keep writes to a port in a ring.
    let gathersPortWrites: Bool
    /// Whether there are interrupt chips in the kernel.
    let hasInterruptChips: Bool
    private let cutInterrupts: Set<UInt32>

    /// - Parameter cutInterrupts: pins of the interrupt chips that lead nowhere.
    init(_ configuration: MachineConfiguration, cutInterrupts: Set<UInt32> = []) throws(KVMError) {
        self.cutInterrupts = cutInterrupts
        let system = try KVMSystem(path: configuration.kvmPath)
        let limit = max(system.check(.maximumVCPUs), 1)
        guard configuration.cpus <= limit else {
            throw KVMError(
                operation: "KVM_CREATE_VCPU for \(configuration.cpus) CPUs", errno: 22,
                hint: "this host's KVM gives a machine at most \(limit); ask for fewer")
        }
        supportedCPUID = try system.supportedCPUID()
        hasTSCDeadlineTimer = system.check(.tscDeadlineTimer) > 0
        sharesRegisters = system.check(.syncRegisters) & Int(SharedRegisterSets.general.rawValue) != 0
        gathersPortWrites = system.check(.coalescedMMIO) > 0 && system.check(.coalescedPIO) > 0
        hasInterruptChips = configuration.interruptController == .kernel
        let virtualMachine = try system.makeVirtualMachine()
        // Intel's KVM needs four pages of guest-physical space for real mode; the others ignore the calls.
        if system.check(.setTSSAddress) > 0 { try virtualMachine.setTSSAddress(BoardLayout.kvmTaskState) }
        if system.check(.setIdentityMapAddress) > 0 {
            try virtualMachine.setIdentityMapAddress(BoardLayout.kvmIdentityMap)
        }
        if hasInterruptChips {
            try virtualMachine.createInterruptChips()
            try virtualMachine.createPIT(speakerDummy: true)
        }
        // Unknown MSRs come to the monitor, which has a policy for them, instead of a #GP in every case.
        if system.check(.userSpaceMSR) > 0 { try virtualMachine.exitOnMSR(.unknown) }
        if system.check(.exitOnEmulationFailure) > 0 {
            // The exit then carries the instruction's bytes.
            try virtualMachine.enable(.exitOnEmulationFailure, 1)
        }
        self.virtualMachine = virtualMachine
    }

    /// Shows guest RAM to KVM, one slot a region.
    func show(_ regions: [MemoryRegion]) throws(KVMError) {
        for (slot, region) in regions.enumerated() {
            try virtualMachine.setMemory(
                slot: UInt32(slot), guestAddress: region.guestAddress, memory: region.bytes)
        }
    }

    /// A pin of the interrupt chips.
    func interruptLine(gsi: UInt32) -> any InterruptLine {
        hasInterruptChips && !cutInterrupts.contains(gsi)
            ? KernelInterruptLine(self, gsi: gsi) : UnconnectedInterruptLine()
    }
}

/// A global system interrupt of the in-kernel interrupt chips (KVM_IRQ_LINE).
final class KernelInterruptLine: InterruptLine {
    private let kernel: KernelObjects
    private let gsi: UInt32

    init(_ kernel: KernelObjects, gsi: UInt32) {
        self.kernel = kernel
        self.gsi = gsi
    }

    func raise() { set(true) }
    func lower() { set(false) }

    private func set(_ active: Bool) {
        // It fails only for a pin that the chips do not have, and the board asks for none.
        try? kernel.virtualMachine.setInterruptLine(gsi: gsi, active: active)
    }
}

/// The interrupt pin of a device on a board without interrupt controllers.
final class UnconnectedInterruptLine: InterruptLine {
    func raise() {}
    func lower() {}
}
