import KVM
import Testing

@testable import Monitor

@Suite(.serialized) struct DoctorTests {
    @Test func examine_thisHost_findsTheModesThatItsModuleHas() throws {
        let start = ContinuousClock.now
        let report = Doctor().examine()
        print(report.render(), ContinuousClock.now - start)
        let probeStart = ContinuousClock.now
        let probe = try BedProbe()
        print("probe", ContinuousClock.now - probeStart, probe)
    }
}
