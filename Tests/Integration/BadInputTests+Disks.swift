import Foundation
import Glibc
import Testing

extension BadInputTests {
    /// Disks that cannot be one.
    static let disks = [
        Case("disk missing", "cannot open disk image 'DIR/missing': no such file or directory; check the path; …") {
            ["run", "--disk", $0.path + "/missing"]
        },
        Case(
            "disk with an option there is none of", status: 2,
            "run: --disk 'DIR/disk,rx': there is no option 'rx'; rw, ro, snapshot are, and a comma of the file's name is "
                + "written twice"
        ) {
            ["run", "--disk", try disk($0) + ",rx"]
        },
        Case("disk with an option in capitals", status: 2, "run: --disk 'DIR/disk,RO': there is no option 'RO'; …") {
            ["run", "--disk", try disk($0) + ",RO"]
        },
        Case("disk with a comma and nothing", status: 2, "run: --disk 'DIR/disk,': there is no option ''; …") {
            ["run", "--disk", try disk($0) + ","]
        },
        Case(
            "disk with two options", status: 2,
            "run: --disk 'DIR/disk,ro,snapshot': it has 2 options; give one of rw, ro, snapshot"
        ) {
            ["run", "--disk", try disk($0) + ",ro,snapshot"]
        },
        Case(
            "control socket where a file is",
            "cannot listen at 'DIR/disk': there is a file, which is no socket; name a path that is not there yet"
        ) {
            ["run", "hello", "--control", try disk($0)]
        },
        Case(
            "screenshot of a file", "cannot connect to 'DIR/disk': it is no socket; name that of a machine"
        ) {
            ["screenshot", "--control", try disk($0), "-"]
        },
        Case("disk of 0 bytes", "cannot use disk image 'DIR/disk': it is empty; make one, such as by truncate -s 64M") {
            ["run", "--disk", try $0.file("disk", [])]
        },
        Case(
            "disk of half a sector more",
            "cannot use disk image 'DIR/disk': it has 768 bytes, which is no multiple of 512; …"
        ) {
            ["run", "--disk", try $0.file("disk", [UInt8](repeating: 0, count: 768))]
        },
        Case("disk that is a folder", "cannot open disk image 'DIR': is a directory; name a raw disk image in it") {
            ["run", "--disk", $0.path]
        },
        Case("disk that is a device", "cannot use disk image '/dev/null': it is neither a file nor a block device; …") {
            _ in
            ["run", "--disk", "/dev/null"]
        },
        Case("disk that is a pipe", "cannot use disk image 'DIR/pipe': it is neither a file nor a block device; …") {
            ["run", "--disk", try pipe($0)]
        },
        Case(
            "disk that is a pipe, to be read only",
            "cannot use disk image 'DIR/pipe': it is neither a file nor a block device; …"
        ) {
            ["run", "--disk", try pipe($0) + ",ro"]
        },
        Case("disk without a boot sector", "DIR/disk: the boot sector has no signature: …") {
            ["run", "--disk", try disk($0)]
        },
        Case("disk given twice", status: 2, sameDisk("disk", "disk")) {
            let path = try disk($0)
            return ["run", "--disk", path, "--disk", path]
        },
        Case("disk given twice, once to be read only", status: 2, sameDisk("link", "disk")) {
            let path = try disk($0)
            try #require(symlink(path, $0.path + "/link") == 0)
            return ["run", "--disk", path + ",ro", "--disk", $0.path + "/link"]
        },
        Case("disk given twice, once as a snapshot", status: 2, sameDisk("link", "disk")) {
            let path = try disk($0)
            try #require(link(path, $0.path + "/link") == 0)
            return ["run", "--disk", path, "--disk", $0.path + "/link,snapshot"]
        },
        Case("five disks", status: 2, "5 disks: the board has two channels with two drives each; give at most four") {
            let path = try disk($0)
            return ["run"] + (0..<5).flatMap { _ in ["--disk", path + ",ro"] }
        },
        Case("firmware missing", "cannot open firmware 'DIR/missing': no such file or directory; check the path") {
            ["run", "--firmware", $0.path + "/missing"]
        },
        Case(
            "firmware of an odd size",
            "DIR/bios: a BIOS image has 64 to 256 KiB, a multiple of 4 KiB, and this one has 5000 bytes"
        ) {
            ["run", "--firmware", try $0.file("bios", [UInt8](repeating: 0, count: 5000))]
        },
        Case("firmware too large", "cannot read firmware 'DIR/bios': it holds more than 256 KiB; …") {
            ["run", "--firmware", try $0.file("bios", [UInt8](repeating: 0, count: 300_000))]
        },
        Case("firmware and a kernel", status: 2, "firmware with something else to run: it boots disks; …") {
            ["run", "--firmware", $0.path + "/a", "--kernel", $0.path + "/b"]
        },
        Case("video BIOS alone", status: 2, "run: --video-bios goes with --firmware, which is not there") {
            ["run", "--video-bios", $0.path + "/a", "--disk", $0.path + "/b"]
        },
        Case(
            "firmware log that cannot be written",
            "cannot write the firmware's log to 'DIR/no/log': no such file or directory; name another file"
        ) {
            ["run", "--firmware", $0.path + "/a", "--firmware-log", $0.path + "/no/log"]
        },
        Case("disk without a name", status: 2, "disk: the path is empty; name an image file") { _ in
            ["run", "--disk", ",snapshot"]
        },
    ]

    private static func sameDisk(_ second: String, _ first: String) -> String {
        "disk 'DIR/\(second)' is the same file as disk 'DIR/\(first)' of this machine, and the guest could write it; "
            + "add ,ro or ,snapshot to both"
    }

    private static func pipe(_ folder: TestFolder) throws -> String {
        let path = folder.path + "/pipe"
        try #require(mkfifo(path, 0o600) == 0)
        return path
    }

    private static func disk(_ folder: TestFolder) throws -> String {
        try folder.file("disk", [UInt8](repeating: 0, count: 4096))
    }

    /// A file whose name has a comma, twice, where nobody writes it; and another that is written.
    @Test func disks_withCommasInTheirNames_andSharedByReaders_boot() throws {
        let folder = try TestFolder()
        let sector = [0xB0, 0x07, 0xE6, 0xF4] + [UInt8](repeating: 0, count: 506) + [0x55, 0xAA]
        _ = try folder.file("a,b,ro", sector)
        let other = try folder.file("other", sector)
        let name = folder.path + "/a,,b,,ro"
        let outcome = try MiniKVM.run(
            ["run", "--disk", name + ",ro", "--disk", name + ",snapshot", "--disk", other, "--memory", "16M"])
        outcome.expect(status: 7)
    }
}
