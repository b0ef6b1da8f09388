internal import Boot
internal import Firmware
internal import Host
internal import KVM
internal import Synchronization

/// One CPU of the machine: KVM's vCPU, its thread, and what is remembered of its last exits.
final class Processor: @unchecked Sendable {
    // Unchecked: `vcpu` and `lastExits` belong to the vCPU's thread while it runs, `exitRequest` is for all.
    let number: Int
    let vcpu: VirtualCPU
    let exitRequest: ExitRequest
    let thread = Mutex<Thread?>(nil)
    var lastExits = ExitRing()

    init(number: Int, vcpu: consuming VirtualCPU) {
        self.number = number
        exitRequest = vcpu.exitRequest
        self.vcpu = vcpu
    }

    /// Makes all CPUs of a machine; the first one gets the entry state, the others wait for INIT and SIPI.
    static func make(
        _ configuration: MachineConfiguration, kernel: KernelObjects, entry: EntryState
    ) throws(KVMError) -> [Processor] {
        let policy = CPUIDPolicy(kernel: kernel, cpus: configuration.cpus)
        var processors: [Processor] = []
        for number in 0..<configuration.cpus {
            let vcpu = try kernel.virtualMachine.makeVCPU(identifier: UInt32(number))
            try vcpu.setCPUID(policy.entries(forCPU: number))
            if number == 0 { try vcpu.enter(entry) }
            processors.append(Processor(number: number, vcpu: vcpu))
        }
        return processors
    }

    /// Calls the CPU out of the guest; it comes to the lifecycle's checkpoint.
    func callOut() {
        exitRequest.set()
        thread.withLock { _ = $0?.kick() }
    }
}

/// The last 32 exits of a CPU.
struct ExitRing {
    static let capacity = 32
    private var slots = InlineArray<32, ExitRecord>(repeating: ExitRecord())
    private var count = 0

    mutating func append(_ record: ExitRecord) {
        slots[count % Self.capacity] = record
        count &+= 1
    }

    /// Oldest first.
    var records: [ExitRecord] {
        let kept = min(count, Self.capacity)
        return (count - kept..<count).map { slots[$0 % Self.capacity] }
    }
}
