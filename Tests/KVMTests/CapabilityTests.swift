import Foundation
import KVM
import Testing

@Suite struct CapabilityTests {
    /// The numbers of the kernel's own header, and those that the shim adds for capabilities newer than it.
    private static let numbers: [String: Int32] = {
        let shim = URL(filePath: #filePath).appending(path: "../../../Sources/CKVM/include/CKVM.h").standardized.path
        var numbers: [String: Int32] = [:]
        for path in ["/usr/include/linux/kvm.h", shim] {
            for line in ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n") {
                let words = line.split(whereSeparator: \.isWhitespace)
                guard words.count >= 3, words[0] == "#define", let number = Int32(words[2]) else { continue }
                numbers[String(words[1])] = number
            }
        }
        return numbers
    }()

    @Test(arguments: Capability.allCases)
    func capability_hasTheNumberOfItsKernelName(capability: Capability) {
        #expect(Self.numbers[capability.kernelName] == capability.rawValue)
    }

    @Test(arguments: [
        Capability.userMemory, .irqchip, .pit2, .irqfd, .irqfdResample, .ioeventfd, .ioeventfdAnyLength, .signalMSI,
        .irqRouting, .syncRegisters, .immediateExit, .readonlyMemory, .dirtyLogRing, .manualDirtyLogProtect2,
        .userSpaceMSR, .msrFilter, .setGuestDebug, .setGuestDebug2, .sregs2, .xsave, .xsave2, .xcrs, .debugRegisters,
        .vcpuEvents, .mpState, .adjustClock, .getTSCKHz, .coalescedMMIO, .coalescedPIO, .splitIRQChip, .setBootCPUID,
        .tripleFaultEvent, .getMSRFeatures, .reinjectControl, .kvmclockControl, .setTSSAddress,
        .setIdentityMapAddress, .exitOnEmulationFailure,
    ])
    func check_whatThisModuleUses_isThereOnBothBeds(capability: Capability) throws {
        let system = try KVMSystem()
        let machine = try system.makeVirtualMachine()
        let answers = [system.check(capability), machine.check(capability)]
        #expect(answers.allSatisfy { $0 > 0 }, "\(capability.kernelName)")
    }

    /// What kvm-pvm is known not to have. If this fails, the direct bed has become better: take the line away.
    @Test(.enabled(if: Bed.current == .direct), arguments: [Capability.tscControl, .vmTSCControl, .nestedState])
    func check_onTheDirectBed_lacksWhatItIsKnownToLack(capability: Capability) throws {
        let answer = try KVMSystem().check(capability)
        #expect(answer == 0)
    }

    @Test func enable_whatIsNotThere_namesIt() throws {
        let machine = try KVMSystem().makeVirtualMachine()
        let error = #expect(throws: KVMError.self) { try machine.enable(.userMemory) }
        #expect(error?.operation == "KVM_ENABLE_CAP")
        #expect(
            error?.hint == "KVM_CAP_USER_MEMORY is there, but does not take this argument, or not after the first vCPU")
    }

    @Test func emulatedCPUID_isAnswered() throws {
        let system = try KVMSystem()
        #expect(try system.emulatedCPUID().count < 128)
        #expect(system.vcpuMappingSize >= 3 * 4096)
    }
}
