import Foundation
import Testing

/// The tour quotes this repository's code: each quotation must still be there, line by line.
@Suite struct TourTests {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func names(in folder: String, endings: [String]) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path)
            .filter { name in endings.contains { name.hasSuffix($0) } }
            .sorted()
            .map { folder + "/" + $0 }
    }

    /// A text's lines without the blanks at both ends: quotations lose their indentation.
    static func lines(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }
    }

    /// The fenced blocks of a page that are marked as code.
    static func quotations(_ page: String) -> [[String]] {
        var found: [[String]] = []
        var current: [String]?
        for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
            if let block = current, line.hasPrefix("```") {
                found.append(block)
                current = nil
            } else if ["```asm", "```c", "```swift", "```json", "```ld", "```bash"].contains(line) {
                current = []
            } else {
                current?.append(line.trimmingCharacters(in: .whitespaces))
            }
        }
        return found
    }

    static func contains(_ text: [String], _ part: [String]) -> Bool {
        guard part.count <= text.count else { return false }
        return (0...(text.count - part.count)).contains { text[$0..<($0 + part.count)].elementsEqual(part) }
    }

    @Test(arguments: try names(in: "docs/tour", endings: [".md"]))
    func page_quotations_standInTheSources(page: String) throws {
        let sources =
            try
            (Self.names(in: "Guests/x86", endings: [".S", ".h"])
            + Self.names(in: "Guests/x86/include", endings: [".h"])
            + Self.names(in: "Benchmarks/minimal-kvm", endings: [".c", ".S"])
            + Self.names(in: "Sources/Machine", endings: [".swift"]))
        try Self.expectQuotations(of: page, in: sources)
    }

    @Test(arguments: try names(in: "docs/tour/riscv", endings: [".md"]))
    func riscvPage_quotations_standInTheSources(page: String) throws {
        let sources =
            try
            (Self.names(in: "Guests/riscv", endings: [".S"])
            + Self.names(in: "Hypervisor", endings: [".swift", ".json", ".ld"])
            + Self.names(in: "Hypervisor/Sources/Architecture", endings: [".S"])
            + Self.names(in: "Hypervisor/Sources/Architecture/include", endings: [".h"])
            + Self.names(in: "Hypervisor/Sources/Hypervisor", endings: [".swift"])
            + ["Boot", "Devices", "Firmware", "RISCV", "Virtio"]
            .flatMap { try Self.names(in: "Sources/" + $0, endings: [".swift"]) }
            + ["scripts/riscv"])
        try Self.expectQuotations(of: page, in: sources)
    }

    /// Each quotation of a page is in one of the files, line by line.
    static func expectQuotations(of page: String, in files: [String]) throws {
        let sources = try files.map { lines(try String(contentsOf: root.appending(path: $0), encoding: .utf8)) }
        let text = try String(contentsOf: root.appending(path: page), encoding: .utf8)
        for quotation in quotations(text) {
            #expect(
                sources.contains { contains($0, quotation) },
                "\(page) quotes code that is nowhere:\n\(quotation.joined(separator: "\n"))")
        }
    }

    @Test(arguments: try names(in: "docs/tour/riscv", endings: [".md"]))
    func riscvPage_links_leadToFiles(page: String) throws {
        let folder = Self.root.appending(path: page).deletingLastPathComponent()
        let text = try String(contentsOf: Self.root.appending(path: page), encoding: .utf8)
        for link in text.components(separatedBy: "](").dropFirst() {
            let path = link.prefix { $0 != ")" && $0 != "#" }
            #expect(
                FileManager.default.fileExists(atPath: folder.appending(path: String(path)).path),
                "\(page) has a link to \(path), which is not there")
        }
    }

    @Test func pages_all_areInTheTableOfContents() throws {
        let contents = try String(contentsOf: Self.root.appending(path: "docs/tour/README.md"), encoding: .utf8)
        let pages = try Self.names(in: "docs/tour", endings: [".md"]).filter { !$0.hasSuffix("README.md") }
        #expect(pages.count == 17)
        for page in pages {
            #expect(contents.contains("(" + URL(fileURLWithPath: page).lastPathComponent + ")"))
        }
        let chapters = try Self.names(in: "docs/tour/riscv", endings: [".md"])
        #expect(chapters.count == 13)
        for page in chapters {
            #expect(contents.contains("(riscv/" + URL(fileURLWithPath: page).lastPathComponent + ")"))
        }
    }
}
