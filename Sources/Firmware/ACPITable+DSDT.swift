extension ACPITable {
    /// The differentiated system description table (ACPI 6.3, 5.2.11.1): the devices that cannot be found by
    /// looking, and the value that switches the machine off.
    ///
    /// CPUs are not among them: the MADT has them, and objects in the namespace would only carry idle and
    /// performance states, which there are none of.
    static func dsdt(_ configuration: ACPIConfiguration) -> ACPITable {
        var devices: [AML] = []
        for (index, serial) in configuration.serialPorts.enumerated() {
            devices.append(
                .device(
                    "C", index,
                    [
                        .name("_HID", .eisaIdentifier("PNP0501")),
                        .name("_UID", .integer(UInt64(index))),
                        .name(
                            "_CRS", .resourceTemplate([.ports(serial.port, count: 8), .isaInterrupt(serial.interrupt)])),
                    ]))
        }
        if configuration.hasKeyboardController { devices += [keyboard, mouse] }
        if configuration.hasPCI { devices.append(hostBridge) }
        if configuration.hasRealTimeClock { devices.append(realTimeClock) }
        for (index, virtio) in configuration.virtioDevices.enumerated() {
            devices.append(
                .device(
                    "V", index,
                    [
                        .name("_HID", .string("LNRO0005")),
                        .name("_UID", .integer(UInt64(index))),
                        .name("_CCA", .integer(1)),  // its memory accesses are cache-coherent
                        .name(
                            "_CRS",
                            .resourceTemplate([
                                .memory(virtio.address, size: virtio.size), .interrupt(virtio.interrupt),
                            ])),
                    ]))
        }

        let sleepType = UInt64(BoardLayout.acpiSleepTypeS5)
        var contents = LittleEndianBytes()
        contents.append(
            contentsOf: AML.joined([
                .name("\\_S5", .package([.integer(sleepType), .integer(sleepType), .integer(0), .integer(0)])),
                .scope("\\_SB", devices),
            ]))
        return ACPITable("DSDT", revision: 2, contents: contents)
    }

    private static let keyboard: AML = .device(
        "KBD",
        [
            .name("_HID", .eisaIdentifier("PNP0303")),
            .name(
                "_CRS",
                .resourceTemplate([
                    .ports(BoardLayout.keyboardData, count: 1), .ports(BoardLayout.keyboardCommand, count: 1),
                    .isaInterrupt(BoardLayout.keyboardInterrupt),
                ])),
        ])

    private static let mouse: AML = .device(
        "MOU",
        [
            .name("_HID", .eisaIdentifier("PNP0F13")),
            .name("_CRS", .resourceTemplate([.isaInterrupt(BoardLayout.auxiliaryInterrupt)])),
        ])

    /// PCI bus 0. None of its devices has an interrupt of PCI's own, so there is nothing to route.
    private static let hostBridge: AML = .device(
        "PCI0",
        [
            .name("_HID", .eisaIdentifier("PNP0A03")),
            .name("_UID", .integer(0)),
            .name(
                "_CRS",
                .resourceTemplate([
                    .buses(0...0), .ports(BoardLayout.pciConfiguration, count: 8),
                    .passedPorts(0...BoardLayout.pciConfiguration - 1), .passedPorts(0x0D00...0xFFFF),
                    .passedMemory(0xA_0000...0xB_FFFF),
                    .passedMemory(UInt32(BoardLayout.holeStart)...UInt32(BoardLayout.ioAPIC) - 1),
                ])),
        ])

    private static let realTimeClock: AML = .device(
        "RTC",
        [
            .name("_HID", .eisaIdentifier("PNP0B00")),
            .name(
                "_CRS",
                .resourceTemplate([
                    .ports(BoardLayout.realTimeClock, count: 2), .isaInterrupt(BoardLayout.realTimeClockInterrupt),
                ])),
        ])
}
