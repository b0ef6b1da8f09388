import Devices
import Foundation
import Host
import KVM
import Machine
import Monitor
import Testing

/// Deaths that no program brings about by itself: the CPU's state is broken, or made to leave, before the guest runs.
/// The rest is as ever: a machine, KVM's exit, the run loop and the report.
@Suite struct LiveCrashReportTests {
    private final class Silence: CharacterPort {
        func transmit(_ byte: UInt8) {}
    }

    /// Runs `program` at 1 MiB, in 64-bit mode, after `prepare` has changed its CPU.
    /// - Returns: the report on its death, and why it died.
    private func die(
        _ program: [UInt8], prepare: (borrowing VirtualCPU) throws(KVMError) -> Void
    ) throws -> (cause: Crash.Cause?, lines: [String]) {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("minikvm-\(UUID().uuidString)").path
        try Data(program).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let machine = try Machine(
            MachineConfiguration(guest: .flat(path: path, address: 0x10_0000, mode: .long), memoryBytes: 16 << 20),
            environment: MachineEnvironment(console: Silence(), clock: MonotonicClock()))
        try machine.examine(vcpu: 0, prepare)
        guard case .crashed(let crash) = try machine.run() else { return (nil, []) }
        let text = CrashReport(machine, crash).render()
        return (crash.cause, text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
    }

    private static let isPVM = HostKVM.current() == .pvm

    /// AMD APM volume 2, section 15.5.1: EFER.LME, CR0.PG, CR4.PAE, CS.L and CS.D must not all be set.
    @Test(.enabled(if: !isPVM, "kvm_pvm enters no guest by VMRUN or VMENTER, so nothing refuses its state"))
    func failedEntry_ofACodeSegmentBothLongAndWide_isReported() throws {
        let (cause, lines) = try die([0xF4]) { (vcpu) throws(KVMError) in
            var special = try vcpu.specialRegisters()
            special.cs.db = 1
            try vcpu.setSpecialRegisters(special)
        }
        guard case .failedEntry = cause else {
            Issue.record("it ended by \(String(describing: cause))")
            return
        }
        #expect(
            lines.prefix(3) == [
                "Crash: The hardware refused to enter the guest, whose state is not valid: CS has",
                "  both L and D set.",
                "Reason: failed entry, hardware reason 0xFFFFFFFF",
            ], "\(lines)")
        // QEMU's emulated SVM leaves another RIP than the guest's when it refuses the state.
        expectBody(lines)
        #expect(lines.contains { $0.hasPrefix("CS   ") && $0.hasSuffix("P S L D G") }, "\(lines)")
    }

    /// Nobody debugs this machine, so it has no answer to a debug exit.
    @Test func unhandledExit_ofASingleStep_isReported() throws {
        let (cause, lines) = try die([0x90, 0x90, 0xF4]) { (vcpu) throws(KVMError) in
            try vcpu.setGuestDebug([.enable, .singleStep])
        }
        guard case .unhandledExit = cause else {
            Issue.record("it ended by \(String(describing: cause))")
            return
        }
        #expect(
            lines.prefix(4) == [
                "Crash: The guest left for a reason that the machine does not handle: a debug",
                "  exception at 0x100001, though nobody debugs the guest.",
                "Reason: unhandled exit: a debug exception at 0x100001, though nobody debugs the",
                "  guest",
            ], "\(lines)")
        expectBody(lines, code: "code at 0x00100001: nop")
    }

    private func expectBody(_ lines: [String], code: String = "code at ") {
        #expect(lines.contains("--- vCPU 0, 64-bit long mode"), "\(lines)")
        for start in [code, "page walk of RIP 0x00100", "GDTR ", "stack at 0x0009FC00", "the only exit:"] {
            #expect(lines.contains { $0.hasPrefix(start) }, "\(start)\n\(lines)")
        }
    }
}
