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
}
