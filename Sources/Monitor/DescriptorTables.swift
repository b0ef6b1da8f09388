internal import CKVM
internal import KVM

/// One entry of the GDT (Intel SDM volume 3, section 3.4.5), or why there is none.
struct SegmentDescriptor {
    /// Why a selector leads to no usable descriptor, in words; nil when it does.
    let defect: String?
    let isCode: Bool
    let isLong: Bool

    /// - Parameters:
    ///   - selector: as an instruction loads it.
    ///   - gdtr: where the table is.
    ///   - memory: the guest's linear memory.
    init(selector: UInt16, gdtr: DescriptorTableRegister, memory: LinearMemory) {
        let offset = UInt64(selector & 0xFFF8)
        var raw: UInt64 = 0
        var defect: String?
        if selector & 0xFFFC == 0 {
            defect = "it is the null selector"
        } else if selector & 4 != 0 {
            defect = nil
        } else if offset + 7 > UInt64(gdtr.limit) {
            defect = "it lies beyond the GDT's limit \(gdtr.limit.hex(4))"
        } else if let value = memory.number(gdtr.base &+ offset, width: 8) {
            raw = value
            if raw >> 47 & 1 == 0 { defect = "that descriptor (\(raw.hex(16))) is not present" }
        } else {
            defect = "the GDT at \(gdtr.base.hex(8)) is not in memory"
        }
        self.defect = defect
        isCode = raw >> 43 & 3 == 3
        isLong = raw >> 53 & 1 != 0
    }
}

/// A gate of the IDT (Intel SDM volume 3, sections 6.11 and 6.14.1), or an entry of real mode's vector table.
enum InterruptGate: Equatable {
    /// The vector's entry lies beyond IDTR's limit.
    case beyondLimit
    /// The entry's memory is not there or not mapped.
    case notInMemory(address: UInt64)
    /// The P bit is clear.
    case notPresent(raw: UInt64)
    /// The type is neither interrupt, trap nor task gate.
    case wrongType(raw: UInt64)
    /// It leads to this handler.
    case handler(selector: UInt16, offset: UInt64)

    init(vector: UInt8, vcpu: VCPUSnapshot, memory: LinearMemory) {
        let idtr = vcpu.special.idt
        let mode = vcpu.mode
        let width: UInt64 = !mode.isProtected ? 4 : mode.isLong ? 16 : 8
        let offset = UInt64(vector) * width
        guard offset + width - 1 <= UInt64(idtr.limit) else {
            self = .beyondLimit
            return
        }
        let address = idtr.base &+ offset
        guard let raw = memory.number(address, width: width == 4 ? 4 : 8) else {
            self = .notInMemory(address: address)
            return
        }
        guard mode.isProtected else {
            self = .handler(selector: UInt16(truncatingIfNeeded: raw >> 16), offset: raw & 0xFFFF)
            return
        }
        let type = raw >> 40 & 0x1F
        let isGate = mode.isLong ? [0xE, 0xF].contains(type) : [5, 6, 7, 0xE, 0xF].contains(type)
        if raw >> 47 & 1 == 0 {
            self = .notPresent(raw: raw)
        } else if !isGate {
            self = .wrongType(raw: raw)
        } else {
            let high = mode.isLong ? memory.number(address &+ 8, width: 4) ?? 0 : 0
            self = .handler(
                selector: UInt16(truncatingIfNeeded: raw >> 16),
                offset: high << 32 | (raw >> 48) << 16 | raw & 0xFFFF)
        }
    }

    /// The gate in words.
    var text: String {
        switch self {
        case .beyondLimit: "beyond IDTR's limit"
        case .notInMemory(let address): "at \(address.hex(8)), where no memory is mapped"
        case .notPresent(let raw): "not present (\(raw.hex(16)))"
        case .wrongType(let raw): "not a gate (\(raw.hex(16)))"
        case .handler(let selector, let offset): "handler \(selector.hex(4)):\(offset.hex(8))"
        }
    }
}
