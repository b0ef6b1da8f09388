import Foundation
import Glibc
import Testing

/// Everything wrong that a user can hand over: each ends with one line that helps, and with the right status.
@Suite struct BadInputTests {
    /// One mistake.
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        /// What is typed after `minikvm`, given a folder for the files of the case.
        let arguments: @Sendable (TestFolder) throws -> [String]
        let status: Int32
        /// What follows `minikvm: ` on standard error; `DIR` is the case's folder and `…` any words.
        let message: String

        init(
            _ name: String, status: Int32 = 1, _ message: String,
            _ arguments: @escaping @Sendable (TestFolder) throws -> [String]
        ) {
            self.name = name
            self.status = status
            self.message = message
            self.arguments = arguments
        }

        var testDescription: String { name }
    }

    @Test(
        arguments: usage + memoryAndCPUs + smallPrograms + kernels + elfKernels + initrdsAndCommandLines + disks + kvm)
    func input_thatIsWrong_endsWithOneLineThatHelps(mistake: Case) throws {
        let folder = try TestFolder()
        let arguments = try mistake.arguments(folder)
        let before = folder.names
        let outcome = try MiniKVM.run(arguments, folder: folder.path)
        let shown = outcome.errors.replacing(folder.path, with: "DIR")
        #expect(outcome.signal == nil && !outcome.isLate && outcome.status == mistake.status, "\(outcome.text)")
        #expect(outcome.output.isEmpty, "\(outcome.text)")
        #expect(Pattern.matches(shown, "minikvm: \(mistake.message)\n"), "\(shown)")
        #expect(shown.count { $0 == "\n" } == 1, "\(outcome.text)")
        #expect(folder.names == before, "files were left behind")
    }

    @Test func cases_areAtLeast60_withNamesOfTheirOwn() {
        let all =
            Self.usage + Self.memoryAndCPUs + Self.smallPrograms + Self.kernels + Self.elfKernels
            + Self.initrdsAndCommandLines + Self.disks + Self.kvm
        #expect(all.count >= 60)
        #expect(Set(all.map(\.name)).count == all.count)
    }

    @Test(arguments: ["kernel", "initrd", "firmware", "video-bios", "flat", "boot-sector"])
    func pipe_withoutAWriter_isRefused(option: String) throws {
        let folder = try TestFolder()
        let pipe = folder.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        let others =
            switch option {
            case "initrd": ["--kernel", try folder.file("kernel", KernelFile.bzImage())]
            case "video-bios": ["--firmware", try folder.file("bios", [UInt8](repeating: 0xF4, count: 0x1_0000))]
            case "flat": ["--at", TinyProgram.address]
            default: [String]()
            }
        let outcome = try MiniKVM.run(["run", "--" + option, pipe] + others)
        outcome.expect(status: 1)
        let name = option == "video-bios" ? "video BIOS" : option == "flat" ? "flat binary" : option
        #expect(
            outcome.errors == "minikvm: cannot read \(name.replacing("-", with: " ")) '\(pipe)': nobody writes into "
                + "this pipe; start its writer first, or name a file\n", "\(outcome.text)")
    }

    /// A writer that writes nothing keeps the monitor waiting, but not from ending.
    @Test func pipe_whoseWriterIsSilent_isLeftAtSIGTERM() throws {
        let folder = try TestFolder()
        let pipe = folder.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        let writer = open(pipe, O_RDWR | O_CLOEXEC)
        defer { close(writer) }
        let child = try MiniKVM.start(["run", "--kernel", pipe])
        child.wait(seconds: 1)
        #expect(!child.hasEnded)
        child.signal(SIGTERM)
        let outcome = child.finish()
        #expect(outcome.signal == SIGTERM && !outcome.isLate, "\(outcome.text)")
    }

    @Test func pipe_whoseWriterIsSlow_isReadToItsEnd() throws {
        let folder = try TestFolder()
        let pipe = folder.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        let writer = open(pipe, O_RDWR | O_CLOEXEC)
        let child = try MiniKVM.start(["run", "--flat", pipe, "--at", TinyProgram.address])
        // What is written before it has opened the pipe may be lost when this end is closed.
        while !child.hasEnded, !child.hasOpen(pipe) { child.wait(seconds: 0.05) }
        for byte in TinyProgram.real {
            var byte = byte
            #expect(write(writer, &byte, 1) == 1)
            usleep(1000)
        }
        close(writer)
        child.finish().expect(status: 42)
    }

    /// All mistakes of a configuration are told at once, each in its line.
    @Test func input_withTwoMistakes_tellsBoth() throws {
        let outcome = try MiniKVM.run(["run", "hello", "--memory", "4K", "--cpus", "300"])
        outcome.expect(status: 2)
        #expect(
            outcome.errors.split(separator: "\n") == [
                "minikvm: memory of 4096 bytes: too little; give at least 1M",
                "minikvm: 300 CPUs: the board's tables name at most 255; give fewer",
            ], "\(outcome.text)")
    }

    // MARK: The command line

    static let runHelp = "; see `minikvm run --help`"

    static let usage = [
        Case("unknown subcommand", status: 2, "…'fly'…; see `minikvm --help`") { _ in ["fly"] },
        Case("unknown option", status: 2, "Unknown option '--colour'…" + runHelp) { _ in ["run", "hello", "--colour"] },
        Case("unknown option before the command", status: 2, "Unknown option '--colour'…") { _ in ["--colour", "run"] },
        Case("option without its value", status: 2, "Missing value for '--kernel <file>'…" + runHelp) { _ in
            ["run", "--kernel"]
        },
        Case("two guests by name", status: 2, "Unexpected argument 'halt'…" + runHelp) { _ in ["run", "hello", "halt"]
        },
        Case("unknown guest", status: 2, "run: there is no built-in guest 'helo'; `minikvm guests` lists them") { _ in
            ["run", "helo"]
        },
        Case("guest without a name", status: 2, "run: there is no built-in guest ''; `minikvm guests` lists them") {
            _ in
            ["run", ""]
        },
        Case(
            "nothing to run", status: 2,
            "run: nothing to run; name a built-in guest (`minikvm guests`), or give --kernel, --disk, --flat or "
                + "--boot-sector"
        ) { _ in ["run"] },
        Case(
            "guest and kernel", status: 2,
            "run: a built-in guest and --kernel exclude each other; give one of them"
        ) { _ in ["run", "hello", "--kernel", "k"] },
        Case(
            "flat and boot sector", status: 2, "run: --flat and --boot-sector exclude each other; give one of them"
        ) { _ in ["run", "--flat", "f", "--at", "0x8000", "--boot-sector", "b"] },
        Case("initrd without kernel", status: 2, "run: --initrd goes with --kernel, which is not there") { _ in
            ["run", "hello", "--initrd", "i"]
        },
        Case("command line without kernel", status: 2, "run: --append goes with --kernel, which is not there") { _ in
            ["run", "--flat", "f", "--at", "0x8000", "--append", "quiet"]
        },
        Case("entry without kernel", status: 2, "run: --entry goes with --kernel, which is not there") { _ in
            ["run", "hello", "--entry", "pvh"]
        },
        Case("address without flat", status: 2, "run: --at goes with --flat, which is not there") { _ in
            ["run", "hello", "--at", "0x8000"]
        },
        Case("mode without flat", status: 2, "run: --mode goes with --flat, which is not there") { _ in
            ["run", "--boot-sector", "b", "--mode", "real"]
        },
        Case("flat without address", status: 2, "run: --flat needs --at; such as --at 0x8000") { _ in
            ["run", "--flat", "f"]
        },
        Case("unknown mode", status: 2, "The value 'virtual' is invalid for '--mode <mode>'…" + runHelp) { _ in
            ["run", "--flat", "f", "--at", "0x8000", "--mode", "virtual"]
        },
        Case("unknown entry", status: 2, "The value 'efi' is invalid for '--entry <way>'…" + runHelp) { _ in
            ["run", "--kernel", "k", "--entry", "efi"]
        },
        Case(
            "unknown interrupt controller", status: 2, "The value 'user' is invalid for '--irqchip <where>'…" + runHelp
        ) {
            _ in ["run", "hello", "--irqchip", "user"]
        },
        Case("address that is no number", status: 2, "The value '8000h' is invalid for '--at <address>'…" + runHelp) {
            _ in
            ["run", "--flat", "f", "--at", "8000h"]
        },
        Case("address of nothing", status: 2, "The value '0x' is invalid for '--at <address>'…" + runHelp) { _ in
            ["run", "--flat", "f", "--at", "0x"]
        },
        Case(
            "address beyond 64 bits", status: 2,
            "The value '0x10000000000000000' is invalid for '--at <address>'…" + runHelp
        ) { _ in ["run", "--flat", "f", "--at", "0x10000000000000000"] },
        Case(
            "timer without interrupt controllers", status: 2,
            "run timer: this guest uses interrupt controllers; leave out --irqchip none"
        ) { _ in ["run", "timer", "--irqchip", "none"] },
        Case("KVM device that is not there, for a guest that pages", "open DIR/kvm: …") {
            ["run", "paging", "--kvm", $0.path + "/kvm"]
        },
        Case("trace without room", "cannot write all of the trace to '/dev/full': No space left on device; …") { _ in
            ["run", "halt", "--trace", "/dev/full"]
        },
        Case("negative address", status: 2, "…" + runHelp) { _ in ["run", "--flat", "f", "--at=-1"] },
    ]

    // MARK: Sizes

    private static func memory(_ text: String, _ message: String) -> Case {
        Case("memory of '\(text)'", status: 2, message) { _ in ["run", "hello", "--memory=\(text)"] }
    }

    private static func cpus(_ text: String, _ message: String) -> Case {
        Case("'\(text)' CPUs", status: 2, message) { _ in ["run", "hello", "--cpus=\(text)"] }
    }

    static let memoryAndCPUs = [
        memory("", "Missing value for '--memory <size>'" + runHelp),
        memory("lots", "The value 'lots' is invalid for '--memory <size>'…" + runHelp),
        memory("M", "The value 'M' is invalid for '--memory <size>'…" + runHelp),
        memory("-1", "…" + runHelp),
        memory("1.5G", "The value '1.5G' is invalid for '--memory <size>'…" + runHelp),
        memory("16777216T", "The value '16777216T' is invalid for '--memory <size>'…" + runHelp),
        memory("99999999999999999999", "The value '99999999999999999999' is invalid for '--memory <size>'…" + runHelp),
        memory("65T", "memory of 71468255805440 bytes: more than the 64 TiB that x86-64 can map; give less"),
        memory("1023K", "memory of 1047552 bytes: too little; give at least 1M"),
        memory("1025K", "memory of 1049600 bytes: not a multiple of 4096; give a whole number of MiB, such as 256M"),
        Case(
            "more memory than the host has",
            "cannot set up 64 TiB of guest memory: this host has …; give the guest less memory"
        ) { _ in ["run", "hello", "--memory", "64T"] },
        cpus("0", "0 CPUs: a machine needs at least one; give --cpus 1 or more"),
        cpus("-3", "-3 CPUs: a machine needs at least one; give --cpus 1 or more"),
        cpus("256", "256 CPUs: the board's tables name at most 255; give fewer"),
        cpus("9223372036854775807", "9223372036854775807 CPUs: the board's tables name at most 255; give fewer"),
        cpus("9223372036854775808", "The value '9223372036854775808' is invalid for '--cpus <n>'…" + runHelp),
        cpus("two", "The value 'two' is invalid for '--cpus <n>'…" + runHelp),
        Case(
            "two CPUs without interrupts", status: 2,
            "2 CPUs without an interrupt controller: nothing could start the others; add --irqchip kernel"
        ) { _ in ["run", "hello", "--cpus", "2", "--irqchip", "none"] },
        Case(
            "Linux without interrupts", status: 2,
            "Linux without an interrupt controller cannot run; leave out --irqchip none"
        ) { _ in ["run", "--kernel", "k", "--irqchip", "none"] },
    ]

    // MARK: Flat programs and boot sectors

    private static func flat(
        _ name: String, at address: String, mode: String = "real", memory: String = "16M", status: Int32 = 1,
        bytes count: Int = 16, _ message: String
    ) -> Case {
        Case(name, status: status, message) { folder in
            let file = try folder.file("program", [UInt8](repeating: 0xF4, count: count))
            return ["run", "--flat", file, "--at", address, "--mode", mode, "--memory", memory]
        }
    }

    static let smallPrograms = [
        Case("flat file missing", "cannot open flat binary 'DIR/missing': no such file or directory; check the path") {
            ["run", "--flat", $0.path + "/missing", "--at", "0x8000"]
        },
        Case("flat file that is a folder", "cannot read flat binary 'DIR': it is a directory; name a file in it") {
            ["run", "--flat", $0.path, "--at", "0x8000"]
        },
        flat("flat file that is empty", at: "0x8000", bytes: 0, "cannot use flat binary 'DIR/program': it is empty; …"),
        flat(
            "flat at the end of memory", at: "0x1000000", mode: "protected", status: 2,
            "guest at 0x1000000: outside the 16 MiB of memory; give a lower --at or more --memory"),
        flat(
            "flat over the end of memory", at: "0xFFFFF8", mode: "protected",
            "DIR/program: a flat binary of 16 bytes at 0xFFFFF8 is not all in the guest's memory: "
                + "give another --at, or more memory"),
        flat(
            "flat in the hole", at: "0xC0000000", mode: "long", memory: "3G", status: 2,
            "guest at 0xc0000000: in the hole from 0xc0000000 to 4 GiB, where devices are; give another --at"),
        flat(
            "flat where the local APIC is", at: "0xFEE00000", mode: "protected", status: 2,
            "guest at 0xfee00000: in the hole from 0xc0000000 to 4 GiB, where devices are; give another --at"),
        flat(
            "flat at the last address", at: "0xFFFFFFFFFFFFFFFF", mode: "long", status: 2,
            "flat binary at 0xffffffffffffffff: beyond the 4 GiB that are mapped; give a lower --at"),
        flat(
            "flat above real mode", at: "0x100000", status: 2,
            "flat binary at 0x100000: real mode reaches 0xFFFFF; give a lower --at"),
        flat(
            "flat over the descriptor table", at: "0x1000", mode: "protected",
            "DIR/program: a flat binary of 16 bytes at 0x1000 lies over the board's own tables …: "
                + "give another --at, for example 0x100000"),
        flat(
            "flat over the page tables", at: "0x8000", mode: "long", bytes: 8192,
            "DIR/program: a flat binary of 8 KiB at 0x8000 lies over the board's own tables …: "
                + "give another --at, for example 0x100000"),
        Case("flat file without a name", status: 2, "flat binary: the path is empty; name a file") { _ in
            ["run", "--flat", "", "--at", "0x8000"]
        },
        Case("boot sector missing", "cannot open boot sector 'DIR/missing': no such file or directory; check the path")
        {
            ["run", "--boot-sector", $0.path + "/missing"]
        },
        Case("boot sector empty", "cannot use boot sector 'DIR/sector': it is empty; …") {
            ["run", "--boot-sector", try $0.file("sector", [])]
        },
        Case(
            "boot sector too short",
            "DIR/sector: a boot sector has 512 bytes and the file has 511: "
                + "pad it, with the signature 0x55 0xAA at the end"
        ) { ["run", "--boot-sector", try $0.file("sector", Array(TinyProgram.bootSector.dropLast()))] },
        Case(
            "boot sector without its signature",
            "DIR/sector: the boot sector has no signature: bytes 510 and 511 are 0x0 0x0 and not 0x55 0xAA; "
                + "give a bootable image, or use --flat"
        ) { ["run", "--boot-sector", try $0.file("sector", [UInt8](repeating: 0, count: 512))] },
        Case(
            "boot sector with its signature turned round",
            "DIR/sector: the boot sector has no signature: bytes 510 and 511 are 0xAA 0x55 and not 0x55 0xAA; "
                + "give a bootable image, or use --flat"
        ) { ["run", "--boot-sector", try $0.file("sector", TinyProgram.bootSector.dropLast(2) + [0xAA, 0x55])] },
        Case("boot sector that is a folder", "cannot read boot sector 'DIR': it is a directory; name a file in it") {
            ["run", "--boot-sector", $0.path]
        },
        Case("boot sector without a name", status: 2, "boot sector: the path is empty; name a file") { _ in
            ["run", "--boot-sector", ""]
        },
    ]

    // MARK: KVM

    static let kvm = [
        Case(
            "KVM missing",
            "open DIR/kvm: No such file or directory (errno 2); there is no KVM here: load kvm_intel or kvm_amd, "
                + "switch virtualization on in the firmware, or run under `scripts/box`"
        ) { ["run", "hello", "--kvm", $0.path + "/kvm"] },
        Case(
            "KVM that is another device",
            "KVM_GET_API_VERSION: Inappropriate ioctl for device (errno 25); /dev/null is not the KVM device"
        ) { _ in ["run", "hello", "--kvm", "/dev/null"] },
        Case(
            "KVM that is a file",
            "KVM_GET_API_VERSION: Inappropriate ioctl for device (errno 25); DIR/kvm is not the KVM device"
        ) {
            ["run", "hello", "--kvm", try $0.file("kvm", [1])]
        },
        Case("KVM that is a folder", "open DIR: Is a directory (errno 21)…") { ["run", "hello", "--kvm", $0.path] },
        Case("KVM without a name", "open : No such file or directory (errno 2)…") { _ in ["run", "hello", "--kvm", ""]
        },
    ]

    @Test func file_thatMayNotBeRead_isToldWithWhatToCheck() throws {
        let folder = try TestFolder()
        let file = try folder.file("kernel", KernelFile.bzImage())
        chmod(file, 0)
        let outcome = try Self.runWithoutPrivilege(["run", "--kernel", file])
        outcome.expect(status: 1)
        #expect(
            outcome.errors == "minikvm: cannot open kernel '\(file)': permission denied; "
                + "check the file's permissions and those of the folders above it\n", "\(outcome.text)")
    }

    @Test func kvm_thatMayNotBeOpened_isToldWithTheGroupToJoin() throws {
        let folder = try TestFolder()
        let file = try folder.file("kvm", [])
        chmod(file, 0)
        let outcome = try Self.runWithoutPrivilege(["run", "hello", "--kvm", file])
        outcome.expect(status: 1)
        #expect(
            outcome.errors == "minikvm: open \(file): Permission denied (errno 13); join the group `kvm` "
                + "(usermod -aG kvm $USER, then log in again), or run as root\n", "\(outcome.text)")
    }

    /// Root may open everything, so it gives that privilege up first.
    private static func runWithoutPrivilege(_ arguments: [String]) throws -> Outcome {
        let privileges =
            getuid() == 0 ? ["/usr/bin/setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"] : []
        return try Child(privileges + [MiniKVM.path] + arguments).finish()
    }
}
