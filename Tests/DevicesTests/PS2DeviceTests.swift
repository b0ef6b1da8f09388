import Devices
import Testing

@Suite struct PS2DeviceTests {
    /// A controller with keyboard and mouse.
    final class Bench {
        let board = RecordingBoard()
        let keyboardLine = RecordingLine()
        let auxiliaryLine = RecordingLine()
        let keyboard = PS2Keyboard()
        let mouse = PS2Mouse()
        let controller: KeyboardController

        init() {
            controller = KeyboardController(
                board: board, keyboard: keyboard, auxiliary: mouse, keyboardInterrupt: keyboardLine,
                auxiliaryInterrupt: auxiliaryLine)
        }

        func read(_ port: UInt64) -> UInt8 { UInt8(controller.read(offset: port - 0x60, width: 1)) }
        func write(_ port: UInt64, _ byte: UInt8) { controller.write(UInt64(byte), offset: port - 0x60, width: 1) }

        /// Every byte that waits, with those of the mouse plus 0x100.
        func drain() -> [Int] {
            var bytes: [Int] = []
            while bytes.count < 50 {
                let status = read(0x64)
                guard status & 0x01 != 0 else { break }
                bytes.append(Int(read(0x60)) + (status & 0x20 != 0 ? 0x100 : 0))
            }
            return bytes
        }

        func tellKeyboard(_ bytes: UInt8...) -> [Int] {
            for byte in bytes { write(0x60, byte) }
            return drain()
        }

        func tellMouse(_ bytes: UInt8...) -> [Int] {
            for byte in bytes {
                write(0x64, 0xD4)
                write(0x60, byte)
            }
            return drain().map { $0 - 0x100 }
        }

        func tap(_ key: Key) -> [Int] {
            keyboard.press(key)
            controller.poll()
            let down = drain()
            keyboard.release(key)
            controller.poll()
            return down + drain()
        }
    }

    // MARK: Keys

    @Test(arguments: [
        (Key.escape, [0x01, 0x81]), (.enter, [0x1C, 0x9C]), (.up, [0xE0, 0x48, 0xE0, 0xC8]),
        (Key.functions[6], [0x41, 0xC1]), (.space, [0x39, 0xB9]), (Key(0x1C), [0x1E, 0x9E]),
    ])
    func key_withTranslation_sendsSet1(key: Key, codes: [Int]) {
        #expect(Bench().tap(key) == codes)
    }

    @Test func key_withoutTranslation_sendsSet2() {
        let bench = Bench()
        bench.write(0x64, 0x60)
        bench.write(0x60, 0x25)
        #expect(bench.tap(.escape) == [0x76, 0xF0, 0x76])
        #expect(bench.tap(.delete) == [0xE0, 0x71, 0xE0, 0xF0, 0x71])
        #expect(bench.tellKeyboard(0xF0, 1) == [0xFA, 0xFA])
        #expect(bench.tap(.escape) == [0x01, 0x81])
    }

    @Test func key_raisesTheInterruptOnceForEachByte() {
        let bench = Bench()
        bench.keyboard.press(.up)
        bench.controller.poll()
        #expect(bench.keyboardLine.edges == 1)
        #expect(bench.read(0x60) == 0xE0)
        #expect(bench.keyboardLine.isRaised && bench.keyboardLine.edges == 2)
        #expect(bench.read(0x60) == 0x48)
        #expect(!bench.keyboardLine.isRaised)
    }

    @Test func keys_whileThePortIsDisabled_waitForIt() {
        let bench = Bench()
        bench.write(0x64, 0xAD)
        bench.keyboard.press(.escape)
        bench.controller.poll()
        #expect(bench.drain().isEmpty)
        bench.write(0x64, 0xAE)
        #expect(bench.drain() == [0x01])
    }

    @Test func keys_moreThanThereIsRoomFor_areNotSeenInPart() {
        let bench = Bench()
        bench.write(0x64, 0xAD)
        for _ in 0..<100 { bench.keyboard.press(.up) }
        bench.write(0x64, 0xAE)
        let codes = bench.drain()
        #expect(codes.count == 14 || codes.count == 16)
        #expect(codes.enumerated().allSatisfy { $0.element == ($0.offset % 2 == 0 ? 0xE0 : 0x48) })
    }

    @Test func keys_whileScanningIsOff_areNotSeen() {
        let bench = Bench()
        #expect(bench.tellKeyboard(0xF5) == [0xFA])
        #expect(!bench.keyboard.isReady)
        #expect(bench.tap(.escape).isEmpty)
        #expect(bench.tellKeyboard(0xF4) == [0xFA])
        #expect(bench.tap(.escape) == [0x01, 0x81])
    }

    @Test func answerOfTheController_doesNotOverwriteAKey() {
        let bench = Bench()
        bench.keyboard.press(.escape)
        bench.controller.poll()
        bench.write(0x64, 0x20)
        #expect(bench.drain() == [0x01, 0x65])
    }

    // MARK: The keyboard's commands

    @Test func keyboardCommands_areAnsweredAsTheManualSays() {
        let bench = Bench()
        #expect(bench.tellKeyboard(0xFF) == [0xFA, 0xAA])
        #expect(bench.tellKeyboard(0xEE) == [0xEE])
        // The controller translates the identity's second byte too.
        #expect(bench.tellKeyboard(0xF2) == [0xFA, 0xAB, 0x41])
        #expect(bench.tellKeyboard(0xED, 0x02) == [0xFA, 0xFA])
        #expect(bench.keyboard.state.lights == 2)
        #expect(bench.tellKeyboard(0xF3, 0x00) == [0xFA, 0xFA])
        #expect(bench.tellKeyboard(0xF0, 0x00) == [0xFA, 0xFA, 0x41])
        #expect(bench.tellKeyboard(0xF0, 0x03) == [0xFA, 0xFE])
        #expect(bench.tellKeyboard(0xF6) == [0xFA])
        #expect(bench.tellKeyboard(0x00) == [0xFE])
        #expect(bench.tellKeyboard(0xED, 0xF4) == [0xFA, 0xFA], "a command in the place of a parameter is a command")
    }

    // MARK: The mouse

    @Test func linuxProbe_findsTheAuxiliaryPort() {
        let bench = Bench()
        bench.write(0x64, 0xD3)
        bench.write(0x60, 0x5A)
        #expect(bench.drain() == [0x15A])
        bench.write(0x64, 0xA9)
        #expect(bench.drain() == [0x00])
    }

    @Test func mouseCommands_areAnsweredAsTheManualSays() {
        let bench = Bench()
        #expect(bench.tellMouse(0xFF) == [0xFA, 0xAA, 0x00])
        #expect(bench.tellMouse(0xF2) == [0xFA, 0x00])
        #expect(
            bench.tellMouse(0xE8, 0x03, 0xF3, 0x28, 0xE7, 0xE9) == [0xFA, 0xFA, 0xFA, 0xFA, 0xFA, 0xFA, 0x10, 3, 40])
        #expect(bench.tellMouse(0xEE, 0x55, 0xEC) == [0xFA, 0x55, 0xFA])
        #expect(bench.tellMouse(0xEB) == [0xFA, 0x08, 0x00, 0x00])
        #expect(bench.tellMouse(0x01) == [0xFE])
    }

    @Test func movement_isReportedOnceItIsWanted() {
        let bench = Bench()
        bench.mouse.move(right: 5, up: -3, buttons: 1)
        bench.controller.poll()
        #expect(bench.drain().isEmpty)
        #expect(bench.tellMouse(0xF4) == [0xFA])
        bench.write(0x64, 0x60)
        bench.write(0x60, 0x47)
        bench.mouse.move(right: 0, up: 0, buttons: 1)
        bench.controller.poll()
        #expect(bench.auxiliaryLine.edges > 0)
        #expect(bench.drain() == [0x129, 0x105, 0x1FD])
        bench.mouse.move(right: Int.max, up: Int.min, buttons: 0)
        bench.controller.poll()
        #expect(bench.drain() == [0x128, 0x1FF, 0x101])
    }
}
