/// Some of a device's registers, to be mapped at an address of their own.
///
/// The keyboard controller needs it: its two registers are at ports 0x60 and 0x64, and 0x61 is another device's.
public final class RegisterWindow: Device {
    private let device: any Device
    private let first: UInt64

    /// - Parameters:
    ///   - device: the device that has the registers.
    ///   - first: the offset, in the device, of the window's first byte.
    public init(_ device: any Device, from first: UInt64) {
        self.device = device
        self.first = first
    }

    /// Reads the device's register at `offset` bytes from the window's first.
    public func read(offset: UInt64, width: AccessWidth) -> UInt64 {
        device.read(offset: first &+ offset, width: width)
    }

    /// Writes the device's register at `offset` bytes from the window's first.
    public func write(_ value: UInt64, offset: UInt64, width: AccessWidth) {
        device.write(value, offset: first &+ offset, width: width)
    }
}
