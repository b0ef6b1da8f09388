import Foundation
import Testing

@Suite struct ExampleTests {
    @Test func minimalGuest_run_printsItsLine() throws {
        // The build puts it beside this test bundle.
        let folder =
            Bundle.allBundles.map(\.bundleURL).first { $0.pathExtension == "xctest" }?.deletingLastPathComponent()
            ?? URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        let process = Process()
        let output = Pipe()
        process.executableURL = folder.appending(path: "minimal-guest")
        process.standardOutput = output
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(String(decoding: text, as: UTF8.self) == "Hello from real mode\n")
        #expect(process.terminationStatus == 0)
    }
}
