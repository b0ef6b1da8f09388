internal import Firmware

/// Linux's `boot_params`, the page that RSI points to (Documentation/arch/x86/zero-page.rst).
///
/// All fields that are not set here stay 0, as the protocol asks: no screen, no disks, no `setup_data`,
/// `hardware_subarch` "PC".
struct ZeroPage {
    /// The page's bytes.
    private(set) var bytes = [UInt8](repeating: 0, count: BootParamsField.size)

    private typealias Field = BootParamsField

    /// The page with the memory map, the initrd, the command line and the ACPI root pointer.
    init(_ parameters: BootParameters, initrd: AddressRange?) throws(BootParametersError) {
        let lines = parameters.memoryMap.entries
        if lines.count > Field.e820MaximumEntries {
            throw .memoryMapTooLong(count: lines.count, maximum: Field.e820MaximumEntries)
        }
        set(UInt8(lines.count), at: Field.e820Entries)
        for (index, line) in lines.enumerated() {
            let entry = Field.e820Table + UInt64(index) * 20
            set(line.range.start, at: entry)
            set(line.range.size, at: entry + 8)
            set(line.kind.rawValue, at: entry + 16)
        }
        set(parameters.acpiRootPointer ?? 0, at: Field.acpiRootPointer)
        setLoaderFields(initrd: initrd)
    }

    /// Takes over the setup header of a bzImage, then sets the fields of it that are the loader's to set.
    mutating func copySetupHeader(of image: LinuxImage, loadedAt address: UInt64, initrd: AddressRange?) {
        let first = Int(Field.setupSectors)
        let end = Int(min(image.header.end, Field.setupHeaderLimit))
        for index in first..<end {
            bytes[index] = image.image.load(UInt8.self, at: UInt64(index)) ?? 0
        }
        set(Field.videoModeNormal, at: Field.videoMode)
        set(UInt32(truncatingIfNeeded: address), at: Field.code32Start)
        set(0 as UInt32, at: Field.hardwareSubarchitecture)
        set(0 as UInt64, at: Field.hardwareSubarchitectureData)
        set(0 as UInt64, at: Field.setupData)
        setLoaderFields(initrd: initrd)
    }

    /// Makes up the setup header for a kernel that comes without one, an ELF `vmlinux`.
    mutating func setMinimalHeader(commandLineSize: UInt32) {
        set(Field.bootFlagValue, at: Field.bootFlag)
        set(Field.headerMagicValue, at: Field.headerMagic)
        set(SetupHeader.oldestVersion, at: Field.version)
        set(SetupHeader.LoadFlags.loadedHigh.rawValue, at: Field.loadFlags)
        set(Field.videoModeNormal, at: Field.videoMode)
        set(commandLineSize, at: Field.commandLineSize)
    }

    /// The fields that tell who loaded what to where. 64-bit addresses are split over two fields.
    private mutating func setLoaderFields(initrd: AddressRange?) {
        set(Field.undefinedLoader, at: Field.typeOfLoader)
        set(UInt32(truncatingIfNeeded: BoardLayout.commandLine), at: Field.commandLinePointer)
        set(UInt32(truncatingIfNeeded: BoardLayout.commandLine >> 32), at: Field.extendedCommandLinePointer)
        let start = initrd?.start ?? 0
        let size = initrd?.size ?? 0
        set(UInt32(truncatingIfNeeded: start), at: Field.ramdiskImage)
        set(UInt32(truncatingIfNeeded: start >> 32), at: Field.extendedRamdiskImage)
        set(UInt32(truncatingIfNeeded: size), at: Field.ramdiskSize)
        set(UInt32(truncatingIfNeeded: size >> 32), at: Field.extendedRamdiskSize)
    }

    /// Stores a number, little-endian. Every offset here is a constant inside the page.
    private mutating func set<Number: FixedWidthInteger>(_ value: Number, at offset: UInt64) {
        for byte in 0..<Number.bitWidth / 8 {
            bytes[Int(offset) + byte] = UInt8(truncatingIfNeeded: value >> Number(byte * 8))
        }
    }
}
