/// The register by which a program ends its machine with a status, as QEMU's board "virt" for RISC-V has it at 0x100000
/// ("sifive,test0" in a device tree).
///
/// The lower half of what is written says what is to happen: 0x3333 a failure, 0x5555 an end, 0x7777 a reset. The upper half
/// is the status of a failure. What ends a process has eight bits of it; a failure whose bits are all 0 is still one, and
/// its status is 1. There is nothing to read: 0.
///
/// Source: QEMU, hw/misc/sifive_test.c.
public final class TestFinisher: Device {
    /// Bytes of its registers.
    public static let size: UInt64 = 0x1000

    private let board: any Board

    /// - Parameter board: ends or resets the machine.
    public init(board: any Board) {
        self.board = board
    }

    /// Reads 0.
    public func read(offset: UInt64, width: AccessWidth) -> UInt64 { 0 }

    /// Ends or resets the machine, by two or more bytes at the beginning.
    public func write(_ value: UInt64, offset: UInt64, width: AccessWidth) {
        guard offset == 0, width >= 2 else { return }
        switch value & 0xFFFF {
        case 0x3333: board.request(.exit(status: max(UInt8(truncatingIfNeeded: value >> 16), 1)))
        case 0x5555: board.request(.powerOff)
        case 0x7777: board.request(.reset)
        default: break
        }
    }
}
