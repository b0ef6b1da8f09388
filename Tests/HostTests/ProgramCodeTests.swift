import Foundation
import Host
import Testing

@Suite struct ProgramCodeTests {
    /// KiB of the program's executable mappings that are in memory.
    private func resident() throws -> Int {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        var isCode = false
        var sum = 0
        for line in try String(contentsOfFile: "/proc/self/smaps", encoding: .utf8).split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count >= 5, words[1].count == 4 {
                isCode = words[1].contains("x") && words.last.map(String.init) == program
            }
            if isCode, words.first == "Rss:" { sum += Int(words[1]) ?? 0 }
        }
        return sum
    }

    /// The program goes on, and of its code less is in memory: reading the maps again takes little of it.
    @Test func release_ofTheCode_leavesLessInMemory() throws {
        _ = try resident()
        let before = try resident()
        ProgramCode.release()
        let after = try resident()
        #expect(before > 0)
        #expect(after < before)
    }
}
