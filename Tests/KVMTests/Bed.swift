import Foundation
import KVM
import Testing

/// Which KVM the tests run on, as MINIKVM_BED names it: the host's own ("direct", the default) or the complete one in
/// scripts/box ("box").
enum Bed: String {
    case direct
    case box

    static let current = Bed(rawValue: ProcessInfo.processInfo.environment["MINIKVM_BED"] ?? "direct") ?? .direct
}

/// Whether the machine has a capability. Where it has not, the box fails the test, and on the direct bed `call`,
/// which needs the capability, must fail with a KVM error.
func has(
    _ capability: Capability, _ machine: borrowing VirtualMachine, sourceLocation: SourceLocation = #_sourceLocation,
    otherwise call: () throws -> Void
) -> Bool {
    if machine.check(capability) > 0 { return true }
    if Bed.current == .box {
        Issue.record("the box lacks \(capability.kernelName)", sourceLocation: sourceLocation)
    } else {
        #expect(throws: KVMError.self, "\(capability.kernelName)", sourceLocation: sourceLocation) { try call() }
    }
    return false
}
