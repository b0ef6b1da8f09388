import Foundation
import Testing

/// The tour shows commands and what they print: each is run, as it stands there.
///
/// Only on a complete KVM, for which the tour is written; ``BuiltInGuestTests`` know what kvm_pvm makes of each lesson.
@Suite(.enabled(if: !Bed.isPVM, "the tour shows what a complete KVM does")) struct TourCommandTests {
    /// A command and the lines that a page shows below it.
    struct Example: CustomTestStringConvertible, Sendable {
        var page: String
        var command: String
        var lines: [String]

        var testDescription: String { "\(page): \(command)" }
    }

    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "docs/tour")

    /// The unmarked blocks that begin with a prompt.
    static func examples() throws -> [Example] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".md") }.sorted()
            .flatMap { page in
                try String(contentsOf: folder.appending(path: page), encoding: .utf8)
                    .components(separatedBy: "\n```\n")
                    .compactMap { block in
                        let lines = words(block)
                        guard let first = lines.first, first.hasPrefix("$ ") else { return nil }
                        return Example(page: page, command: String(first.dropFirst(2)), lines: Array(lines.dropFirst()))
                    }
            }
    }

    /// Lines without the blanks at both ends, and without the empty ones.
    static func words(_ text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    /// Other forms of the same line, which other processors print.
    static let alternatives = BuiltInGuestTests.lessons.flatMap(\.lines)
        .map { $0.split(separator: "|").map(String.init) }.filter { $0.count > 1 }

    @Test func examples_ofTheTour_areAtLeastOneALesson() throws {
        #expect(try Set(Self.examples().map(\.page)).count == 17)
    }

    @Test(arguments: try examples()) func command_ofAPage_printsWhatThePageShows(example: Example) throws {
        let script =
            "PATH=\(URL(fileURLWithPath: MiniKVM.path).deletingLastPathComponent().path):$PATH; " + example.command
        let child = try Child(["/bin/bash", "-c", script])
        let outcome = child.finish()
        outcome.expect(status: 0)
        // CPUs report in an order of their own.
        let printed = Self.words(outcome.output).map(Self.first).sorted()
        #expect(printed == example.lines.map(Self.first).sorted(), "\(outcome.text)")
        #expect(outcome.errors.isEmpty, "\(outcome.text)")
    }

    /// The first of a line's other forms.
    private static func first(of line: String) -> String {
        alternatives.first { $0.contains(line) }?[0] ?? line
    }
}
