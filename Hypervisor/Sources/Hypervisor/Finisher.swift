import Architecture

/// The device by which a program ends QEMU's machine with a status: "sifive,test0" in the device tree (QEMU,
/// hw/misc/sifive_test.c).
///
/// SBI's reset cannot tell one: for the reason "system failure" OpenSBI writes FAIL without a code (its
/// lib/utils/sys/sifive_test.c), and QEMU ends with status 0.
enum Finisher {
    /// The address of its register; 0 where there is none. It belongs to the console's state: whatever dies ends the
    /// machine by it.
    nonisolated(unsafe) private static var address: UInt64 = 0

    /// What the lower half of the register is written for an end with the code in the upper half.
    private static let failure: UInt32 = 0x3333

    /// Ends the machine by this device from now on.
    static func use(_ address: UInt64) { unsafe self.address = address }

    /// Ends the machine with a status, if it can. It comes back after a while where the device does nothing.
    static func fail(_ status: UInt8) {
        guard unsafe address != 0 else { return }
        unsafe volatile_store_32(address, UInt32(status) << 16 | failure)
        // QEMU's end takes a moment, and a second one, by SBI, would bring back the status 0.
        let start = read_time()
        while read_time() &- start < 50_000_000 {}
    }
}
