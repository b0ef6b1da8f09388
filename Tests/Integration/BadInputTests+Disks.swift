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
            "disk with an option there is none of", "cannot open disk image 'DIR/disk,rx': no such file or directory; …"
        ) {
            ["run", "--disk", try disk($0) + ",rx"]
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
        Case("disk given twice", "cannot lock disk image 'DIR/disk': another program uses it; …") {
            let path = try disk($0)
            return ["run", "--disk", path, "--disk", path]
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

    private static func pipe(_ folder: TestFolder) throws -> String {
        let path = folder.path + "/pipe"
        try #require(mkfifo(path, 0o600) == 0)
        return path
    }

    private static func disk(_ folder: TestFolder) throws -> String {
        try folder.file("disk", [UInt8](repeating: 0, count: 4096))
    }
}
