import ArgumentParser
import Machine
import Testing

@testable import Commands

@Suite struct RunCommandTests {
    @Test(
        arguments: [
            ("256M", 256 << 20), ("1G", 1 << 30), ("64", 64 << 20), ("65536k", 64 << 20), ("2GiB", 2 << 30),
            ("512MB", 512 << 20), ("1t", 1 << 40), ("0", 0),
        ] as [(String, UInt64)])
    func memorySize_asUsersWriteIt_isParsed(text: String, bytes: UInt64) {
        #expect(MemorySize(argument: text)?.bytes == bytes)
    }

    @Test(arguments: ["", "M", "-1", "1.5G", "1X", "99999999999999999999", "18446744073709551615G", "0x10", "1 G"])
    func memorySize_thatIsNone_isRefused(text: String) {
        #expect(MemorySize(argument: text) == nil)
    }

    @Test(
        arguments: [("0x7C00", 0x7C00), ("31744", 0x7C00), ("0XFFFF", 0xFFFF), ("0xffffffffffffffff", .max)]
            as [(String, UInt64)])
    func address_asUsersWriteIt_isParsed(text: String, value: UInt64) {
        #expect(GuestAddress(argument: text)?.value == value)
    }

    @Test(arguments: ["", "0x", "7C00", "-1", "0x1_0000", "0x10000000000000000"])
    func address_thatIsNone_isRefused(text: String) {
        #expect(GuestAddress(argument: text) == nil)
    }

    @Test func builtInGuest_givesItsOwnCPUsAndController() throws {
        let configuration = try RunCommand.parse(["smp"]).machineConfiguration()
        #expect(configuration.cpus == 4)
        #expect(configuration.interruptController == .kernel)
        #expect(try RunCommand.parse(["smp", "--cpus", "2"]).machineConfiguration().cpus == 2)
        #expect(try RunCommand.parse(["halt"]).machineConfiguration().interruptController == .none)
    }

    @Test func linux_withoutOptions_getsTheDefaults() throws {
        let configuration = try RunCommand.parse(["--kernel", "k"]).machineConfiguration()
        #expect(configuration.guest == .linux(kernel: "k", initrd: nil, commandLine: "", entry: .automatic))
        #expect(configuration.memoryBytes == 256 << 20)
        #expect(configuration.interruptController == .kernel)
    }

    @Test(
        arguments: [
            ([], "nothing to run"), (["--kernel", "a", "hello"], "exclude each other"),
            (["--initrd", "i", "hello"], "goes with --kernel"), (["--at", "1", "hello"], "goes with --flat"),
            (["--flat", "f"], "needs --at"), (["nobody"], "no built-in guest"),
            (["hello", "--cpus", "0"], "at least one"), (["hello", "--cpus", "256"], "at most 255"),
            (["hello", "--cpus", "2", "--irqchip", "none"], "nothing could start the others"),
            (["hello", "--memory", "1K"], "too little"), (["hello", "--memory", "1025K"], "not a multiple of 4096"),
            (["--flat", "f", "--at", "0xC0000000", "--mode", "long"], "in the hole"),
            (["--flat", "f", "--at", "0x100000"], "real mode reaches"),
            (["--trace-format", "json", "hello"], "goes with --trace"),
            (["--kernel", ""], "the path is empty"),
        ] as [([String], String)])
    func wrongFlags_areToldInOneLine(words: [String], expected: String) {
        let errors = MiniKVM.errors(inRun: words)
        #expect(errors.contains { $0.contains(expected) && !$0.contains("\n") }, "\(errors)")
    }

    @Test(
        arguments: [
            ("a.img", "a.img", .readWrite), ("a.img,rw", "a.img", .readWrite), ("a.img,ro", "a.img", .readOnly),
            ("a.img,snapshot", "a.img", .snapshot), ("a,,b.img", "a,b.img", .readWrite),
            ("a,,ro,ro", "a,ro", .readOnly), ("a,,,ro", "a,", .readOnly), (",,", ",", .readWrite), ("", "", .readWrite),
            (",ro", "", .readOnly), ("ü,,\u{301},snapshot", "ü,\u{301}", .snapshot),
        ] as [(String, String, MachineConfiguration.Disk.Access)])
    func disk_withItsOptions_isParsed(argument: String, path: String, access: MachineConfiguration.Disk.Access) throws {
        let disk = try MachineConfiguration.Disk(argument: argument)
        #expect(disk == MachineConfiguration.Disk(path: path, access: access))
    }

    @Test(arguments: ["a,", "a,RO", "a,ro,ro", "a,ro,snapshot", "a, ro", "a,b,ro", "a,,,", "a,ro,,"])
    func disk_withOptionsThatAreNone_isRefusedWithThoseThatAre(argument: String) {
        let errors = MiniKVM.errors(inRun: ["--disk", argument])
        #expect(errors.count == 1 && errors[0].contains("rw, ro, snapshot"), "\(errors)")
    }
}
