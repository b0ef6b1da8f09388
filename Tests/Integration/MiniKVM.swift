import Foundation
import Testing

/// Which KVM the tests run on, as MINIKVM_BED names it: the host's own ("direct", the default) or the complete one in
/// scripts/box ("box").
enum Bed: String {
    case direct
    case box

    static let current = Bed(rawValue: ProcessInfo.processInfo.environment["MINIKVM_BED"] ?? "direct") ?? .direct

    /// kvm_pvm emulates the kernel's code of a guest, and has no 32-bit paging.
    static let isPVM = FileManager.default.fileExists(atPath: "/sys/module/kvm_pvm")
}

/// The program under test, as a process.
enum MiniKVM {
    /// Seconds that a small guest may take: in the box everything is emulated, and elsewhere it has neighbours.
    static let limit: Double = Bed.current == .box ? 180 : 120

    /// MINIKVM names the program; else it is the one that was built beside these tests.
    static let path: String = {
        if let path = ProcessInfo.processInfo.environment["MINIKVM"], !path.isEmpty { return path }
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        var folder = URL(fileURLWithPath: tests).deletingLastPathComponent()
        // `swift test` may run them by a helper that lies elsewhere; then the bundle is among the arguments.
        if let bundle = CommandLine.arguments.first(where: { $0.hasSuffix(".xctest") }) {
            folder = URL(fileURLWithPath: bundle).deletingLastPathComponent()
        }
        return folder.appendingPathComponent("minikvm").path
    }()

    static func start(
        _ arguments: [String], input: Child.Input = .nothing, output: Child.Output = .pipe, folder: String? = nil,
        limit: Double = MiniKVM.limit
    ) throws -> Child {
        try Child([path] + arguments, input: input, output: output, folder: folder, limit: limit)
    }

    /// Runs it to its end.
    static func run(
        _ arguments: [String], sending bytes: [UInt8]? = nil, folder: String? = nil, limit: Double = MiniKVM.limit
    ) throws -> Outcome {
        let child = try start(arguments, input: bytes == nil ? .nothing : .pipe, folder: folder, limit: limit)
        if let bytes {
            child.send(bytes)
            child.closeInput()
        }
        return child.finish()
    }
}

/// A folder for one test, which goes with the object.
final class TestFolder {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("minikvm-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes a file.
    /// - Returns: its path.
    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        let path = self.path + "/" + name
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }

    /// The names in it.
    var names: Set<String> { Set((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []) }
}

extension Outcome {
    /// Whether the program came to an end of its own with this status; else the test fails and tells all.
    func expect(status expected: Int32, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(!isLate && signal == nil && status == expected, "\(text)", sourceLocation: sourceLocation)
    }
}

@Suite struct ProgramTests {
    @Test func program_builtBesideTheTests_isThere() {
        #expect(FileManager.default.isExecutableFile(atPath: MiniKVM.path), "no program at \(MiniKVM.path)")
    }

    @Test func version_asked_isOneLine() throws {
        let outcome = try MiniKVM.run(["--version"])
        outcome.expect(status: 0)
        #expect(outcome.output.wholeMatch(of: /minikvm [0-9]+\.[0-9]+\.[0-9]+\n/) != nil, "\(outcome.text)")
        #expect(outcome.errors.isEmpty)
    }
}
