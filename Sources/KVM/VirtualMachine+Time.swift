internal import CKVM
internal import Glibc

/// What an MSR filter does with accesses to a range of MSRs.
public struct MSRFilterRange: Equatable, Sendable {
    /// The first MSR's number.
    public var first: UInt32
    /// One entry an MSR: true lets KVM handle it, false sends it to the monitor (or #GP).
    public var allowed: [Bool]
    /// Whether RDMSR is filtered.
    public var reads: Bool
    /// Whether WRMSR is filtered.
    public var writes: Bool

    /// - Parameters:
    ///   - first: the first MSR's number.
    ///   - allowed: one entry an MSR; true lets KVM handle it.
    ///   - reads: whether RDMSR is filtered.
    ///   - writes: whether WRMSR is filtered.
    public init(first: UInt32, allowed: [Bool], reads: Bool, writes: Bool) {
        self.first = first
        self.allowed = allowed
        self.reads = reads
        self.writes = writes
    }
}

/// Which MSR accesses leave KVM_RUN for the monitor (KVM_CAP_X86_USER_SPACE_MSR).
public struct MSRExitReasons: OptionSet, Sendable {
    /// The bits as KVM defines them.
    public let rawValue: UInt64
    /// - Parameter rawValue: KVM_MSR_EXIT_REASON_ bits.
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// The value or the access is invalid.
    public static let invalid = MSRExitReasons(rawValue: 1 << 0)
    /// KVM does not know the MSR.
    public static let unknown = MSRExitReasons(rawValue: 1 << 1)
    /// The MSR filter denies it.
    public static let filter = MSRExitReasons(rawValue: 1 << 2)
}

/// What KVM_GET_CLOCK tells (`struct kvm_clock_data`).
public struct ClockReading: Equatable, Sendable {
    /// The guest's kvmclock.
    public let nanoseconds: UInt64
    /// KVM_CLOCK_TSC_STABLE: every vCPU saw exactly this value at that instant.
    public let isStable: Bool
    /// KVM_CLOCK_REALTIME: the host's CLOCK_REALTIME at the same instant, in nanoseconds.
    public let realTime: UInt64?
    /// KVM_CLOCK_HOST_TSC: the host's time-stamp counter at the same instant.
    public let hostTSC: UInt64?
}

extension VirtualMachine {
    /// KVM_GET_CLOCK (section 4.29): the guest's kvmclock in nanoseconds.
    public borrowing func clock() throws(KVMError) -> UInt64 {
        try descriptor.get(.getClock, kvm_clock_data()).clock
    }

    /// KVM_GET_CLOCK with what KVM tells besides; `check(.adjustClock)` answers the flags that it can give.
    public borrowing func clockReading() throws(KVMError) -> ClockReading {
        let data = try descriptor.get(.getClock, kvm_clock_data())
        return ClockReading(
            nanoseconds: data.clock, isStable: data.flags & UInt32(KVM_CLOCK_TSC_STABLE) != 0,
            realTime: data.flags & UInt32(KVM_CLOCK_REALTIME) != 0 ? data.realtime : nil,
            hostTSC: data.flags & UInt32(KVM_CLOCK_HOST_TSC) != 0 ? data.host_tsc : nil)
    }

    /// KVM_SET_CLOCK (section 4.30).
    /// - Parameters:
    ///   - nanoseconds: the kvmclock.
    ///   - realTime: the host's CLOCK_REALTIME at which the clock had this value: KVM adds the time since then
    ///     (KVM_CLOCK_REALTIME); nil where it had it just now.
    public borrowing func setClock(nanoseconds: UInt64, realTime: UInt64? = nil) throws(KVMError) {
        var data = kvm_clock_data()
        data.clock = nanoseconds
        if let realTime {
            data.flags = UInt32(KVM_CLOCK_REALTIME)
            data.realtime = realTime
        }
        try descriptor.set(.setClock, data)
    }

    /// KVM_GET_TSC_KHZ of the machine (section 4.56): the rate that new vCPUs start with (KVM_CAP_VM_TSC_CONTROL).
    public borrowing func tscKHz() throws(KVMError) -> UInt32 {
        UInt32(try descriptor.call(.getTSCKHz))
    }

    /// KVM_SET_TSC_KHZ of the machine (section 4.55); before any vCPU.
    public borrowing func setTSCKHz(_ rate: UInt32) throws(KVMError) {
        try descriptor.call(.setTSCKHz, UInt(rate))
    }

    /// KVM_CAP_X86_USER_SPACE_MSR (section 7.21): which accesses come out as `VMExit.readMSR` and `VMExit.writeMSR`.
    public borrowing func exitOnMSR(_ reasons: MSRExitReasons) throws(KVMError) {
        try enable(.userSpaceMSR, reasons.rawValue)
    }

    /// KVM_X86_SET_MSR_FILTER (section 4.97): replaces the filter. At most 16 ranges of at most 12,288 MSRs each.
    ///
    /// A denied access raises #GP in the guest, or comes out as `VMExit.readMSR` and `VMExit.writeMSR` after
    /// ``exitOnMSR(_:)`` with `.filter`, which must come first. x2APIC registers are never filtered.
    /// - Parameters:
    ///   - ranges: what to filter.
    ///   - allowOthers: whether KVM handles the MSRs that no range names.
    public borrowing func setMSRFilter(_ ranges: [MSRFilterRange], allowOthers: Bool) throws(KVMError) {
        let limits = "at most 16 ranges of at most 12288 MSRs each, and one where others are denied"
        guard ranges.count <= Int(KVM_MSR_FILTER_MAX_RANGES), ranges.allSatisfy({ $0.allowed.count <= 12288 }) else {
            throw KVMError(operation: "KVM_X86_SET_MSR_FILTER", errno: EINVAL, hint: limits)
        }
        var filter = kvm_msr_filter()
        filter.flags = allowOthers ? UInt32(KVM_MSR_FILTER_DEFAULT_ALLOW) : UInt32(KVM_MSR_FILTER_DEFAULT_DENY)
        var bitmaps: [UnsafeMutableBufferPointer<UInt8>] = []
        defer { for bitmap in bitmaps { bitmap.deallocate() } }
        withUnsafeMutableBytes(of: &filter.ranges) { bytes in
            let slots = bytes.bindMemory(to: kvm_msr_filter_range.self)
            for (slot, range) in ranges.enumerated() {
                let bitmap = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: (range.allowed.count + 7) / 8)
                bitmap.initialize(repeating: 0)
                for (bit, allowed) in range.allowed.enumerated() where allowed { bitmap[bit / 8] |= 1 << (bit % 8) }
                bitmaps.append(bitmap)
                slots[slot].base = range.first
                slots[slot].nmsrs = UInt32(range.allowed.count)
                slots[slot].flags =
                    (range.reads ? UInt32(KVM_MSR_FILTER_READ) : 0) | (range.writes ? UInt32(KVM_MSR_FILTER_WRITE) : 0)
                slots[slot].bitmap = bitmap.baseAddress
            }
        }
        try descriptor.call(.setMSRFilter, with: &filter, hint: limits)
    }
}
