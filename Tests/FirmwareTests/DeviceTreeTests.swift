import Firmware
import Foundation
import Testing

@Suite struct DeviceTreeTests {
    private func sample() -> [UInt8] {
        var builder = DeviceTreeBuilder()
        builder.node("") { root in
            root.property("#address-cells", cells: [2])
            root.property("#size-cells", cells: [2])
            root.property("model", text: "sample")
            root.node("memory@80000000") { node in
                node.property("device_type", text: "memory")
                node.property("reg", numbers: [0x8000_0000, 0x1000_0000, 0x1_0000_0000, 0x2000])
            }
            root.node("soc") { soc in
                soc.property("ranges")
                soc.property("compatible", texts: ["simple-bus", "other"])
            }
        }
        return builder.finished()
    }

    @Test func whatIsBuilt_readsBack() throws {
        let tree = try DeviceTree(sample())
        let memory = try #require(tree.child("memory"))
        #expect(tree.ranges(of: memory).map(\.address) == [0x8000_0000, 0x1_0000_0000])
        #expect(tree.ranges(of: memory).map(\.size) == [0x1000_0000, 0x2000])
        #expect(tree.nodes(compatibleWith: "other").count == 1)
        #expect(tree.property("model", of: 0)?.text == [UInt8]("sample".utf8))
        #expect(tree.child("nothing") == nil)
    }

    @Test func dtc_readsWhatIsBuilt() throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/dtc")
        process.arguments = ["-I", "dtb", "-O", "dts", "-q"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        input.fileHandleForWriting.write(Data(sample()))
        try input.fileHandleForWriting.close()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(text.contains("reg = <0x00 0x80000000 0x00 0x10000000 0x01 0x00 0x00 0x2000>;"))
        #expect(text.contains("compatible = \"simple-bus\\0other\";") || text.contains("\"simple-bus\", \"other\""))
        #expect(text.contains("ranges;"))
    }

    @Test func everyTruncation_isAnError() {
        let bytes = sample()
        for count in 0..<bytes.count {
            #expect(throws: DeviceTreeError.self) { try DeviceTree([UInt8](bytes.prefix(count))) }
        }
    }

    @Test func changedBytes_neverTrap() {
        let bytes = sample()
        for _ in 0..<20_000 {
            var changed = bytes
            for _ in 0..<Int.random(in: 1...4) { changed[Int.random(in: changed.indices)] = UInt8.random(in: 0...255) }
            guard let tree = try? DeviceTree(changed) else { continue }
            for node in tree.nodes.indices { _ = tree.ranges(of: node) }
        }
    }
}
