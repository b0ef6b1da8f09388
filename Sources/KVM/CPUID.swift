internal import CKVM

/// One leaf of the CPUID instruction as a guest will see it (KVM_SET_CPUID2; Intel SDM volume 2, "CPUID").
public struct CPUIDEntry: Equatable, Sendable {
    /// The leaf: EAX on entry.
    public var function: UInt32
    /// The subleaf: ECX on entry, meaningful when `hasIndex`.
    public var index: UInt32
    /// Whether the leaf has subleaves (KVM_CPUID_FLAG_SIGNIFCANT_INDEX, spelled as the kernel spells it).
    public var hasIndex: Bool
    /// EAX as returned.
    public var eax: UInt32
    /// EBX as returned.
    public var ebx: UInt32
    /// ECX as returned.
    public var ecx: UInt32
    /// EDX as returned.
    public var edx: UInt32

    /// - Parameters:
    ///   - function: the leaf, EAX on entry.
    ///   - index: the subleaf, ECX on entry; nil where the leaf has none.
    ///   - eax: EAX as returned; likewise the others.
    public init(
        function: UInt32, index: UInt32? = nil, eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0, edx: UInt32 = 0
    ) {
        self.function = function
        self.index = index ?? 0
        hasIndex = index != nil
        self.eax = eax
        self.ebx = ebx
        self.ecx = ecx
        self.edx = edx
    }
}

/// A `kvm_cpuid2` with room for its entries.
final class CPUIDTable {
    let pointer: UnsafeMutableRawPointer
    private let header: UnsafeMutablePointer<kvm_cpuid2>
    private let room: Int

    init(room: Int) {
        self.room = room
        let bytes = MemoryLayout<kvm_cpuid2>.size + room * MemoryLayout<kvm_cpuid_entry2>.size
        pointer = .allocate(byteCount: bytes, alignment: 8)
        pointer.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        header = pointer.bindMemory(to: kvm_cpuid2.self, capacity: 1)
        header.pointee.nent = UInt32(room)
    }

    convenience init(_ entries: [CPUIDEntry]) {
        self.init(room: entries.count)
        for (slot, entry) in entries.enumerated() {
            var raw = kvm_cpuid_entry2()
            raw.function = entry.function
            raw.index = entry.index
            raw.flags = entry.hasIndex ? UInt32(KVM_CPUID_FLAG_SIGNIFCANT_INDEX) : 0
            raw.eax = entry.eax
            raw.ebx = entry.ebx
            raw.ecx = entry.ecx
            raw.edx = entry.edx
            ckvm_cpuid_entries(header)[slot] = raw
        }
    }

    /// How many entries the kernel says there are; never more than there is room for.
    var count: Int { min(Int(header.pointee.nent), room) }

    deinit {
        pointer.deallocate()
    }

    var entries: [CPUIDEntry] {
        (0..<count).map { slot in
            let raw = ckvm_cpuid_entries(header)[slot]
            let hasIndex = raw.flags & UInt32(KVM_CPUID_FLAG_SIGNIFCANT_INDEX) != 0
            return CPUIDEntry(
                function: raw.function, index: hasIndex ? raw.index : nil,
                eax: raw.eax, ebx: raw.ebx, ecx: raw.ecx, edx: raw.edx)
        }
    }
}
