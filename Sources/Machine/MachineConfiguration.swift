/// Everything that decides what a machine is. A value: the same whether it came from flags, a file or a program.
public struct MachineConfiguration: Codable, Equatable, Sendable {
    /// What the machine runs.
    public enum Guest: Codable, Equatable, Sendable {
        /// A program that the monitor carries or a test made: a flat binary entered in real mode.
        case program(name: String, bytes: [UInt8], address: UInt64)
        /// A flat binary from a file.
        case flat(path: String, address: UInt64, mode: FlatMode)
        /// A file whose first 512 bytes are a boot sector; they are placed at 0x7C00, and nothing else of it.
        case bootSector(path: String)
        /// Sector 0 of the first disk; or what the firmware makes of the disks, where there is one.
        case disk
        /// A Linux kernel: a bzImage, or an uncompressed ELF.
        case linux(kernel: String, initrd: String?, commandLine: String, entry: LinuxEntry)
    }

    /// The mode in which a flat binary is entered.
    public enum FlatMode: String, Codable, Equatable, Sendable, CaseIterable {
        case real, protected, long
    }

    /// How a Linux kernel is entered.
    public enum LinuxEntry: String, Codable, Equatable, Sendable, CaseIterable {
        /// The way that gets the kernel up soonest.
        case automatic = "auto"
        /// The 64-bit boot protocol; the bzImage decompresses itself.
        case linux64 = "bzimage"
        /// The PVH entry of an uncompressed ELF, or of the one inside a bzImage.
        case pvh
    }

    /// The hardware around CPUs and memory.
    public enum Board: String, Codable, Equatable, Sendable, CaseIterable {
        /// The least that a kernel needs: serial port, clock, keyboard controller for the reset, hardware-reduced ACPI.
        case microVM = "microvm"
        /// A PC as kernels of all ages expect it: that, and PCI, disks, screen and keyboard, MP tables, full ACPI.
        case pc
    }

    /// A disk, given as a raw image: its bytes are the disk's, sector by sector.
    public struct Disk: Codable, Equatable, Sendable {
        /// What becomes of the guest's writes.
        public enum Access: String, Codable, Equatable, Sendable, CaseIterable {
            /// They go to the image.
            case readWrite = "rw"
            /// The drive refuses them.
            case readOnly = "ro"
            /// They are kept as long as the monitor runs, and then discarded.
            case snapshot
        }

        /// The image's path.
        public var path: String
        /// What becomes of the guest's writes.
        public var access: Access
        /// What is on a disk that is in no file; the path is its name then.
        public var contents: [UInt8]?

        /// A disk in memory, which lasts as long as the monitor runs.
        public init(name: String, contents: [UInt8]) {
            path = name
            access = .snapshot
            self.contents = contents
        }

        /// - Parameters:
        ///   - path: the image's path.
        ///   - access: what becomes of the guest's writes.
        public init(path: String, access: Access = .readWrite) {
            self.path = path
            self.access = access
        }
    }

    /// A PC's firmware, from files.
    public struct Firmware: Codable, Equatable, Sendable {
        /// The BIOS image's path.
        public var path: String
        /// The path of the video BIOS's image.
        public var videoBIOS: String?

        /// - Parameters:
        ///   - path: the BIOS image's path.
        ///   - videoBIOS: the path of the video BIOS's image.
        public init(path: String, videoBIOS: String? = nil) {
            self.path = path
            self.videoBIOS = videoBIOS
        }
    }

    /// What a triple fault is.
    public enum TripleFault: String, Codable, Equatable, Sendable, CaseIterable {
        /// The guest's death, which is reported.
        case report
        /// A way to restart the machine, as on a PC's board, which answers the processor's shutdown by a reset.
        case reboot
    }

    /// Who answers for the interrupt controllers.
    public enum InterruptController: String, Codable, Equatable, Sendable, CaseIterable {
        /// The kernel: PICs, I/O APIC, local APICs and PIT.
        case kernel
        /// Nobody: there are no interrupts, and HLT ends the run.
        case none
    }

    /// What runs.
    public var guest: Guest
    /// Bytes of RAM; a multiple of 4096.
    public var memoryBytes: UInt64
    /// How many CPUs.
    public var cpus: Int
    /// Who answers for the interrupt controllers.
    public var interruptController: InterruptController
    /// The hardware around them.
    public var board: Board
    /// The disks: first and second drive of the first channel, then of the second.
    public var disks: [Disk]
    /// The firmware that boots from the disks; nil boots the first disk's first sector without any.
    public var firmware: Firmware?
    /// What a triple fault is. A kernel that says it restarts is believed either way.
    public var tripleFault = TripleFault.report
    /// The KVM device.
    public var kvmPath: String = "/dev/kvm"

    /// The most disks: two on each of two channels.
    public static let maximumDisks = 4
    /// The least RAM: what real mode can address.
    public static let minimumMemoryBytes: UInt64 = 1 << 20
    /// The most CPUs that the board's tables can name.
    public static let maximumCPUs = 255

    /// - Parameters:
    ///   - guest: what runs.
    ///   - memoryBytes: bytes of RAM.
    ///   - cpus: how many CPUs.
    ///   - interruptController: who answers for the interrupt controllers; nil chooses by the guest.
    ///   - board: the hardware around them; nil is a PC where something asks for one: a disk.
    ///   - disks: at most four.
    public init(
        guest: Guest, memoryBytes: UInt64 = 256 << 20, cpus: Int = 1,
        interruptController: InterruptController? = nil, board: Board? = nil, disks: [Disk] = []
    ) {
        self.guest = guest
        self.memoryBytes = memoryBytes
        self.cpus = cpus
        self.disks = disks
        let board = board ?? (disks.isEmpty && guest != .disk ? .microVM : .pc)
        self.board = board
        let isLinux = if case .linux = guest { true } else { false }
        self.interruptController = interruptController ?? (isLinux || cpus > 1 || board == .pc ? .kernel : .none)
    }

    /// Whether a Linux kernel runs.
    var isLinux: Bool { if case .linux = guest { true } else { false } }
    /// Where the number of CPUs is left for a built-in guest, as a byte: the first one past a PC's BIOS data area.
    public static let cpuCountAddress: UInt64 = 0x500
}

/// One thing that is wrong with a configuration, found before anything is opened.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// One line: what was asked for, why it cannot be, what to do.
    public let description: String
}

extension MachineConfiguration {
    /// Everything that is wrong with it, all at once; empty when it can be tried.
    public func validate() -> [ConfigurationError] {
        var errors: [ConfigurationError] = []
        func refuse(_ text: String) { errors.append(ConfigurationError(description: text)) }

        if memoryBytes < Self.minimumMemoryBytes {
            refuse("memory of \(memoryBytes) bytes: too little; give at least 1M")
        } else if memoryBytes % 4096 != 0 {
            refuse("memory of \(memoryBytes) bytes: not a multiple of 4096; give a whole number of MiB, such as 256M")
        } else if memoryBytes > 1 << 46 {
            refuse("memory of \(memoryBytes) bytes: more than the 64 TiB that x86-64 can map; give less")
        }
        if cpus < 1 {
            refuse("\(cpus) CPUs: a machine needs at least one; give --cpus 1 or more")
        } else if cpus > Self.maximumCPUs {
            refuse("\(cpus) CPUs: the board's tables name at most \(Self.maximumCPUs); give fewer")
        }
        if interruptController == .none {
            if cpus > 1 {
                refuse(
                    "\(cpus) CPUs without an interrupt controller: nothing could start the others; add --irqchip kernel"
                )
            }
            if case .linux = guest {
                refuse("Linux without an interrupt controller cannot run; leave out --irqchip none")
            }
        }
        refuseDisks(refuse)
        refuseFirmware(refuse)
        switch guest {
        case .disk:
            if disks.isEmpty, firmware == nil { refuse("a disk to boot from: there is none; give --disk FILE") }
        case .program(_, let bytes, let address):
            refuseOutside(address, UInt64(bytes.count), advice: "give more --memory", refuse)
        case .flat(let path, let address, let mode):
            if path.isEmpty { refuse("flat binary: the path is empty; name a file") }
            if mode == .real, address > 0xF_FFFF {
                refuse("flat binary at 0x\(String(address, radix: 16)): real mode reaches 0xFFFFF; give a lower --at")
            } else if mode != .real, address > 0xFFFF_FFFF {
                refuse(
                    "flat binary at 0x\(String(address, radix: 16)): beyond the 4 GiB that are mapped; give a lower --at"
                )
            } else {
                refuseOutside(address, 0, advice: "give a lower --at or more --memory", refuse)
            }
        case .bootSector(let path):
            if path.isEmpty { refuse("boot sector: the path is empty; name a file") }
        case .linux(let kernel, let initrd, let commandLine, _):
            if kernel.isEmpty { refuse("kernel: the path is empty; name a file") }
            if initrd == "" { refuse("initrd: the path is empty; name a file or leave --initrd out") }
            if commandLine.utf8.contains(0) { refuse("kernel command line: it holds a zero byte; take it out") }
        }
        return errors
    }

    private func refuseDisks(_ refuse: (String) -> Void) {
        if disks.count > Self.maximumDisks {
            refuse("\(disks.count) disks: the board has two channels with two drives each; give at most four")
        }
        if disks.contains(where: { $0.path.isEmpty }) { refuse("disk: the path is empty; name an image file") }
        if !disks.isEmpty, board == .microVM {
            refuse("a disk on the board microvm, which has no controller for it; leave out --board microvm")
        }
        if board == .pc, interruptController == .none {
            refuse("a PC without interrupt controllers: its devices could not be heard; leave out --irqchip none")
        }
    }

    private func refuseFirmware(_ refuse: (String) -> Void) {
        guard let firmware else { return }
        if firmware.path.isEmpty || firmware.videoBIOS == "" { refuse("firmware: the path is empty; name a file") }
        if guest != .disk { refuse("firmware with something else to run: it boots disks; give one of the two") }
        if board == .microVM { refuse("firmware on the board microvm; leave out --board microvm") }
    }

    private func refuseOutside(_ address: UInt64, _ size: UInt64, advice: String, _ refuse: (String) -> Void) {
        // Too little memory has been told already.
        if memoryBytes < Self.minimumMemoryBytes { return }
        let hex = "0x" + String(address, radix: 16)
        if address >= 0xC000_0000, address < 0x1_0000_0000 {
            refuse("guest at \(hex): in the hole from 0xc0000000 to 4 GiB, where devices are; give another --at")
        } else if address >= memoryBytes || size > memoryBytes - address {
            refuse("guest at \(hex): outside the \(memoryBytes >> 20) MiB of memory; \(advice)")
        }
    }
}
