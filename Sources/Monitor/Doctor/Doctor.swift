internal import KVM

/// The engine of `minikvm doctor`: finds out what this host's KVM can do, by asking it and by running tiny guests.
///
/// Each guest is bounded in time; all of it takes about a second where everything works.
public struct Doctor: Sendable {
    /// The KVM device.
    public var device = "/dev/kvm"
    /// Whose KVM it is.
    public var host: HostKVM
    /// What the host's processor says of itself.
    public var processor: HostProcessor
    /// Whether speeds are measured, too.
    public var measures = true

    /// - Parameter measures: whether speeds are measured, too.
    public init(measures: Bool = true) {
        host = .current()
        processor = HostProcessor()
        self.measures = measures
    }

    /// Looks at everything.
    public func examine() -> DoctorReport {
        let system: KVMSystem
        do throws(KVMError) {
            system = try KVMSystem(path: device)
        } catch {
            return DoctorReport(findings: [processorFinding, refusal(error)])
        }
        var findings = [
            Finding(device, .ok, "there, and may be opened"),
            Finding("KVM API", .ok, "version \(KVMSystem.apiVersion)"),
            module, processorFinding,
        ]
        findings += capabilities(system)
        findings += TinyGuest.modes.map { Self.mode($0.name, $0.run(), host: host) }
        findings.append(Self.mode("second CPU (INIT/SIPI)", TinyGuest.startOtherVCPU(), host: host))
        if measures { findings += speeds }
        return DoctorReport(findings: findings)
    }

    private func refusal(_ error: KVMError) -> Finding {
        var remedy = error.hint
        if error.errno == 2 {
            remedy =
                processor.hasVirtualization
                ? "the processor can virtualize: load the module (modprobe \(processor.isAMD ? "kvm_amd" : "kvm_intel"))"
                : "this \(processor.isVirtual ? "virtual " : "")machine's processor offers no virtualization: switch it "
                    + "on in the firmware or in the outer hypervisor (nested virtualization), or use `scripts/box`"
        }
        let reason = KVMError(operation: error.operation, errno: error.errno).description
        return Finding(device, .missing, reason, remedy: remedy.isEmpty ? nil : remedy)
    }

    private var module: Finding {
        switch host {
        case .intel, .amd: Finding("vendor module", .ok, host.rawValue)
        case .pvm:
            Finding(
                "vendor module", .limited, "kvm_pvm: KVM without the processor's virtualization",
                remedy: "kernels run slowly here; a host with kvm_intel or kvm_amd runs them natively")
        case .unknown: Finding("vendor module", .limited, "none that is known in /sys/module")
        }
    }

    private var processorFinding: Finding {
        let what = processor.isVirtual ? "itself virtual or emulated, so that exits cost more" : "bare metal"
        let model = PlainText.clean(processor.model)
        return Finding("host processor", .ok, model.isEmpty ? what : "\(model), \(what)")
    }

    /// What a machine of this project cannot do without, and what it would like.
    private func capabilities(_ system: borrowing KVMSystem) -> [Finding] {
        let needed: [Capability] = [
            .userMemory, .irqchip, .irqRouting, .irqfd, .ioeventfd, .pit2, .signalMSI, .immediateExit, .mpState,
            .vcpuEvents, .debugRegisters, .setGuestDebug,
        ]
        let wanted: [Capability] = [
            .readonlyMemory, .tscDeadlineTimer, .xsave2, .xcrs, .userSpaceMSR, .msrFilter, .syncRegisters,
            .manualDirtyLogProtect2, .tscControl, .sregs2,
        ]
        func absent(_ capabilities: [Capability]) -> [String] {
            capabilities.filter { system.check($0) == 0 }.map { String($0.kernelName.dropFirst("KVM_CAP_".count)) }
        }
        let (lacks, misses) = (absent(needed), absent(wanted))
        var findings: [Finding] = []
        findings.append(
            lacks.isEmpty
                ? Finding("needed capabilities", .ok, "all \(needed.count)")
                : Finding(
                    "needed capabilities", .missing, "without " + lacks.joined(separator: ", "),
                    remedy: "a newer kernel"))
        findings.append(
            misses.isEmpty
                ? Finding("wanted capabilities", .ok, "all \(wanted.count)")
                : Finding("wanted capabilities", .limited, "without " + misses.joined(separator: ", ")))
        let maximum = system.check(.maximumVCPUs)
        findings.append(
            Finding(
                "vCPUs", maximum > 1 ? .ok : .limited,
                "\(system.check(.recommendedVCPUs)) recommended, at most \(maximum)"))
        return findings
    }

    /// The finding that a trial of a mode makes.
    static func mode(_ name: String, _ trial: Trial, host: HostKVM) -> Finding {
        let remedy =
            host == .pvm
            ? "kvm_pvm cannot do this; run such guests under `scripts/box`"
            : "run such guests under `scripts/box`, and look into the kernel's log (dmesg)"
        return switch trial {
        case .passed: Finding(name, .ok, "works")
        case .wrongAnswer(let value):
            Finding(name, .missing, "a tiny guest computed \(value.hex()), which is wrong", remedy: remedy)
        case .died(let how): Finding(name, .missing, "a tiny guest died: \(how)", remedy: remedy)
        case .timedOut: Finding(name, .missing, "a tiny guest did not end in time", remedy: remedy)
        case .refused(let error): Finding(name, .missing, error.description, remedy: remedy)
        }
    }

    private var speeds: [Finding] {
        let modes: [(String, TinyGuest.Entry)] = [
            ("speed, real mode", .real), ("speed, 32-bit", .protected32), ("speed, long mode CPL 0", .long),
            ("speed, long mode CPL 3", .longUser),
        ]
        var findings = modes.map { Self.speed($0.0, TinyGuest.instructionsPerSecond($0.1)) }
        let exit = TinyGuest.nanosecondsPerExit()
        findings.append(
            exit.map {
                Finding("exit and back (OUT)", .ok, "\(Statistics.Summary.duration($0))")
            } ?? Finding("exit and back (OUT)", .missing, "a tiny guest that leaves by OUT does not work"))
        return findings
    }

    /// The finding that a speed makes. Below 100 million a second, KVM interprets rather than runs the guest.
    static func speed(_ name: String, _ instructionsPerSecond: UInt64?) -> Finding {
        guard let speed = instructionsPerSecond else {
            return Finding(name, .missing, "the loop did not end")
        }
        let millions = "\(speed / 1_000_000).\(speed / 100_000 % 10) million instructions a second"
        guard speed < 100_000_000 else { return Finding(name, .ok, millions) }
        return Finding(name, .limited, millions + ": emulated")
    }
}
