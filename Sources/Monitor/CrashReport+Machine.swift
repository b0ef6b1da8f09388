internal import KVM
public import Machine

extension CrashReport {
    /// Everything about a machine that has ended by a crash.
    public init(_ machine: Machine, _ crash: Crash) {
        let cpus = 0..<machine.configuration.cpus
        let snapshots = cpus.compactMap { number in
            try? machine.examine(vcpu: number) { (vcpu) throws(KVMError) in try VCPUSnapshot(vcpu) }
        }
        var console = machine.lastConsoleLines
        // A long call trace may have pushed the line out that says why the kernel panicked.
        if case .panic(let message) = crash.cause, !console.contains(message) { console.insert(message, at: 0) }
        self.init(
            reason: crash.cause, vcpus: snapshots,
            failed: snapshots.firstIndex { Int($0.identifier) == crash.vcpu } ?? 0, memory: machine.memory,
            exits: cpus.flatMap { machine.lastExits(vcpu: $0) }, console: console,
            postCodes: machine.postCodes)
    }
}
