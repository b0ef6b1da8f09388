/// The registers of a VGA in color text mode, as firmware leaves them: mode 3, 80 columns by 25 rows.
///
/// The characters themselves are in memory at 0xB8000, which is RAM here: nothing needs to know when they are written.
/// The registers keep what is written to them, give it back, and say where the screen begins and where the cursor is.
///
/// Offset 0 is port 0x3C0; the last one is 0x3DF.
///
/// Source: IBM VGA XGA Technical Reference, "VGA Function"; IBM PS/2 Hardware Interface Technical Reference.
public final class VGAText: ByteDevice {
    /// How many ports it has.
    public static let portCount: UInt64 = 32

    /// Everything a guest can tell apart.
    public struct State: Equatable, Sendable {
        /// The registers of one group that are reached by an index.
        public struct Group: Equatable, Sendable {
            /// The register that the data port means.
            public var index: UInt8 = 0
            /// The registers.
            public var registers: [UInt8]
        }

        /// CRT controller: timing, the screen's first character, the cursor.
        public var crtController = Group(registers: [
            0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0x00, 0x00, 0x00, 0x00, 0x9C, 0x8E,
            0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF,
        ])
        /// Sequencer.
        public var sequencer = Group(registers: [0x03, 0x00, 0x03, 0x00, 0x02])
        /// Graphics controller.
        public var graphics = Group(registers: [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0E, 0x00, 0xFF])
        /// Attribute controller: 16 colors, then the mode.
        public var attribute = Group(
            index: 0x20,
            registers: [
                0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 0x0C,
                0x00, 0x0F, 0x08, 0x00,
            ])
        /// Whether the next byte written to the attribute controller is a register's value, and not an index.
        public var attributeTakesData = false
        /// Miscellaneous output register: color addresses, memory enabled.
        public var miscellaneousOutput: UInt8 = 0x67
        /// Feature control register.
        public var featureControl: UInt8 = 0
        /// Input status register 1's bits that change by themselves: retrace, seen by whoever waits for it.
        public var isInRetrace = false
        /// The color table: 256 colors of 3 values of 6 bits.
        public var palette = [UInt8](repeating: 0, count: 768)
        /// The pixel mask.
        public var paletteMask: UInt8 = 0xFF
        /// The value that is read or written next.
        public var paletteRead = 0
        /// The value that is written next.
        public var paletteWrite = 0

        /// The state that firmware leaves.
        public init() {}

        /// The place of the screen's first character, in characters from 0xB8000.
        public var firstCharacter: Int { register(0x0C) << 8 | register(0x0D) }
        /// The place of the cursor, in characters from 0xB8000.
        public var cursor: Int { register(0x0E) << 8 | register(0x0F) }
        /// Whether there is a cursor to be seen.
        public var showsCursor: Bool { register(0x0A) & 0x20 == 0 }

        private func register(_ index: Int) -> Int { Int(crtController.registers[index]) }
    }

    /// The registers.
    public private(set) var state: State

    /// - Parameter state: the state to begin with.
    public init(state: State = State()) {
        self.state = state
    }

    /// Reads a register; one that does not exist reads 0xFF.
    public func readByte(offset: UInt64) -> UInt8 {
        switch offset {
        case 0x00: return state.attribute.index
        case 0x01: return Self.read(state.attribute, index: state.attribute.index & 0x1F)
        case 0x02: return 0x00  // input status 0: no interrupt
        case 0x04: return state.sequencer.index
        case 0x05: return Self.read(state.sequencer)
        case 0x06: return state.paletteMask
        case 0x07: return 0x03  // the DAC is ready to be read
        case 0x08: return UInt8(truncatingIfNeeded: state.paletteWrite / 3)
        case 0x09:
            defer { state.paletteRead = (state.paletteRead + 1) % 768 }
            return state.palette[state.paletteRead]
        case 0x0A: return state.featureControl
        case 0x0C: return state.miscellaneousOutput
        case 0x0E: return state.graphics.index
        case 0x0F: return Self.read(state.graphics)
        case 0x14: return state.crtController.index
        case 0x15: return Self.read(state.crtController)
        case 0x1A:
            // Input status 1: the beam goes in and out of retrace, and the attribute controller takes an index.
            state.attributeTakesData = false
            state.isInRetrace.toggle()
            return state.isInRetrace ? 0x09 : 0x00
        default: return 0xFF
        }
    }

    /// Writes a register; one that does not exist ignores it.
    public func writeByte(_ byte: UInt8, offset: UInt64) {
        switch offset {
        case 0x00:
            if state.attributeTakesData {
                Self.write(byte, to: &state.attribute, index: state.attribute.index & 0x1F)
            } else {
                state.attribute.index = byte & 0x3F
            }
            state.attributeTakesData.toggle()
        case 0x02: state.miscellaneousOutput = byte
        case 0x04: state.sequencer.index = byte
        case 0x05: Self.write(byte, to: &state.sequencer, index: state.sequencer.index)
        case 0x06: state.paletteMask = byte
        case 0x07: state.paletteRead = Int(byte) * 3
        case 0x08: state.paletteWrite = Int(byte) * 3
        case 0x09:
            state.palette[state.paletteWrite] = byte & 0x3F
            state.paletteWrite = (state.paletteWrite + 1) % 768
        case 0x0E: state.graphics.index = byte
        case 0x0F: Self.write(byte, to: &state.graphics, index: state.graphics.index)
        case 0x14: state.crtController.index = byte
        case 0x15: writeCRTController(byte)
        case 0x1A: state.featureControl = byte
        default: break
        }
    }

    /// Registers 0 to 7 may be protected, but for one bit of the last (bit 7 of register 0x11).
    private func writeCRTController(_ byte: UInt8) {
        let index = state.crtController.index
        if state.crtController.registers[0x11] & 0x80 != 0, index <= 7 {
            if index == 7 {
                state.crtController.registers[7] = state.crtController.registers[7] & ~0x10 | byte & 0x10
            }
            return
        }
        Self.write(byte, to: &state.crtController, index: index)
    }

    private static func read(_ group: State.Group, index: UInt8? = nil) -> UInt8 {
        let index = Int(index ?? group.index)
        return index < group.registers.count ? group.registers[index] : 0
    }

    private static func write(_ byte: UInt8, to group: inout State.Group, index: UInt8) {
        if Int(index) < group.registers.count { group.registers[Int(index)] = byte }
    }
}
