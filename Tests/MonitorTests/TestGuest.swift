import CKVM
import GuestMemory
import KVM
import Machine
import Monitor

/// A made-up guest: 1 MiB of memory from 0 and another MiB from 0x10_0000 missing, registers as a test sets them.
final class TestGuest {
    static let size: UInt64 = 0x10_0000
    private let storage: UnsafeMutableRawBufferPointer
    let memory: GuestMemory
    var vcpu = VCPUSnapshot(identifier: 0, registers: GeneralRegisters(), special: SpecialRegisters())
    var reason = Crash.Cause.shutdown
    var host = HostKVM.intel

    init() {
        storage = .allocate(byteCount: Int(Self.size), alignment: 4096)
        storage.initializeMemory(as: UInt8.self, repeating: 0)
        memory = GuestMemory(regions: [MemoryRegion(guestAddress: 0, bytes: storage)])
        vcpu.registers.rflags = 2
        vcpu.special.cr0 = 0x10
        vcpu.special.tr = segment(0, type: 11, system: true)
    }

    deinit { storage.deallocate() }

    func write(_ bytes: [UInt8], at address: UInt64) {
        for (offset, byte) in bytes.enumerated() { write(byte, at: address + UInt64(offset)) }
    }

    func write<Value: BitwiseCopyable>(_ value: Value, at address: UInt64) {
        do { try memory.write(value, at: address) } catch { fatalError("no memory at \(address)") }
    }

    func segment(
        _ selector: UInt16, type: UInt8, system: Bool = false, wide: Bool = false, long: Bool = false, dpl: UInt8 = 0
    ) -> SegmentRegister {
        var segment = SegmentRegister()
        segment.selector = selector
        segment.limit = 0xFFFF_FFFF
        segment.type = type
        segment.s = system ? 0 : 1
        segment.present = 1
        segment.db = wide ? 1 : 0
        segment.l = long ? 1 : 0
        segment.g = 1
        segment.dpl = dpl
        return segment
    }

    enum Setting: CaseIterable { case real, protected, paging32, long }

    func prepare(_ setting: Setting) {
        switch setting {
        case .real: real()
        case .protected: protected()
        case .paging32: paging32()
        case .long: long()
        }
    }

    /// Real mode, code at 0000:8000, stack at 0000:7C00, the vector table at 0.
    func real() {
        vcpu.special.cs = segment(0, type: 11)
        vcpu.special.cs.limit = 0xFFFF
        vcpu.special.ss = segment(0, type: 3)
        vcpu.special.idt.limit = 0x3FF
        vcpu.registers.rip = 0x8000
        vcpu.registers.rsp = 0x7C00
    }

    /// Flat 32-bit protected mode with a GDT at 0x500 and an IDT of 256 gates at 0x1000, all leading to 0x9000.
    func protected() {
        vcpu.special.controlRegister0.insert(.pe)
        vcpu.special.cs = segment(8, type: 11, wide: true)
        vcpu.special.ss = segment(16, type: 3, wide: true)
        vcpu.registers.rip = 0x8000
        vcpu.registers.rsp = 0x7C00
        write(0x00CF_9A00_0000_FFFF as UInt64, at: 0x508)
        write(0x00CF_9200_0000_FFFF as UInt64, at: 0x510)
        vcpu.special.gdt.base = 0x500
        vcpu.special.gdt.limit = 23
        for vector in 0..<256 as Range<UInt64> { write(0x0000_8E00_0008_9000 as UInt64, at: 0x1000 + 8 * vector) }
        vcpu.special.idt.base = 0x1000
        vcpu.special.idt.limit = 0x7FF
    }

    /// 32-bit paging: the first 4 MiB one-to-one, with the directory at 0x10000.
    func paging32() {
        protected()
        vcpu.special.controlRegister0.insert(.pg)
        vcpu.special.controlRegister4.insert(.pse)
        vcpu.special.cr3 = 0x10000
        write(0x87 as UInt32, at: 0x10000)
    }

    /// 64-bit mode: the first 2 MiB one-to-one, tables at 0x10000, 0x11000, 0x12000; an IDT of 256 gates at 0x2000.
    func long() {
        protected()
        vcpu.special.controlRegister0.insert(.pg)
        vcpu.special.controlRegister4.insert(.pae)
        vcpu.special.extendedFeatureEnable = [.lme, .lma]
        vcpu.special.cs = segment(8, type: 11, long: true)
        write(0x0020_9A00_0000_0000 as UInt64, at: 0x508)
        longTables()
        for vector in 0..<256 as Range<UInt64> { write(0x0000_8E00_0008_9000 as UInt64, at: 0x2000 + 16 * vector) }
        vcpu.special.idt.base = 0x2000
        vcpu.special.idt.limit = 0xFFF
    }

    func longTables() {
        vcpu.special.cr3 = 0x10000
        write(0x11007 as UInt64, at: 0x10000)
        write(0x12007 as UInt64, at: 0x11000)
        write(0x87 as UInt64, at: 0x12000)
    }
}
