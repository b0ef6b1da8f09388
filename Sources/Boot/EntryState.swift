internal import Firmware

/// In what state the first vCPU executes the first instruction of what was loaded.
///
/// A loader describes it in the processor's own terms; the board hands it to KVM. Registers not named here are 0.
public struct EntryState: Equatable, Sendable {
    /// The mode that the processor is in.
    public enum Mode: Equatable, Sendable {
        /// 16-bit real mode.
        case real
        /// 32-bit protected mode without paging.
        case protected
        /// 64-bit mode with the page tables at this guest-physical address.
        case long(pageTableRoot: UInt64)
    }

    /// The mode that the processor is in.
    public var mode: Mode
    /// RIP; in real mode the offset in the code segment.
    public var instructionPointer: UInt64
    /// RSP.
    public var stackPointer: UInt64
    /// RBX.
    public var rbx: UInt64 = 0
    /// RDX.
    public var rdx: UInt64 = 0
    /// RSI.
    public var rsi: UInt64 = 0
    /// CS.
    public var code: SegmentDescriptor
    /// DS, ES, FS, GS and SS.
    public var data: SegmentDescriptor
    /// TR.
    public var task: SegmentDescriptor
    /// The size of the global descriptor table at `BoardLayout.globalDescriptorTable` in bytes, 0 for none.
    public var globalDescriptorTableSize: UInt16

    /// RFLAGS: interrupts off; bit 1 always reads as 1.
    public var flags: UInt64 { 1 << 1 }

    /// CR0: PE in protected mode, PE and PG in long mode; ET (the 387 is always there) in each.
    public var cr0: UInt64 {
        switch mode {
        case .real: ControlBits.cr0ExtensionType
        case .protected: ControlBits.cr0ExtensionType | ControlBits.cr0ProtectionEnable
        case .long: ControlBits.cr0ExtensionType | ControlBits.cr0ProtectionEnable | ControlBits.cr0Paging
        }
    }

    /// CR3: the page tables in long mode.
    public var cr3: UInt64 {
        if case .long(let root) = mode { root } else { 0 }
    }

    /// CR4: PAE in long mode.
    public var cr4: UInt64 {
        if case .long = mode { ControlBits.cr4PhysicalAddressExtension } else { 0 }
    }

    /// EFER: LME and LMA in long mode.
    public var efer: UInt64 {
        if case .long = mode { ControlBits.eferLongModeEnable | ControlBits.eferLongModeActive } else { 0 }
    }

    /// Real mode at `segment:offset`, all data segments at `dataSegment`.
    public static func real(
        segment: UInt16, offset: UInt16, dataSegment: UInt16, stackPointer: UInt16
    ) -> EntryState {
        EntryState(
            mode: .real, instructionPointer: UInt64(offset), stackPointer: UInt64(stackPointer),
            code: .real(segment: segment, code: true), data: .real(segment: dataSegment, code: false),
            task: .realTask, globalDescriptorTableSize: 0)
    }

    /// The processor after a reset: its first instruction is 16 bytes below 4 GiB (Intel SDM volume 3, 10.1.4).
    public static var reset: EntryState {
        var code = SegmentDescriptor.real(segment: 0xF000, code: true)
        code.base = 0xFFFF_0000
        return EntryState(
            mode: .real, instructionPointer: 0xFFF0, stackPointer: 0, code: code,
            data: .real(segment: 0, code: false), task: .realTask, globalDescriptorTableSize: 0)
    }

    /// 32-bit protected mode, flat segments, paging off.
    static func protected(instructionPointer: UInt64) -> EntryState {
        EntryState(
            mode: .protected, instructionPointer: instructionPointer, stackPointer: BoardLayout.bootStack,
            code: .flatCode32, data: .flatData, task: .task32,
            globalDescriptorTableSize: GlobalDescriptorTable.size)
    }

    /// 64-bit mode, flat segments, identity page tables of the first 4 GiB.
    static func long(instructionPointer: UInt64) -> EntryState {
        EntryState(
            mode: .long(pageTableRoot: BoardLayout.pageTables), instructionPointer: instructionPointer,
            stackPointer: BoardLayout.bootStack, code: .flatCode64, data: .flatData, task: .task64,
            globalDescriptorTableSize: GlobalDescriptorTable.size)
    }
}

/// Bits of the control registers (Intel SDM volume 3, 2.5; EFER: 2.2.1).
private enum ControlBits {
    static let cr0ProtectionEnable: UInt64 = 1 << 0
    static let cr0ExtensionType: UInt64 = 1 << 4
    static let cr0Paging: UInt64 = 1 << 31
    static let cr4PhysicalAddressExtension: UInt64 = 1 << 5
    static let eferLongModeEnable: UInt64 = 1 << 8
    static let eferLongModeActive: UInt64 = 1 << 10
}
