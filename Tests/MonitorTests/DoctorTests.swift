import KVM
import Testing

@testable import Monitor

@Suite(.serialized) struct DoctorTests {
    private static let paging32 = ["32-bit paging (preset)", "32-bit paging", "PAE paging"]

    @Test func examine_thisHost_findsTheModesThatItsModuleHas() {
        let report = Doctor(measures: false).examine()
        let missing = report.findings.filter { $0.result == .missing }.map(\.name)
        let expected = HostKVM.current() == .pvm ? Self.paging32 : []
        #expect(missing == expected, "\(report.render())")
        #expect(report.isComplete == expected.isEmpty)
        #expect(report.render().split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    @Test(arguments: TinyGuest.modes.map(\.name))
    func run_guestOfAMode_passesUnlessTheModuleLacksIt(name: String) throws {
        let guest = try #require(TinyGuest.modes.first { $0.name == name })
        let isLacking = HostKVM.current() == .pvm && Self.paging32.contains(name)
        #expect((guest.run() == .passed) == !isLacking)
    }

    @Test func startOtherVCPU_onThisHost_passes() {
        #expect(TinyGuest.startOtherVCPU() == .passed)
    }

    @Test func speeds_ofThisHost_areMeasured() {
        for entry in [.real, .protected32, .long, .longUser] as [TinyGuest.Entry] {
            #expect((TinyGuest.instructionsPerSecond(entry) ?? 0) > 1000)
        }
        #expect((TinyGuest.nanosecondsPerExit() ?? 0) > 0)
    }

    @Test func bedProbe_ofThisHost_knowsWhetherGuestsCanPage() throws {
        let probe = try BedProbe()
        #expect(probe.hasPaging32 == (HostKVM.current() != .pvm))
        #expect((probe.paging32Objection == nil) == probe.hasPaging32)
    }

    @Test func run_guestThatNeverEnds_isEndedInTime() {
        let spinning = TinyGuest(name: "spins", entry: .real, bytes: [0xEB, 0xFE], answer: 0)
        #expect(spinning.run(milliseconds: 20) == .timedOut)
    }

    @Test func run_guestWithAnotherAnswer_isNotTaken() {
        let wrong = TinyGuest(name: "wrong", entry: .real, bytes: [0xB0, 0x01, 0xE6, 0xF4], answer: 2)
        #expect(wrong.run() == .wrongAnswer(1))
    }

    @Test func examine_withoutADevice_saysWhatToDo() {
        var doctor = Doctor(measures: false)
        doctor.device = "/nonexistent/kvm"
        let report = doctor.examine()
        #expect(!report.isComplete)
        #expect(report.findings.last?.result == .missing)
        #expect(report.findings.last?.remedy != nil)
        #expect(report.findings.last?.detail.contains("No such file") == true)
    }

    @Test func render_ofFindings_readsAsExpected() {
        let report = DoctorReport(findings: [
            Finding("/dev/kvm", .ok, "there, and may be opened"),
            Doctor.mode("32-bit paging", .died("shutdown (triple fault)"), host: .pvm),
            Doctor.mode("long mode", .timedOut, host: .amd),
            Doctor.speed("speed, real mode", 1_360_000),
            Doctor.speed("speed, 32-bit", 2_000_000_000),
        ])
        #expect(
            report.render() == """
                ok       /dev/kvm                there, and may be opened
                missing  32-bit paging           a tiny guest died: shutdown (triple fault)
                                                 -> kvm_pvm cannot do this; run such guests
                                                 under `scripts/box`
                missing  long mode               a tiny guest did not end in time
                                                 -> run such guests under `scripts/box`, and
                                                 look into the kernel's log (dmesg)
                limited  speed, real mode        1.3 million instructions a second: emulated
                ok       speed, 32-bit           2000.0 million instructions a second

                Missing here: 32-bit paging, long mode. `scripts/box` gives a complete KVM
                anywhere.

                """)
    }
}
