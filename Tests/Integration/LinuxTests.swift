import Foundation
import Testing

/// The files of the Linux guest, which `scripts/guest-linux` makes and `scripts/test` names.
enum LinuxFiles {
    static func path(_ variable: String) throws -> String {
        try #require(
            ProcessInfo.processInfo.environment[variable], "\(variable) is not set; scripts/test sets it")
    }

    static var initrd: String { get throws { try path("MINIKVM_INITRD") } }
}

/// Debian's kernels to their shell and back. Their suite is the box's alone: `scripts/test` runs it there, where KVM
/// does all that a kernel needs; kvm_pvm lacks instructions that a stock kernel uses.
@Suite(.enabled(if: Bed.current == .box, "Linux needs the complete KVM of the box")) struct LinuxTests {
    /// A kernel, a way into it and a machine.
    struct Boot: CustomTestStringConvertible, Sendable {
        var kernel: String
        var entry: String
        var cpus: Int
        var memory: String
        var mebibytes: Int

        var testDescription: String {
            "\(kernel) by \(entry), \(cpus) CPU\(cpus == 1 ? "" : "s"), \(memory)"
        }

        /// Every kernel by itself and by PVH, with every number of CPUs and every size of memory.
        static let all: [Boot] = ["CLOUD_KERNEL", "AMD64_KERNEL"].flatMap { kernel in
            ["bzimage", "pvh"].flatMap { entry in
                [1, 2, 4].flatMap { cpus in
                    [("128M", 128), ("1G", 1024), ("5G", 5120)].map { memory, mebibytes in
                        Boot(kernel: kernel, entry: entry, cpus: cpus, memory: memory, mebibytes: mebibytes)
                    }
                }
            }
        }

        /// The same kernels unpacked: by the monitor, in the largest machine, and as ELF files.
        static let unpacked: [Boot] =
            ["CLOUD_KERNEL", "AMD64_KERNEL"].map {
                Boot(kernel: $0, entry: "auto", cpus: 8, memory: "5G", mebibytes: 5120)
            }
            + ["CLOUD_VMLINUX", "AMD64_VMLINUX"].map {
                Boot(kernel: $0, entry: "auto", cpus: 2, memory: "256M", mebibytes: 256)
            }
    }

    /// Seconds that one boot may take. In the box a kernel needs some; a busy host makes them many.
    private static let limit: Double = 400

    private static func options(
        _ kernel: String, _ words: String, entry: String = "auto", cpus: Int = 1, memory: String = "256M"
    ) throws -> [String] {
        [
            "run", "--kernel", try LinuxFiles.path("MINIKVM_" + kernel), "--initrd", try LinuxFiles.initrd, "--append",
            words, "--entry", entry, "--cpus", "\(cpus)", "--memory", memory,
        ]
    }

    /// Asks a guest about itself; it switches itself off at the end.
    private static let questions = """
        echo "cpus: $(grep -c '^processor' /proc/cpuinfo)"
        echo "online: $(cat /sys/devices/system/cpu/online)"
        echo "memory: $(awk '/^MemTotal/ { print $2 }' /proc/meminfo)"
        echo "clock: $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
        echo "words: $(cat /proc/cmdline)"
        dmesg -r | awk -F '[<>]' '$2 % 8 <= 4 { print "warning: " $0 }'
        echo done
        poweroff -f

        """

    /// What a kernel may warn of that is none of our tables' doing.
    private static let harmless = [
        // Of the processor that the box emulates, and of its microcode.
        "Speculative Return Stack Overflow", "Spectre", "RETBleed", "Retbleed", "TSA:", "MDS CPU bug", "microcode",
        // There is no PCI bus, and nobody told of one.
        "PCI: Fatal: No config space access function found", "PCI: System does not support PCI",
        // A busy host lets the emulated processor wait: the kernel finds that time has passed.
        "clocksource: Long readout interval", "clocksource: timekeeping watchdog", "rcu_tasks",
        "hrtimer: interrupt took",
        "sched: RT throttling activated", "perf: interrupt took too long", "workqueue:",
    ]

    @Test(arguments: Boot.all + Boot.unpacked) func linux_inEachMachine_findsWhatItWasGiven(boot: Boot) throws {
        let words = "console=ttyS0 panic=-1 quiet loglevel=1 minikvm.batch word=\(boot.entry)-\(boot.cpus)"
        let child = try MiniKVM.start(
            Self.options(boot.kernel, words, entry: boot.entry, cpus: boot.cpus, memory: boot.memory), input: .pipe,
            limit: Self.limit)
        child.send(Self.questions)
        child.closeInput()
        let outcome = child.finish()
        outcome.expect(status: 0)
        #expect(outcome.errors.isEmpty, "\(outcome.text)")
        func answer(_ name: String) -> String? {
            outcome.lines.first { $0.hasPrefix(name + ": ") }.map { String($0.dropFirst(name.count + 2)) }
        }
        #expect(answer("cpus") == "\(boot.cpus)", "\(outcome.text)")
        #expect(answer("online") == (boot.cpus == 1 ? "0" : "0-\(boot.cpus - 1)"), "\(outcome.text)")
        #expect(answer("words") == words, "\(outcome.text)")
        #expect(answer("clock") == "kvm-clock", "\(outcome.text)")
        // The kernel keeps its own code, the map of all pages (a 64th of memory) and some more to itself.
        let kibibytes = Int(answer("memory") ?? "") ?? 0
        #expect(kibibytes <= boot.mebibytes << 10, "\(outcome.text)")
        #expect(kibibytes >= (boot.mebibytes << 10) * 31 / 32 - 56 << 10, "\(outcome.text)")
        #expect(outcome.lines.contains("done"), "\(outcome.text)")
        for line in outcome.lines where line.hasPrefix("warning: ") {
            #expect(Self.harmless.contains { line.contains($0) }, "\(line)")
        }
    }

    // MARK: The end

    @Test func poweroff_byTheShell_endsWithStatus0() throws {
        // Without a word for it, the init gives a shell on the console.
        let child = try MiniKVM.start(
            Self.options("CLOUD_KERNEL", "console=ttyS0 panic=-1 quiet loglevel=1"), input: .terminal,
            output: .terminal,
            limit: Self.limit)
        try child.waitFor("guest:/root# ")
        child.send("echo $((6 * 7)); poweroff\r")
        let outcome = child.finish()
        outcome.expect(status: 0)
        #expect(outcome.lines.contains("42"), "\(outcome.text)")
    }

    @Test func status_byTheGuestsScript_isTheMonitors() throws {
        let child = try MiniKVM.start(
            Self.options("CLOUD_KERNEL", "console=ttyS0 panic=-1 quiet loglevel=1 minikvm.batch"), input: .pipe,
            limit: Self.limit)
        child.send("echo before; exit 37\n")
        child.closeInput()
        let outcome = child.finish()
        outcome.expect(status: 37)
        #expect(outcome.lines.contains("before"), "\(outcome.text)")
    }

    @Test func reboot_withNoReboot_endsWithStatus0() throws {
        let outcome = try MiniKVM.run(
            Self.options("CLOUD_KERNEL", "console=ttyS0 panic=-1 quiet loglevel=1 minikvm.bench") + ["--no-reboot"],
            limit: Self.limit)
        outcome.expect(status: 0)
        #expect(outcome.lines.count { $0 == "minikvm: init" } == 1, "\(outcome.text)")
    }

    /// The ways by which Linux restarts a machine: by ACPI's reset register, the keyboard controller, port 0xCF9, and a
    /// triple fault.
    @Test(arguments: ["", "reboot=k", "reboot=p", "reboot=t"]) func reboot_each_bootsAgain(way: String) throws {
        let child = try MiniKVM.start(
            Self.options("CLOUD_KERNEL", "console=ttyS0 panic=-1 quiet loglevel=1 minikvm.bench \(way)", cpus: 2),
            limit: Self.limit)
        try child.waitFor("minikvm: init", count: 2)
        child.signal(SIGTERM)
        let outcome = child.finish()
        outcome.expect(status: 143)
        #expect(outcome.errors.isEmpty, "\(outcome.text)")
    }

    /// A kernel that panics restarts at once, or never: either way it has died, and its last words are shown.
    @Test(arguments: [-1, 0]) func panic_recognised_endsWithStatus1AndTheLastLines(seconds: Int) throws {
        let child = try MiniKVM.start(
            Self.options("CLOUD_KERNEL", "console=ttyS0 panic=\(seconds) quiet minikvm.batch", cpus: 2), input: .pipe,
            limit: Self.limit)
        child.send("echo c >/proc/sysrq-trigger\n")
        child.closeInput()
        let outcome = child.finish()
        outcome.expect(status: 1)
        let report = Report(outcome.errors)
        #expect(
            Pattern.matches(
                report.crash, "The guest's kernel gave up: Kernel panic - not syncing: sysrq triggered crash…"),
            "\(outcome.text)")
        #expect(report.reason == "the guest's kernel gave up", "\(outcome.text)")
        // The words may have scrolled away above the call trace, which is the end of what the kernel has to say.
        let start = report.lines.firstIndex(of: "--- last lines of the console") ?? report.lines.endIndex
        #expect(report.lines[start...].count { $0.hasPrefix("  ") } >= 8, "\(outcome.text)")
        #expect(report.lines[start...].contains { $0.contains("Kernel Offset") }, "\(outcome.text)")
        report.expectShape(outcome)
    }

    @Test func panic_withoutAnInitrd_saysWhatIsMissing() throws {
        let outcome = try MiniKVM.run(
            [
                "run", "--kernel", try LinuxFiles.path("MINIKVM_CLOUD_KERNEL"), "--append",
                "console=ttyS0 panic=-1 quiet",
            ], limit: Self.limit)
        outcome.expect(status: 1)
        let report = Report(outcome.errors)
        #expect(report.crash.contains("Unable to mount root fs"), "\(outcome.text)")
        #expect(report.advice.contains("--initrd"), "\(outcome.text)")
    }
}
