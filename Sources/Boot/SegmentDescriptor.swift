/// A segment register with its hidden part, as the processor holds it (Intel SDM volume 3, 3.4.3 and 3.4.5).
public struct SegmentDescriptor: Equatable, Sendable {
    /// The visible part: index in the descriptor table times 8; in real mode the segment number.
    public var selector: UInt16
    /// Linear address of the segment's first byte.
    public var base: UInt64
    /// Offset of the segment's last byte, in bytes whatever the granularity.
    public var limit: UInt32
    /// The 4 type bits.
    public var type: UInt8
    /// S: a code or data segment; clear for a system segment such as a task state.
    public var isCodeOrData: Bool
    /// L: 64-bit code.
    public var isLong: Bool = false
    /// D/B: 32-bit operands and stack.
    public var isDefault32Bit: Bool = false
    /// G: the limit counts pages of 4 KiB.
    public var isPageGranular: Bool = false
    /// P: present. Privilege level 0 throughout.
    public var isPresent: Bool = true

    /// Type bits: data, writable, accessed.
    static let typeData: UInt8 = 0x3
    /// Type bits: code, readable, accessed.
    static let typeCode: UInt8 = 0xB
    /// Type bits of a system segment: busy 32-bit (in long mode 64-bit) task state.
    static let typeBusyTask: UInt8 = 0xB
    /// The limit of a task state segment without an I/O permission map.
    static let taskLimit: UInt32 = 0x67

    /// A segment of real mode: base 16 times its number, 64 KiB.
    static func real(segment: UInt16, code: Bool) -> SegmentDescriptor {
        SegmentDescriptor(
            selector: segment, base: UInt64(segment) << 4, limit: 0xFFFF, type: code ? typeCode : typeData,
            isCodeOrData: true)
    }

    /// TR of real mode, as after reset.
    static let realTask = SegmentDescriptor(
        selector: 0, base: 0, limit: 0xFFFF, type: typeBusyTask, isCodeOrData: false)

    /// All 4 GiB, 32-bit code. The selectors are those that the Linux boot protocol asks for.
    static let flatCode32 = SegmentDescriptor(
        selector: GlobalDescriptorTable.codeSelector, base: 0, limit: 0xFFFF_FFFF, type: typeCode, isCodeOrData: true,
        isDefault32Bit: true, isPageGranular: true)

    /// 64-bit code.
    static let flatCode64 = SegmentDescriptor(
        selector: GlobalDescriptorTable.codeSelector, base: 0, limit: 0xFFFF_FFFF, type: typeCode, isCodeOrData: true,
        isLong: true, isPageGranular: true)

    /// All 4 GiB, data.
    static let flatData = SegmentDescriptor(
        selector: GlobalDescriptorTable.dataSelector, base: 0, limit: 0xFFFF_FFFF, type: typeData, isCodeOrData: true,
        isDefault32Bit: true, isPageGranular: true)

    /// A 32-bit task state at address 0; PVH asks for one. Nothing switches tasks or reads it at privilege level 0.
    static let task32 = SegmentDescriptor(
        selector: GlobalDescriptorTable.taskSelector, base: 0, limit: taskLimit, type: typeBusyTask,
        isCodeOrData: false)

    /// A 64-bit task state at address 0.
    static let task64 = task32

    /// The 8 bytes that describe this segment in a descriptor table (Intel SDM volume 3, figure 3-8).
    var encoded: UInt64 {
        let limitField = UInt64(isPageGranular ? limit >> 12 : limit)
        var descriptor = limitField & 0xFFFF | (limitField >> 16 & 0xF) << 48
        descriptor |= (base & 0xFF_FFFF) << 16 | (base >> 24 & 0xFF) << 56
        descriptor |= UInt64(type) << 40
        if isCodeOrData { descriptor |= 1 << 44 }
        if isPresent { descriptor |= 1 << 47 }
        if isLong { descriptor |= 1 << 53 }
        if isDefault32Bit { descriptor |= 1 << 54 }
        if isPageGranular { descriptor |= 1 << 55 }
        return descriptor
    }
}
