internal import KVM

/// What a guest's CPUID instruction answers: what the host's KVM can give, less what this board does not back up.
///
/// The policy, register by register:
/// - identification, caches and features pass through as KVM_GET_SUPPORTED_CPUID offers them;
/// - the numbers of this CPU and of all CPUs (leaves 1, 0xB, 0x1F, 0x8000001E) follow the machine: one socket, one
///   thread a core;
/// - taken away: VMX and SVM (no nested guests), MONITOR/MWAIT, performance counters, thermal and power leaves;
///   machine-check banks stay;
/// - added: the hypervisor bit, the TSC-deadline timer and x2APIC where the local APICs are in the kernel.
struct CPUIDPolicy {
    private let base: [CPUIDEntry]
    private let cpus: Int

    init(kernel: KernelObjects, cpus: Int) {
        self.cpus = cpus
        base = kernel.supportedCPUID.compactMap { Self.filter($0, kernel: kernel) }
    }

    private static func filter(_ entry: CPUIDEntry, kernel: KernelObjects) -> CPUIDEntry? {
        var entry = entry
        switch entry.function {
        case 1:
            entry.ecx &= ~(Leaf1ECX.monitor | Leaf1ECX.vmx | Leaf1ECX.smx)
            entry.ecx |= Leaf1ECX.hypervisor
            if kernel.hasInterruptChips {
                entry.ecx |= Leaf1ECX.x2APIC
                if kernel.hasTSCDeadlineTimer { entry.ecx |= Leaf1ECX.tscDeadline }
            }
        // Monitor/MWAIT, thermal and power management, performance monitoring, RDT, SGX, processor trace.
        case 5, 6, 0xA, 0xF, 0x10, 0x12, 0x14:
            entry.eax = 0
            entry.ebx = 0
            entry.ecx = 0
            entry.edx = 0
        case 0x8000_0001:
            entry.ecx &=
                ~(ExtendedECX.svm | ExtendedECX.perfctrCore | ExtendedECX.perfctrNorthBridge | ExtendedECX.perfctrL2)
        // SVM's own leaf, and memory encryption.
        case 0x8000_000A, 0x8000_001F:
            entry.eax = 0
            entry.ebx = 0
            entry.ecx = 0
            entry.edx = 0
        default: break
        }
        return entry
    }

    /// The answers on one CPU.
    func entries(forCPU number: Int) -> [CPUIDEntry] {
        let identifier = UInt32(number)
        return base.map { entry in
            var entry = entry
            switch entry.function {
            case 1:
                // EBX: initial APIC id in 31-24, logical processors in 23-16; EDX bit 28 says that the latter counts.
                entry.ebx = entry.ebx & 0xFFFF | identifier << 24 | UInt32(min(cpus, 255)) << 16
                if cpus > 1 { entry.edx |= 1 << 28 } else { entry.edx &= ~(1 << 28) }
            case 4:
                // EAX: cores in the package less 1 in 31-26, threads that share the cache less 1 in 25-14.
                entry.eax = entry.eax & 0x3FFF | UInt32(min(cpus, 64) - 1) << 26
            case 0xB, 0x1F:
                entry.edx = identifier
                switch entry.index {
                // One thread in a core.
                case 0: (entry.eax, entry.ebx, entry.ecx) = (0, 1, 1 << 8)
                // All cores in the package.
                case 1: (entry.eax, entry.ebx, entry.ecx) = (coreBits, UInt32(cpus), 2 << 8 | 1)
                default: (entry.eax, entry.ebx, entry.ecx) = (0, 0, entry.index)
                }
            case 0x8000_0008:
                // ECX: cores less 1 in 7-0, bits of the APIC id that number them in 15-12.
                entry.ecx = UInt32(min(cpus, 256) - 1) | coreBits << 12
            case 0x8000_001D:
                entry.eax &= 0x3FFF
            case 0x8000_001E:
                // EAX: extended APIC id; EBX: core id and threads a core less 1; ECX: node.
                (entry.eax, entry.ebx, entry.ecx) = (identifier, identifier & 0xFF, 0)
            default: break
            }
            return entry
        }
    }

    /// How many low bits of an APIC id number the CPUs.
    private var coreBits: UInt32 {
        var bits: UInt32 = 0
        while 1 << bits < cpus { bits += 1 }
        return bits
    }

    /// CPUID leaf 1, ECX (Intel SDM volume 2, "CPUID").
    private enum Leaf1ECX {
        static let monitor: UInt32 = 1 << 3
        static let vmx: UInt32 = 1 << 5
        static let smx: UInt32 = 1 << 6
        static let x2APIC: UInt32 = 1 << 21
        static let tscDeadline: UInt32 = 1 << 24
        static let hypervisor: UInt32 = 1 << 31
    }

    /// CPUID leaf 0x80000001, ECX (AMD APM volume 3, appendix E).
    private enum ExtendedECX {
        static let svm: UInt32 = 1 << 2
        static let perfctrCore: UInt32 = 1 << 23
        static let perfctrNorthBridge: UInt32 = 1 << 24
        static let perfctrL2: UInt32 = 1 << 28
    }
}
