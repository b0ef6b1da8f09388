import Foundation
import Testing

extension LinuxTests {
    /// From the reset vector by SeaBIOS, the partition table's boot code and syslinux, which reads by INT 13h, to Debian's
    /// kernel and its userland, which switches the machine off by ACPI. Each of them writes to the serial port.
    @Test func firmware_withADiskMadeByDebiansTools_bootsItToUserland() throws {
        let folder = try TestFolder()
        let log = folder.path + "/log"
        let outcome = try MiniKVM.run(
            [
                "run", "--firmware", try LinuxFiles.path("MINIKVM_BIOS"), "--video-bios",
                try LinuxFiles.path("MINIKVM_VIDEO_BIOS"), "--firmware-log", log, "--disk",
                try LinuxFiles.path("MINIKVM_BOOT_DISK") + ",snapshot", "--cpus", "2",
            ], limit: 400)
        outcome.expect(status: 0)
        var rest = outcome.text[...]
        for words in [
            "SeaBIOS (version", "Booting from Hard Disk", "SYSLINUX", "Linux version", "ACPI: Early table checksum",
            "ACPI: PM-Timer IO Port: 0x608", "PCI Root Bridge [PCI0]", "i8042 KBD port at 0x60,0x64 irq 1",
            "===== minikvm report =====", "cpus: 2", "===== end of report =====",
        ] {
            let found = try #require(rest.range(of: words), "\(words) is missing, or too early: \(outcome.text)")
            rest = rest[found.upperBound...]
        }
        #expect(!outcome.text.contains("ACPI BIOS Error") && !outcome.text.contains("ACPI Error"), "\(outcome.text)")
        let told = try String(contentsOfFile: log, encoding: .isoLatin1)
        #expect(told.contains("QEMU fw_cfg DMA interface supported"), "\(told)")
        #expect(told.contains("Found 2 cpu(s)"), "\(told)")
        #expect(told.contains("mini-kvm disk ATA-7 Hard-Disk (64 MiBytes)"), "\(told)")
    }
}
