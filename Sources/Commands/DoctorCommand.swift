internal import ArgumentParser
internal import Monitor

/// `minikvm doctor`: what this host's KVM can do, and what to do about each gap.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Examines this host's KVM, and says what to do about each gap.",
        discussion: """
            Tiny guests try each CPU mode and measure its speed; that takes a few seconds.
            The status is 0 when this KVM can run every guest, and 1 when something is
            missing. `--check` asks just that, without measuring, for scripts.
            """)

    @Flag(help: "Print only what is missing, and do not measure.")
    var check = false

    @Option(help: ArgumentHelp("The KVM device.", valueName: "path"))
    var kvm = "/dev/kvm"

    func run() throws {
        var doctor = Doctor(measures: !check)
        doctor.device = kvm
        let report = doctor.examine()
        if check {
            for finding in report.findings where finding.result == .missing {
                print("\(finding.name): \(finding.detail)")
            }
        } else {
            print(report.render(), terminator: "")
        }
        if !report.isComplete { throw ExitCode(1) }
    }
}
