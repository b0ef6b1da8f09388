/// The names of the PC's I/O ports, local and I/O APIC registers and MSRs.
///
/// They are names, not devices: whether a machine has something there is the machine's affair. Nothing here
/// allocates, so that a line of the trace does not either.
public enum KnownAddresses {
    /// A device's name and its register's; an empty register where the address has none of its own.
    public struct Name: Sendable {
        /// Such as `COM1`.
        public let device: StaticString
        /// Such as `THR`.
        public let register: StaticString

        init(_ device: StaticString, _ register: StaticString = "") {
            self.device = device
            self.register = register
        }

        /// Both, apart by a space.
        public var text: String { register.utf8CodeUnitCount == 0 ? "\(device)" : "\(device) \(register)" }
    }

    /// The name of an I/O port, or nil for one that a PC has nothing at.
    /// - Parameter isWrite: registers of one port may differ for reading and writing.
    public static func port(_ port: UInt64, isWrite: Bool) -> Name? {
        switch port {
        case 0x3F8...0x3FF: Name("COM1", uart(port & 7, isWrite))
        case 0x2F8...0x2FF: Name("COM2", uart(port & 7, isWrite))
        case 0x3E8...0x3EF: Name("COM3", uart(port & 7, isWrite))
        case 0x2E8...0x2EF: Name("COM4", uart(port & 7, isWrite))
        case 0x00...0x0F: Name("DMA1")
        case 0x20: Name("PIC1", isWrite ? "command" : "IRR/ISR")
        case 0x21: Name("PIC1", isWrite ? "data" : "IMR")
        case 0x40: Name("PIT", "channel 0")
        case 0x41: Name("PIT", "channel 1")
        case 0x42: Name("PIT", "channel 2")
        case 0x43: Name("PIT", "control")
        case 0x60: Name("keyboard", "data")
        case 0x61: Name("port B", "speaker/PIT gate")
        case 0x64: Name("keyboard", isWrite ? "command" : "status")
        case 0x70: Name("CMOS", "index")
        case 0x71: Name("CMOS", "data")
        case 0x80: Name("POST code")
        case 0x81...0x8F: Name("DMA page")
        case 0x92: Name("port A", "fast A20/reset")
        case 0xA0: Name("PIC2", isWrite ? "command" : "IRR/ISR")
        case 0xA1: Name("PIC2", isWrite ? "data" : "IMR")
        case 0xB2, 0xB3: Name("APM control")
        case 0xC0...0xDF: Name("DMA2")
        case 0xE9: Name("debug console")
        case 0xED: Name("I/O delay")
        case 0xF0, 0xF1: Name("x87 error")
        case 0xF4: Name("debug exit")
        case 0x170...0x177: Name("IDE2", ide(port & 7, isWrite))
        case 0x1F0...0x1F7: Name("IDE1", ide(port & 7, isWrite))
        case 0x376: Name("IDE2", isWrite ? "control" : "alternate status")
        case 0x3F6: Name("IDE1", isWrite ? "control" : "alternate status")
        case 0x378...0x37A: Name("LPT1")
        case 0x3C0...0x3CF: Name("VGA")
        case 0x3B4, 0x3D4: Name("VGA CRTC", "index")
        case 0x3B5, 0x3D5: Name("VGA CRTC", "data")
        case 0x3BA, 0x3DA: Name("VGA", "status 1")
        case 0x3F0...0x3F5, 0x3F7: Name("floppy")
        case 0x4D0: Name("ELCR", "IRQ 0 to 7")
        case 0x4D1: Name("ELCR", "IRQ 8 to 15")
        case 0x510: Name("fw_cfg", "selector")
        case 0x511: Name("fw_cfg", "data")
        case 0x600...0x605: Name("ACPI", acpi(port & 7))
        case 0xCF8: Name("PCI", "address")
        case 0xCF9: Name("reset control")
        case 0xCFC...0xCFF: Name("PCI", "data")
        case 0x5658: Name("VMware backdoor")
        case 0x8900: Name("Bochs shutdown")
        default: nil
        }
    }

    /// The 16550's registers (National Semiconductor PC16550D, table II), without regard to DLAB.
    private static func uart(_ offset: UInt64, _ isWrite: Bool) -> StaticString {
        switch offset {
        case 0: isWrite ? "THR" : "RBR"
        case 1: "IER"
        case 2: isWrite ? "FCR" : "IIR"
        case 3: "LCR"
        case 4: "MCR"
        case 5: "LSR"
        case 6: "MSR"
        default: "SCR"
        }
    }

    /// The ATA command block (ATA/ATAPI-6, section 7).
    private static func ide(_ offset: UInt64, _ isWrite: Bool) -> StaticString {
        switch offset {
        case 0: "data"
        case 1: isWrite ? "features" : "error"
        case 2: "sector count"
        case 3: "LBA low"
        case 4: "LBA mid"
        case 5: "LBA high"
        case 6: "device"
        default: isWrite ? "command" : "status"
        }
    }

    private static func acpi(_ offset: UInt64) -> StaticString {
        switch offset {
        case 0, 1: "PM1 status"
        case 2, 3: "PM1 enable"
        default: "PM1 control"
        }
    }

    /// The name of a guest-physical address that is no RAM on a PC, or nil.
    public static func memory(_ address: UInt64) -> Name? {
        switch address {
        case 0xA_0000..<0xB_0000: Name("VGA", "graphics")
        case 0xB_0000..<0xB_8000: Name("VGA", "mono text")
        case 0xB_8000..<0xC_0000: Name("VGA", "text")
        case 0xC_0000..<0xF_0000: Name("option ROM")
        case 0xF_0000..<0x10_0000: Name("BIOS ROM")
        case 0xFEC0_0000: Name("IOAPIC", "IOREGSEL")
        case 0xFEC0_0010: Name("IOAPIC", "IOWIN")
        case 0xFEC0_0040: Name("IOAPIC", "EOI")
        case 0xFEC0_0000..<0xFEC0_1000: Name("IOAPIC")
        case 0xFED0_0000..<0xFED0_0400: Name("HPET")
        case 0xFED4_0000..<0xFED4_5000: Name("TPM")
        case 0xFEE0_0000..<0xFEE0_1000: Name("LAPIC", localAPIC(address & 0xFF0))
        case 0xFFFC_0000...0xFFFF_FFFF: Name("BIOS ROM")
        default: nil
        }
    }

    /// The local APIC's registers (Intel SDM volume 3, table 11-1); x2APIC's MSRs are 0x800 plus a 16th of the offset.
    private static func localAPIC(_ offset: UInt64) -> StaticString {
        switch offset {
        case 0x020: "ID"
        case 0x030: "version"
        case 0x080: "TPR"
        case 0x090: "APR"
        case 0x0A0: "PPR"
        case 0x0B0: "EOI"
        case 0x0C0: "RRD"
        case 0x0D0: "LDR"
        case 0x0E0: "DFR"
        case 0x0F0: "SVR"
        case 0x100...0x170: "ISR"
        case 0x180...0x1F0: "TMR"
        case 0x200...0x270: "IRR"
        case 0x280: "ESR"
        case 0x2F0: "LVT CMCI"
        case 0x300: "ICR"
        case 0x310: "ICR high"
        case 0x320: "LVT timer"
        case 0x330: "LVT thermal"
        case 0x340: "LVT PMC"
        case 0x350: "LVT LINT0"
        case 0x360: "LVT LINT1"
        case 0x370: "LVT error"
        case 0x380: "initial count"
        case 0x390: "current count"
        case 0x3E0: "divide"
        case 0x3F0: "self IPI"
        default: ""
        }
    }
}
