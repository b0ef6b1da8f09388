public import ArgumentParser
public import Machine
internal import Glibc
internal import Monitor

extension MachineConfiguration.FlatMode: ExpressibleByArgument {}
extension MachineConfiguration.LinuxEntry: ExpressibleByArgument {}
extension MachineConfiguration.InterruptController: ExpressibleByArgument {}
extension MachineConfiguration.Board: ExpressibleByArgument {}
extension MachineConfiguration.TripleFault: ExpressibleByArgument {}

/// `minikvm run`: makes a machine from the flags and runs it to its end.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Runs a guest: a built-in lesson, a Linux kernel, or a program of yours.",
        discussion: """
            Examples:
              minikvm run hello
              minikvm run --kernel vmlinuz --initrd initrd.gz --append console=ttyS0
              minikvm run --flat a.bin --at 0x8000 --mode real
              minikvm run counter --trace
              minikvm run --disk xv6.img --disk fs.img --display terminal

            The guest's serial port COM1 is the terminal. While it runs, Ctrl-A x stops
            the machine, Ctrl-A s shows statistics, Ctrl-A ? lists the other keys. When
            standard input is no terminal, the guest reads it, and Ctrl-D at its end.

            A disk is locked while a machine has it: one machine may write it, and then no
            other has it at all; or any number have it as ,ro or ,snapshot, in any mixture.
            What is no minikvm does not see the lock.

            What --serial, --trace and --firmware-log name is emptied when the machine
            begins, and is refused if the machine is made of it. A pipe with a name (FIFO)
            needs its reader, or for --kernel and the like its writer, before minikvm
            starts. The guest waits for a reader who is slow; one who goes away is told,
            the guest goes on, and the status is 1 at the end.
            """)

    @Argument(help: ArgumentHelp("A built-in guest (see `minikvm guests`).", valueName: "guest"))
    var name: String?

    @Option(help: ArgumentHelp("Linux kernel: a bzImage or an uncompressed ELF.", valueName: "file"))
    var kernel: String?

    @Option(help: ArgumentHelp("Initial RAM disk for the kernel.", valueName: "file"))
    var initrd: String?

    @Option(help: ArgumentHelp("Kernel command line.", valueName: "words"))
    var append: String?

    @Option(help: ArgumentHelp("How the kernel is entered; auto unless given.", valueName: "way"))
    var entry: MachineConfiguration.LinuxEntry?

    @Option(help: ArgumentHelp("Flat binary of your own; needs --at.", valueName: "file"))
    var flat: String?

    @Option(help: ArgumentHelp("Where the flat binary lies and is entered.", valueName: "address"))
    var at: GuestAddress?

    @Option(help: ArgumentHelp("Mode the flat binary starts in; real unless given.", valueName: "mode"))
    var mode: MachineConfiguration.FlatMode?

    @Option(help: ArgumentHelp("Boot sector: 512 bytes that end in 55 AA, run at 0x7C00.", valueName: "file"))
    var bootSector: String?

    @Option(
        help: ArgumentHelp(
            "Disk, a raw image; up to four times. Alone, its sector 0 is booted. With ,ro after it the guest cannot "
                + "write it; with ,snapshot what it writes is thrown away at the end; ,rw is what it is without. A comma "
                + "of the file's name is written twice.", valueName: "file"))
    var disk: [String] = []

    @Option(
        help: ArgumentHelp("BIOS that boots the disks, such as SeaBIOS's bios.bin.", valueName: "file"))
    var firmware: String?

    @Option(help: ArgumentHelp("Video BIOS for --firmware.", valueName: "file"))
    var videoBIOS: String?

    @Option(help: ArgumentHelp("Where --firmware writes what it does (port 0x402).", valueName: "file"))
    var firmwareLog: String?

    @Option(help: ArgumentHelp("The hardware; pc with a disk, else microvm, unless given.", valueName: "board"))
    var board: MachineConfiguration.Board?

    @Option(
        name: [.customShort("m"), .long],
        help: ArgumentHelp(
            "RAM: 64M, 1G; MiB without a letter. 256M unless given, 2M for built-in guests.",
            valueName: "size"))
    var memory: MemorySize?

    @Option(
        name: [.customShort("c"), .long],
        help: ArgumentHelp("Number of CPUs; 1 unless given or the built-in guest wants more.", valueName: "n"))
    var cpus: Int?

    @Option(
        help: ArgumentHelp(
            "Interrupt controllers: KVM's, or none (HLT then ends the run); by the guest unless given.",
            valueName: "where"))
    var irqchip: MachineConfiguration.InterruptController?

    @OptionGroup
    var console: ConsoleOptions

    @Flag(help: "End when the guest resets, instead of starting it again.")
    var noReboot = false

    @Option(
        help: ArgumentHelp(
            "What becomes of a guest that triple-faults: a report, or a reboot as on a PC; report unless given. One whose "
                + "serial port has said \"reboot: Restarting system\", as Linux does, is restarted in any case.",
            valueName: "what"))
    var tripleFault: MachineConfiguration.TripleFault?

    @Flag(name: [.customShort("v"), .long], help: "Tell what is loaded where before the guest starts.")
    var verbose = false

    @Option(
        defaultAsFlag: "-",
        help: ArgumentHelp("Write a line for each exit to standard error, or to a file.", valueName: "file"))
    var trace: String?

    @Option(help: ArgumentHelp("What the trace's lines are; text unless given.", valueName: "format"))
    var traceFormat: TraceFormat?

    @Flag(help: "Count exits and the time they take, and show both at the end.")
    var stats = false

    @Option(help: ArgumentHelp("The KVM device.", valueName: "path"))
    var kvm = "/dev/kvm"

    func run() throws {
        var configuration = try machineConfiguration()
        configuration.kvmPath = kvm
        configuration.tripleFault = tripleFault ?? .report
        let errors = configuration.validate()
        guard errors.isEmpty else {
            throw Failure.usage(errors.map(\.description).joined(separator: "\nminikvm: "))
        }
        try console.check(configuration.board)
        let serialPath: String? = if case .file(let path) = console.serialTarget { path } else { nil }
        let outputs = try RunOutputs(
            RunOutputs.Paths(
                trace: trace, firmwareLog: firmwareLog, serial: serialPath, control: console.control),
            inputs: configuration.inputFiles)
        defer { outputs.discard() }
        let session = try RunSession(
            options: RunSession.Options(
                reboots: !noReboot, isVerbose: verbose, showsStatistics: stats, console: console),
            observation: Observation(
                cpus: configuration.cpus, trace: outputs.trace, traceFormat: traceFormat ?? .text,
                // Somebody at a terminal may ask by Ctrl-A s.
                measuresTime: stats || trace != nil || isatty(STDIN_FILENO) == 1),
            outputs: outputs)
        throw ExitCode(try session.run(configuration))
    }

    /// What the flags say, as a value.
    func machineConfiguration() throws -> MachineConfiguration {
        let sources: [(String, Bool)] = [
            ("a built-in guest", name != nil), ("--kernel", kernel != nil), ("--flat", flat != nil),
            ("--boot-sector", bootSector != nil),
        ]
        let given = sources.filter(\.1).map(\.0)
        guard given.count == 1 || (given.isEmpty && (!disk.isEmpty || firmware != nil)) else {
            throw Failure.usage(
                given.isEmpty
                    ? "run: nothing to run; name a built-in guest (`minikvm guests`), or give --kernel, --disk, "
                        + "--flat or --boot-sector"
                    : "run: \(given.joined(separator: " and ")) exclude each other; give one of them")
        }
        try refuse(
            [("--initrd", initrd != nil), ("--append", append != nil), ("--entry", entry != nil)],
            without: "--kernel", kernel != nil)
        try refuse(
            [("--video-bios", videoBIOS != nil), ("--firmware-log", firmwareLog != nil)], without: "--firmware",
            firmware != nil)
        try refuse([("--trace-format", traceFormat != nil)], without: "--trace", trace != nil)
        try refuse([("--at", at != nil), ("--mode", mode != nil)], without: "--flat", flat != nil)

        let disks = try disks()
        if let name {
            guard let guest = BuiltInGuest.named(name) else {
                throw Failure.usage("run: there is no built-in guest '\(name)'; `minikvm guests` lists them")
            }
            if guest.needsInterruptController, irqchip == MachineConfiguration.InterruptController.none {
                throw Failure.usage("run \(name): this guest uses interrupt controllers; leave out --irqchip none")
            }
            if guest.needs32BitPaging { try refuseWithout32BitPaging(name) }
            if guest.isDisk {
                return MachineConfiguration(
                    guest: .disk, memoryBytes: memory?.bytes ?? 16 << 20, cpus: cpus ?? guest.cpus,
                    interruptController: irqchip, board: board, disks: guest.disks + disks)
            }
            return MachineConfiguration(
                guest: .program(name: name, bytes: guest.bytes, address: guest.address),
                memoryBytes: memory?.bytes ?? 2 << 20, cpus: cpus ?? guest.cpus,
                interruptController: irqchip ?? (guest.needsInterruptController ? .kernel : nil), board: board,
                disks: disks)
        }
        let guest: MachineConfiguration.Guest
        if let kernel {
            guest = .linux(kernel: kernel, initrd: initrd, commandLine: append ?? "", entry: entry ?? .automatic)
        } else if let flat {
            guard let at else { throw Failure.usage("run: --flat needs --at; such as --at 0x8000") }
            guest = .flat(path: flat, address: at.value, mode: mode ?? .real)
        } else if let bootSector {
            guest = .bootSector(path: bootSector)
        } else {
            guest = .disk
        }
        var configuration = MachineConfiguration(
            guest: guest, memoryBytes: memory?.bytes ?? 256 << 20, cpus: cpus ?? 1, interruptController: irqchip,
            board: board ?? (firmware == nil ? nil : .pc), disks: disks)
        configuration.firmware = firmware.map { MachineConfiguration.Firmware(path: $0, videoBIOS: videoBIOS) }
        return configuration
    }

    private func disks() throws -> [MachineConfiguration.Disk] {
        try disk.map { try MachineConfiguration.Disk(argument: $0) }
    }

    /// Says beforehand what would end as a guest's incomprehensible death: this KVM lacks what the guest is about.
    private func refuseWithout32BitPaging(_ name: String) throws {
        // Only the usual device is known to be this host's module. One that cannot be asked is reported later.
        guard kvm == "/dev/kvm", let objection = try? BedProbe().paging32Objection else { return }
        throw Failure.failed("run \(name): \(objection)")
    }

    private func refuse(_ options: [(String, Bool)], without needed: String, _ isThere: Bool) throws {
        guard !isThere, let option = options.first(where: \.1)?.0 else { return }
        throw Failure.usage("run: \(option) goes with \(needed), which is not there")
    }
}
