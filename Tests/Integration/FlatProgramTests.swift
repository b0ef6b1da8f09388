import Testing

/// Programs of the user's own.
@Suite struct FlatProgramTests {
    struct Mode: CustomTestStringConvertible, Sendable {
        var name: String
        var program: [UInt8]
        var status: Int32
        var testDescription: String { name }
    }

    static let modes = [
        Mode(name: "real", program: TinyProgram.real, status: 42),
        Mode(name: "protected", program: TinyProgram.protected, status: 43),
        Mode(name: "long", program: TinyProgram.long, status: 44),
    ]

    @Test(arguments: modes) func flat_inEachMode_runsThereAndGivesItsStatus(mode: Mode) throws {
        let folder = try TestFolder()
        let file = try folder.file("program", mode.program)
        let outcome = try MiniKVM.run(["run", "--flat", file, "--at", TinyProgram.address, "--mode", mode.name])
        outcome.expect(status: mode.status)
        #expect(outcome.output == "\(mode.name) mode\n", "\(outcome.text)")
        #expect(outcome.errors.isEmpty, "\(outcome.text)")
    }

    @Test func flat_withoutAMode_startsInRealMode() throws {
        let folder = try TestFolder()
        let file = try folder.file("program", TinyProgram.real)
        let outcome = try MiniKVM.run(["run", "--flat", file, "--at", TinyProgram.address])
        outcome.expect(status: 42)
    }

    @Test func flat_fromAPipe_isReadToItsEnd() throws {
        let child = try MiniKVM.start(
            ["run", "--flat", "/dev/stdin", "--at", TinyProgram.address], input: .pipe)
        child.send(TinyProgram.real)
        child.closeInput()
        child.finish().expect(status: 42)
    }

    @Test func bootSector_withItsSignature_runsAt0x7C00FromDisk0x80() throws {
        let folder = try TestFolder()
        let file = try folder.file("sector", TinyProgram.bootSector)
        let outcome = try MiniKVM.run(["run", "--boot-sector", file])
        outcome.expect(status: 45)
        #expect(outcome.output == "boot sector\n", "\(outcome.text)")
    }

    @Test func bootSector_ofAWholeDisk_isItsFirstSector() throws {
        let folder = try TestFolder()
        let file = try folder.file("disk", TinyProgram.bootSector + [UInt8](repeating: 0xCC, count: 100_000))
        try MiniKVM.run(["run", "--boot-sector", file]).expect(status: 45)
    }

    @Test func verbose_asked_tellsWhereTheProgramLies() throws {
        let folder = try TestFolder()
        let file = try folder.file("program", TinyProgram.real)
        let outcome = try MiniKVM.run(["run", "--flat", file, "--at", TinyProgram.address, "--verbose"])
        outcome.expect(status: 42)
        #expect(outcome.output == "real mode\n", "\(outcome.text)")
        #expect(outcome.errors.contains("0x000000008000-"), "\(outcome.text)")
        #expect(outcome.errors.contains(file), "\(outcome.text)")
        #expect(outcome.errors.contains("minikvm: 0x000000000000-0x00000fffffff  RAM\n"), "\(outcome.text)")
        #expect(outcome.errors.contains("minikvm: 0x0000c0000000-0x0000ffffffff  no RAM: "), "\(outcome.text)")
    }

    /// A reset makes a new machine: the program is there again, from its first instruction.
    @Test(arguments: [TinyProgram.resetByKeyboardController, TinyProgram.resetByResetControl])
    func reset_byTheGuest_startsItAgainUntilItIsStopped(program: [UInt8]) throws {
        let folder = try TestFolder()
        let file = try folder.file("program", program)
        let child = try MiniKVM.start(["run", "--flat", file, "--at", TinyProgram.address])
        try child.waitFor("boot\n", count: 5)
        child.signal(15)
        let outcome = child.finish()
        outcome.expect(status: 143)
        #expect(outcome.errors.isEmpty, "\(outcome.text)")
    }

    @Test(arguments: [TinyProgram.resetByKeyboardController, TinyProgram.resetByResetControl])
    func reset_withNoReboot_ends(program: [UInt8]) throws {
        let folder = try TestFolder()
        let file = try folder.file("program", program)
        let outcome = try MiniKVM.run(["run", "--flat", file, "--at", TinyProgram.address, "--no-reboot"])
        outcome.expect(status: 0)
        #expect(outcome.output == "boot\n", "\(outcome.text)")
    }
}
