extension SetupHeader {
    /// Reads and checks the header of a file.
    init(_ image: ImageBytes) throws(LinuxImageError) {
        typealias Field = BootParamsField
        if image.count == 0 { throw .empty }
        let size = UInt64(image.count)
        // The last field that every version from 2.12 on has is init_size.
        let shortest = Field.initSize + 4
        guard let magic = image.load(UInt32.self, at: Field.headerMagic) else {
            throw .notLinux(guess: guessedFormat(image) ?? "the file ends within the header, after byte \(size)")
        }
        guard magic == Field.headerMagicValue,
            image.load(UInt16.self, at: Field.bootFlag) == Field.bootFlagValue
        else { throw .notLinux(guess: magic == Field.headerMagicValue ? nil : guessedFormat(image)) }
        guard let version = image.load(UInt16.self, at: Field.version) else {
            throw .truncated(needed: shortest, actual: size)
        }
        if version < SetupHeader.oldestVersion { throw .protocolTooOld(version: version) }

        // The header ends where the two-byte jump at 0x200 lands: its offset byte counts from 0x202.
        guard let jump = image.load(UInt8.self, at: Field.jumpOffset) else {
            throw .truncated(needed: shortest, actual: size)
        }
        let end = Field.headerMagic + UInt64(jump)
        if end < shortest { throw .headerTooShort(end: end) }
        guard let header = image.slice(at: 0, count: end) else { throw .truncated(needed: end, actual: size) }

        self.version = version
        self.end = end
        setupSectors = header.field(Field.setupSectors)
        systemSize = header.field(Field.systemSize)
        loadFlags = LoadFlags(rawValue: header.field(Field.loadFlags))
        initrdAddressMaximum = header.field(Field.initrdAddressMaximum)
        kernelAlignment = header.field(Field.kernelAlignment)
        isRelocatable = header.field(Field.relocatableKernel) as UInt8 != 0
        extendedLoadFlags = ExtendedLoadFlags(rawValue: header.field(Field.extendedLoadFlags))
        commandLineSize = header.field(Field.commandLineSize)
        payloadOffset = header.field(Field.payloadOffset)
        payloadLength = header.field(Field.payloadLength)
        preferredAddress = header.field(Field.preferredAddress)
        initSize = header.field(Field.initSize)

        if !loadFlags.contains(.loadedHigh) { throw .notLoadedHigh }
        if !extendedLoadFlags.contains(.kernel64) { throw .not64Bit }
        let isPowerOfTwo = kernelAlignment.nonzeroBitCount == 1
        if isRelocatable, !isPowerOfTwo { throw .invalidAlignment(kernelAlignment) }
    }
}

extension ImageBytes {
    /// A field of a header whose bounds have been checked.
    fileprivate func field<Number: FixedWidthInteger & BitwiseCopyable>(_ offset: UInt64) -> Number {
        load(Number.self, at: offset) ?? 0
    }
}
