internal import Boot
internal import Firmware
internal import KVM

extension VirtualCPU {
    /// Puts the CPU into the state in which a loader's payload expects it.
    borrowing func enter(_ entry: EntryState) throws(KVMError) {
        var special = try specialRegisters()
        special.cs = SegmentRegister(entry.code)
        let data = SegmentRegister(entry.data)
        special.ds = data
        special.es = data
        special.fs = data
        special.gs = data
        special.ss = data
        special.tr = SegmentRegister(entry.task)
        if entry.globalDescriptorTableSize > 0 {
            special.gdt.base = BoardLayout.globalDescriptorTable
            special.gdt.limit = entry.globalDescriptorTableSize - 1
        }
        special.cr0 = entry.cr0
        special.cr3 = entry.cr3
        special.cr4 = entry.cr4
        special.efer = entry.efer
        try setSpecialRegisters(special)

        var general = GeneralRegisters()
        general.rip = entry.instructionPointer
        general.rsp = entry.stackPointer
        general.rbx = entry.rbx
        general.rdx = entry.rdx
        general.rsi = entry.rsi
        general.rflags = entry.flags
        try setRegisters(general)
    }
}

extension SegmentRegister {
    /// The loader's descriptor as KVM takes it.
    init(_ descriptor: SegmentDescriptor) {
        self.init()
        selector = descriptor.selector
        base = descriptor.base
        limit = descriptor.limit
        type = descriptor.type
        s = descriptor.isCodeOrData ? 1 : 0
        l = descriptor.isLong ? 1 : 0
        db = descriptor.isDefault32Bit ? 1 : 0
        g = descriptor.isPageGranular ? 1 : 0
        present = descriptor.isPresent ? 1 : 0
    }
}
