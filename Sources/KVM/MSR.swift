internal import CKVM

/// A model-specific register and its value (Intel SDM volume 4; AMD APM volume 2, appendix A).
public struct MSREntry: Equatable, Sendable {
    /// The register's number, as in ECX of RDMSR.
    public var index: UInt32
    /// Its value, as in EDX:EAX.
    public var value: UInt64

    /// - Parameters:
    ///   - index: the register's number.
    ///   - value: its value.
    public init(index: UInt32, value: UInt64) {
        self.index = index
        self.value = value
    }
}

/// A `kvm_msrs` with its entries.
final class MSRTable {
    let pointer: UnsafeMutableRawPointer
    private let header: UnsafeMutablePointer<kvm_msrs>

    init(_ entries: [MSREntry]) {
        let bytes = MemoryLayout<kvm_msrs>.size + entries.count * MemoryLayout<kvm_msr_entry>.size
        pointer = .allocate(byteCount: bytes, alignment: 8)
        pointer.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        header = pointer.bindMemory(to: kvm_msrs.self, capacity: 1)
        header.pointee.nmsrs = UInt32(entries.count)
        for (slot, entry) in entries.enumerated() {
            ckvm_msr_entries(header)[slot] = kvm_msr_entry(index: entry.index, reserved: 0, data: entry.value)
        }
    }

    deinit {
        pointer.deallocate()
    }

    func first(_ count: Int) -> [MSREntry] {
        (0..<count).map { slot in
            let raw = ckvm_msr_entries(header)[slot]
            return MSREntry(index: raw.index, value: raw.data)
        }
    }
}
