/// What the ACPI tables tell the guest about the board.
public struct ACPIConfiguration: Equatable, Sendable {
    /// How the guest switches the machine off.
    public enum PowerManagement: Equatable, Sendable {
        /// Hardware-reduced ACPI: a sleep control register and nothing else. A guest then looks for no ACPI interrupt,
        /// no fixed events, no power-management timer, and Linux leaves the PIC and the PIT alone as well: the
        /// fewest exits on the way up.
        case hardwareReduced
        /// Full ACPI: PM1 event and control blocks, the timer, and a system control interrupt.
        case full
    }

    /// An ISA interrupt that arrives at another input of the I/O APIC than that of its number.
    public struct InterruptOverride: Equatable, Sendable {
        /// The ISA interrupt.
        public var source: UInt8
        /// The input of the I/O APIC.
        public var globalInterrupt: UInt32
        /// MPS INTI flags (ACPI 6.3, table 5-50): polarity in bits 0 and 1, trigger mode in bits 2 and 3.
        public var flags: UInt16

        /// An ISA interrupt that arrives at another input.
        public init(source: UInt8, globalInterrupt: UInt32, flags: UInt16 = 0) {
            self.source = source
            self.globalInterrupt = globalInterrupt
            self.flags = flags
        }

        /// Level-triggered, active high.
        public static let levelHigh: UInt16 = 0b1101
    }

    /// A serial port of the kind of COM1 (PNP0501).
    public struct SerialPort: Equatable, Sendable {
        /// The first of its 8 ports.
        public var port: UInt16
        /// Its ISA interrupt.
        public var interrupt: UInt8

        /// A serial port of the kind of COM1.
        public init(port: UInt16, interrupt: UInt8) {
            self.port = port
            self.interrupt = interrupt
        }
    }

    /// A virtio device on the MMIO transport (LNRO0005).
    public struct VirtioDevice: Equatable, Sendable {
        /// Its registers' address.
        public var address: UInt32
        /// The size of its registers in bytes.
        public var size: UInt32
        /// Its interrupt, an input of the I/O APIC.
        public var interrupt: UInt32

        /// A virtio device on the MMIO transport.
        public init(address: UInt32, size: UInt32, interrupt: UInt32) {
            self.address = address
            self.size = size
            self.interrupt = interrupt
        }
    }

    /// The APIC identifier of each CPU, the first one first. An identifier is also the processor's UID.
    public var apicIdentifiers: [UInt32]
    /// How the guest switches the machine off.
    public var powerManagement: PowerManagement
    /// ISA interrupts that are wired otherwise. KVM's own routing wires each to the input of its number, the timer's
    /// too, so none is needed with it.
    public var interruptOverrides: [InterruptOverride]
    /// The serial ports.
    public var serialPorts: [SerialPort]
    /// Whether the guest shall look for a keyboard. Without, Linux does not probe the controller's ports; the
    /// controller may still be there to reset the machine.
    public var hasKeyboardController: Bool
    /// Whether there is a real-time clock at ports 0x70 and 0x71.
    public var hasRealTimeClock: Bool
    /// Whether there is a PCI bus.
    public var hasPCI: Bool
    /// Virtio devices on the MMIO transport.
    public var virtioDevices: [VirtioDevice]

    /// A board with `cpus` CPUs, COM1 and a real-time clock.
    public init(cpus: Int) {
        apicIdentifiers = (0..<max(cpus, 1)).map { UInt32(truncatingIfNeeded: $0) }
        powerManagement = .hardwareReduced
        interruptOverrides = []
        serialPorts = [SerialPort(port: BoardLayout.serialPort, interrupt: BoardLayout.serialPortInterrupt)]
        hasKeyboardController = false
        hasRealTimeClock = true
        hasPCI = false
        virtioDevices = []
    }
}
