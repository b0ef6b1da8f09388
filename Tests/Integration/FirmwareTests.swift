import Foundation
import Testing

/// Debian's SeaBIOS with disks of our own: what it takes for a disk, and what it does after a reset.
@Suite struct FirmwareTests {
    /// Options of a machine with SeaBIOS and one disk.
    static func options(disk: String) throws -> [String] {
        ["run", "--firmware", try LinuxFiles.path("MINIKVM_BIOS"), "--disk", disk, "--memory", "16M"]
    }

    /// The smallest disk there is: its one sector is the boot sector.
    @Test(arguments: [1, 1007, 1008]) func firmware_withASmallDisk_bootsIt(sectors: Int) throws {
        let folder = try TestFolder()
        let padding = [UInt8](repeating: 0, count: (sectors - 1) * 512)
        let disk = try folder.file("disk", TinyProgram.bootSector + padding)
        let outcome = try MiniKVM.run(try Self.options(disk: disk))
        outcome.expect(status: 45)
        #expect(outcome.output.contains("Booting from Hard Disk"), "\(outcome.text)")
    }

    /// SeaBIOS finds itself in memory after the processors were reset, looks at the shutdown code and goes on at the warm
    /// reset vector. Without a code it resets the machine, and boots.
    @Test(arguments: zip(RestartDisk.processorWays, ["5", "A", "A", "5", "A"]))
    func processorReset_withTheWarmResetVector_comesBackThroughTheBIOS(way: String, code: String) throws {
        let folder = try TestFolder()
        let disk = try folder.file("disk", RestartDisk.image)
        let log = folder.path + "/log"
        let child = try MiniKVM.start(
            try Self.options(disk: disk) + ["--triple-fault", "reboot", "--firmware-log", log], input: .pipe)
        try child.waitFor("A\n")
        child.send("w" + code + way)
        try child.waitFor(RestartDisk.resumed)
        child.send("m")
        try child.waitFor(RestartDisk.marks(memory: "BEEF"))
        child.send(way)
        try child.waitFor("B\n")
        child.send("m.")
        let outcome = child.finish()
        outcome.expect(status: 0)
        #expect(outcome.output.hasSuffix("B\n" + RestartDisk.marks(memory: "0000")), "\(outcome.text)")
        let told = try String(contentsOfFile: log, encoding: .isoLatin1)
        #expect(told.contains("In resume (status=\(code == "A" ? "10" : "5"))"), "\(told)")
    }

    /// A reset of the whole machine boots, whatever the code says, and SeaBIOS clears it.
    @Test(arguments: ["p", "r"]) func reset_ofTheMachine_bootsAndKeepsClockAndCMOS(way: String) throws {
        let folder = try TestFolder()
        let disk = try folder.file("disk", RestartDisk.image)
        let child = try MiniKVM.start(try Self.options(disk: disk), input: .pipe)
        try child.waitFor("A\n")
        child.send("wA" + way)
        try child.waitFor("B\n")
        child.send("m.")
        let outcome = child.finish()
        outcome.expect(status: 0)
        #expect(outcome.output.hasSuffix("B\n" + RestartDisk.marks(memory: "0000")), "\(outcome.text)")
    }
}
