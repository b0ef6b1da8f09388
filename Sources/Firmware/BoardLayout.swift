/// Every address, port and interrupt number of the PC board, in one place.
///
/// Guest-physical memory, low to high:
/// ```
/// 0000_0000  interrupt vectors and BIOS data area of real mode
/// 0000_1000  global descriptor table that the monitor leaves for protected and long mode
/// 0000_6000  PVH: hvm_start_info, module list, memory map
/// 0000_7000  Linux: boot_params, the "zero page"     (0000_7C00 when a boot sector is booted instead)
/// 0000_9000  identity page tables for long mode, 6 pages
/// 0002_0000  command line
/// 0009_FC00  extended BIOS data area
/// 000A_0000  (VGA and option ROMs on a PC: nothing here)
/// 000E_0000  ACPI tables
/// 000F_0000  MP tables, on a PC
/// 000F_FFF0  reset vector: code that resets the machine
/// 0010_0000  RAM up to the hole
/// C000_0000  the 32-bit hole: devices
/// FEC0_0000  I/O APIC
/// FEE0_0000  local APICs
/// FFFB_C000  pages that KVM itself needs on Intel CPUs
/// 1_0000_0000  the rest of the RAM
/// ```
public enum BoardLayout {
    // MARK: Low memory

    /// Word at which the BIOS data area keeps the segment of the extended BIOS data area.
    public static let extendedBIOSDataSegmentPointer: UInt64 = 0x40E
    /// Word at which the BIOS data area keeps the size of base memory in KiB.
    public static let baseMemorySizePointer: UInt64 = 0x413
    /// Four bytes at which the BIOS data area keeps offset and segment of where to go on after a reset, when the shutdown
    /// status byte in CMOS memory says so.
    public static let warmResetVector: UInt64 = 0x467
    /// Byte at which the BIOS data area keeps how many hard disks there are.
    public static let hardDiskCountPointer: UInt64 = 0x475
    /// The segment of the BIOS data area.
    public static let biosDataSegment: UInt16 = 0x40
    /// The global descriptor table left for guests that start in protected or long mode.
    public static let globalDescriptorTable: UInt64 = 0x1000
    /// `hvm_start_info` of the PVH boot protocol.
    public static let pvhStartInfo: UInt64 = 0x6000
    /// The PVH module list: one entry, the initrd.
    public static let pvhModuleList: UInt64 = 0x6040
    /// The PVH memory map, at most `pvhMemoryMapEntries` entries of 24 bytes.
    public static let pvhMemoryMap: UInt64 = 0x6080
    /// The most entries that fit between the PVH memory map and the zero page.
    public static let pvhMemoryMapEntries = 160
    /// The Linux boot protocol's `boot_params`, 4 KiB.
    public static let zeroPage: UInt64 = 0x7000
    /// Where a BIOS puts a boot sector, and jumps to.
    public static let bootSector: UInt64 = 0x7C00
    /// First stack pointer of guests that start in protected or long mode.
    public static let bootStack: UInt64 = 0x8FF0
    /// Identity page tables: PML4, page-directory-pointer table, four page directories.
    public static let pageTables: UInt64 = 0x9000
    /// The addresses that the identity page tables take.
    public static let pageTablesRange = AddressRange(start: 0x9000, end: 0xF000)
    /// First stack pointer of a user's own flat binary: it grows down from the end of free base memory.
    public static let flatStack: UInt64 = 0x9_FC00
    /// The page below it, kept free for that.
    public static let flatStackPage = AddressRange(start: 0x9_E000, end: 0x9_FC00)
    /// The first address that the identity page tables do not map.
    public static let pageTablesLimit: UInt64 = 0x1_0000_0000
    /// The command line, ended by a zero byte.
    public static let commandLine: UInt64 = 0x2_0000
    /// The most bytes of command line that have room, the zero byte included.
    public static let commandLineCapacity = 0x1_0000
    /// What the monitor may fill below 1 MiB before the first instruction; no payload may be placed in it.
    public static let bootTables = AddressRange(start: 0, end: 0x3_0000)
    /// The extended BIOS data area: 1 KiB, the top of base memory.
    public static let extendedBIOSData = AddressRange(start: 0x9_FC00, end: 0xA_0000)
    /// The end of base memory; from here to 1 MiB there are no pages that a guest may use freely.
    public static let baseMemoryEnd: UInt64 = 0xA_0000
    /// ACPI tables; the root pointer is at the start, where a guest also finds it by scanning.
    public static let acpiTables = AddressRange(start: 0xE_0000, end: 0xF_0000)
    /// What a PC's firmware takes below 1 MiB; no guest may use it as RAM.
    public static let firmware = AddressRange(start: 0xE_0000, end: 0x10_0000)
    /// The MP floating pointer, and behind it the MP configuration table (a PC only).
    public static let mpFloatingPointer: UInt64 = 0xF_0000
    /// Where they may be, with the reset vector at the end.
    public static let mpTables = AddressRange(start: 0xF_0000, end: 0x10_0000)
    /// F000:FFF0, where a PC's BIOS is entered in real mode.
    public static let resetVector: UInt64 = 0xF_FFF0
    /// 1 MiB, where extended memory starts and where payloads are placed from.
    public static let highMemory: UInt64 = 0x10_0000

    // MARK: The 32-bit hole

    /// The first address of the hole: RAM below it is contiguous from 0. A multiple of 1 GiB, so that both the
    /// guest and the host can map all RAM with the largest pages.
    public static let holeStart: UInt64 = 0xC000_0000
    /// The first address past the hole, where RAM that does not fit below it goes on.
    public static let holeEnd: UInt64 = 0x1_0000_0000
    /// The I/O APIC's registers.
    public static let ioAPIC: UInt64 = 0xFEC0_0000
    /// The local APIC's registers, the same address on each CPU.
    public static let localAPIC: UInt64 = 0xFEE0_0000
    /// One page for `KVM_SET_IDENTITY_MAP_ADDR`.
    public static let kvmIdentityMap: UInt64 = 0xFFFB_C000
    /// Three pages for `KVM_SET_TSS_ADDR`.
    public static let kvmTaskState: UInt64 = 0xFFFB_D000
    /// Where a firmware image ends: its last 16 bytes are what the first CPU executes first.
    public static let firmwareImageEnd: UInt64 = 0x1_0000_0000
    /// The largest firmware image: what lies between KVM's own pages and 4 GiB.
    public static let firmwareImageLimit: UInt64 = 0x4_0000
    /// The four pages that KVM keeps for itself.
    public static let kvmReserved = AddressRange(start: 0xFFFB_C000, end: 0xFFFC_0000)

    // MARK: Ports

    /// First of the 8 ports of the serial port COM1.
    public static let serialPort: UInt16 = 0x3F8
    /// Data port of the keyboard controller.
    public static let keyboardData: UInt16 = 0x60
    /// Command and status port of the keyboard controller.
    public static let keyboardCommand: UInt16 = 0x64
    /// System control port B: timer counter 2's gate and output, the speaker.
    public static let systemControlPortB: UInt16 = 0x61
    /// System control port A: fast reset and the gate of address line 20.
    public static let systemControlPortA: UInt16 = 0x92
    /// Index port of the real-time clock; the data port follows it.
    public static let realTimeClock: UInt16 = 0x70
    /// Power-on self-test codes.
    public static let postCode: UInt16 = 0x80
    /// Characters written here appear on the monitor's output.
    public static let debugConsole: UInt16 = 0xE9
    /// A byte written here ends the monitor with it as status.
    public static let debugExit: UInt16 = 0xF4
    /// Reset control register; also the ACPI reset register, which resets the whole machine.
    public static let resetControl: UInt16 = 0xCF9
    /// What the ACPI reset register takes to reset the machine: bit 1 "system reset", bit 2 "reset CPU".
    public static let resetValue: UInt8 = 0x06
    /// First of the 16 ports of ACPI power management; the registers below are among them.
    public static let acpiPowerManagement: UInt16 = 0x600
    /// ACPI PM1a event block: status, then enable, 2 bytes each (full ACPI only).
    public static let acpiPM1Event: UInt16 = 0x600
    /// ACPI PM1a control block, 2 bytes (full ACPI only).
    public static let acpiPM1Control: UInt16 = 0x604
    /// ACPI power-management timer, 4 bytes, 3.579545 MHz (full ACPI only).
    public static let acpiPMTimer: UInt16 = 0x608
    /// ACPI sleep control register, 1 byte (hardware-reduced ACPI).
    public static let acpiSleepControl: UInt16 = 0x60D
    /// ACPI sleep status register, 1 byte (hardware-reduced ACPI).
    public static let acpiSleepStatus: UInt16 = 0x60E
    /// SLP_TYP value of the state S5, "off", in the sleep control register and in PM1 control.
    public static let acpiSleepTypeS5: UInt8 = 5

    /// Where a channel of the ATA controller is: the first of 8 ports of its command block, its control block's port,
    /// and its interrupt.
    public typealias ATAChannelPlace = (commandBlock: UInt16, controlBlock: UInt16, interrupt: UInt8)
    /// The two channels, where a PC has had them since its first hard disk.
    public static let ataChannels: [ATAChannelPlace] = [(0x1F0, 0x3F6, 14), (0x170, 0x376, 15)]

    /// First of the 8 ports by which PCI configuration space is reached; 0xCF9 among them is another register.
    public static let pciConfiguration: UInt16 = 0xCF8
    /// First of the 12 ports at which firmware asks the monitor.
    public static let firmwareConfiguration: UInt16 = 0x510
    /// Firmware's own log.
    public static let firmwareLog: UInt16 = 0x402

    /// First of the 32 ports of the VGA.
    public static let vga: UInt16 = 0x3C0

    // MARK: Interrupts

    /// Interrupt of the keyboard controller's first port.
    public static let keyboardInterrupt: UInt8 = 1
    /// Interrupt of the keyboard controller's second port, the mouse's.
    public static let auxiliaryInterrupt: UInt8 = 12
    /// Interrupt of the serial port.
    public static let serialPortInterrupt: UInt8 = 4
    /// Interrupt of the real-time clock.
    public static let realTimeClockInterrupt: UInt8 = 8
    /// ACPI's system control interrupt (full ACPI only).
    public static let acpiInterrupt: UInt8 = 9
    /// Inputs of the I/O APIC.
    public static let ioAPICInputs = 24

    // MARK: Sizes

    /// The most CPUs that this board has.
    public static let maximumCPUs = 255

    /// Where RAM lies on this board: up to the hole, the rest after it.
    /// - Parameter bytes: the size of the RAM. What would pass the last address is left out.
    /// - Returns: one range, or two.
    public static func ramRanges(bytes: UInt64) -> [AddressRange] {
        let low = min(bytes, holeStart)
        let ranges = [AddressRange(start: 0, end: low)]
        guard bytes > low, let high = AddressRange(start: holeEnd, size: bytes - low) else { return ranges }
        return ranges + [high]
    }
}
