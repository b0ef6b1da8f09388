/// The setup header of a bzImage (Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"): what the kernel
/// says of itself. Field names are the document's, in Swift's spelling.
public struct SetupHeader: Equatable, Sendable {
    /// setup_sects: sectors of 512 bytes of real-mode code after the first; 0 means 4.
    public let setupSectors: UInt8
    /// syssize: the size of the protected-mode code in units of 16 bytes.
    public let systemSize: UInt32
    /// version: major number in the high byte.
    public let version: UInt16
    /// loadflags.
    public let loadFlags: LoadFlags
    /// initrd_addr_max: the highest address that the initrd's last byte may have.
    public let initrdAddressMaximum: UInt32
    /// kernel_alignment.
    public let kernelAlignment: UInt32
    /// relocatable_kernel: it runs at any address that is a multiple of `kernelAlignment`.
    public let isRelocatable: Bool
    /// xloadflags.
    public let extendedLoadFlags: ExtendedLoadFlags
    /// cmdline_size: the most bytes of command line, without the zero byte.
    public let commandLineSize: UInt32
    /// payload_offset: from the start of the protected-mode code to the compressed kernel.
    public let payloadOffset: UInt32
    /// payload_length.
    public let payloadLength: UInt32
    /// pref_address: where it wants to be loaded.
    public let preferredAddress: UInt64
    /// init_size: bytes of contiguous memory it needs from its run-time start before it reads its memory map.
    public let initSize: UInt32
    /// Offset of the first byte past the header, from the start of the file and of the zero page alike.
    public let end: UInt64

    /// loadflags (boot.rst, offset 0x211).
    public struct LoadFlags: OptionSet, Sendable {
        /// The bits.
        public let rawValue: UInt8
        /// Flags by their bits.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// LOADED_HIGH: the protected-mode code belongs at or above 1 MiB.
        public static let loadedHigh = LoadFlags(rawValue: 1 << 0)
    }

    /// xloadflags (boot.rst, offset 0x236).
    public struct ExtendedLoadFlags: OptionSet, Sendable {
        /// The bits.
        public let rawValue: UInt16
        /// Flags by their bits.
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        /// XLF_KERNEL_64: it has a 64-bit entry point at offset 0x200.
        public static let kernel64 = ExtendedLoadFlags(rawValue: 1 << 0)
        /// XLF_CAN_BE_LOADED_ABOVE_4G: kernel, zero page, command line and initrd may be above 4 GiB.
        public static let canBeLoadedAbove4G = ExtendedLoadFlags(rawValue: 1 << 1)
    }

    /// The first protocol version with xloadflags, which a 64-bit entry needs.
    public static let oldestVersion: UInt16 = 0x020C
}

/// Offsets of the fields of `boot_params` (the "zero page"; Linux's asm/bootparam.h). The setup header has the same
/// offsets in the file.
enum BootParamsField {
    static let acpiRootPointer: UInt64 = 0x070
    static let extendedRamdiskImage: UInt64 = 0x0C0
    static let extendedRamdiskSize: UInt64 = 0x0C4
    static let extendedCommandLinePointer: UInt64 = 0x0C8
    static let e820Entries: UInt64 = 0x1E8
    static let setupSectors: UInt64 = 0x1F1
    static let systemSize: UInt64 = 0x1F4
    static let videoMode: UInt64 = 0x1FA
    static let bootFlag: UInt64 = 0x1FE
    static let jumpOffset: UInt64 = 0x201
    static let headerMagic: UInt64 = 0x202
    static let version: UInt64 = 0x206
    static let typeOfLoader: UInt64 = 0x210
    static let loadFlags: UInt64 = 0x211
    static let code32Start: UInt64 = 0x214
    static let ramdiskImage: UInt64 = 0x218
    static let ramdiskSize: UInt64 = 0x21C
    static let commandLinePointer: UInt64 = 0x228
    static let initrdAddressMaximum: UInt64 = 0x22C
    static let kernelAlignment: UInt64 = 0x230
    static let relocatableKernel: UInt64 = 0x234
    static let extendedLoadFlags: UInt64 = 0x236
    static let commandLineSize: UInt64 = 0x238
    static let hardwareSubarchitecture: UInt64 = 0x23C
    static let hardwareSubarchitectureData: UInt64 = 0x240
    static let payloadOffset: UInt64 = 0x248
    static let payloadLength: UInt64 = 0x24C
    static let setupData: UInt64 = 0x250
    static let preferredAddress: UInt64 = 0x258
    static let initSize: UInt64 = 0x260
    /// Where the part of the zero page that belongs to the setup header ends.
    static let setupHeaderLimit: UInt64 = 0x290
    static let e820Table: UInt64 = 0x2D0

    /// "HdrS".
    static let headerMagicValue: UInt32 = 0x5372_6448
    static let bootFlagValue: UInt16 = 0xAA55
    /// type_of_loader of a loader that has no number assigned.
    static let undefinedLoader: UInt8 = 0xFF
    /// vid_mode "normal".
    static let videoModeNormal: UInt16 = 0xFFFF
    static let e820MaximumEntries = 128
    /// The size of `boot_params`.
    static let size = 4096
}
