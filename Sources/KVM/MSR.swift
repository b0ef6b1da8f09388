internal import CKVM
internal import Glibc

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
    /// How many MSRs are put into one call. The kernel refuses 256 and more (MAX_IO_MSRS in its
    /// arch/x86/kvm/x86.c) with E2BIG.
    static let mostAtOnce = 255

    let pointer: UnsafeMutableRawPointer
    private let header: UnsafeMutablePointer<kvm_msrs>
    private let room: Int

    init(_ entries: ArraySlice<MSREntry>) {
        room = entries.count
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
        (0..<max(0, min(count, room))).map { slot in
            let raw = ckvm_msr_entries(header)[slot]
            return MSREntry(index: raw.index, value: raw.data)
        }
    }
}

extension Descriptor {
    /// KVM_GET_MSRS of the system or of a vCPU, in as many calls as it takes.
    /// - Returns: the values, in order; it ends before the first MSR that KVM cannot read.
    borrowing func readMSRs(_ indices: [UInt32]) throws(KVMError) -> [MSREntry] {
        let entries = indices.map { MSREntry(index: $0, value: 0) }
        var values: [MSREntry] = []
        while values.count < entries.count {
            let part = entries[values.count...].prefix(MSRTable.mostAtOnce)
            let table = MSRTable(part)
            let read = table.first(Int(try call(.getMSRs, at: table.pointer)))
            values += read
            if read.count < part.count { break }
        }
        return values
    }

    /// KVM_SET_MSRS, in as many calls as it takes.
    borrowing func writeMSRs(_ entries: [MSREntry]) throws(KVMError) {
        var written = 0
        while written < entries.count {
            let part = entries[written...].prefix(MSRTable.mostAtOnce)
            let table = MSRTable(part)
            let count = Int(try call(.setMSRs, at: table.pointer))
            if count < part.count {
                let refused = part[part.startIndex + count]
                throw KVMError(
                    operation: "KVM_SET_MSRS", errno: EINVAL,
                    hint: "KVM refuses the value 0x\(String(refused.value, radix: 16)) for MSR "
                        + "0x\(String(refused.index, radix: 16))")
            }
            written += part.count
        }
    }
}
