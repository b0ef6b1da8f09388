import Boot
import Firmware
import GuestMemory
import Testing

/// Valid images with bytes changed at random, from a fixed seed: loading must end in success or in an error, with
/// nothing written where there is no RAM for the guest to use.
@Suite struct RandomImageTests {
    /// xorshift64: the same sequence on each run.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
    }

    private static let interesting: [UInt8] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF]

    /// Changes up to 8 bytes of the first `header` bytes, and sometimes the length.
    private func mutate(_ file: [UInt8], header: Int, _ generator: inout Generator) -> [UInt8] {
        var file = file
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
            let index = Int.random(in: 0..<header, using: &generator)
            if Bool.random(using: &generator) {
                file[index] = Self.interesting.randomElement(using: &generator) ?? 0
            } else {
                file[index] = UInt8.random(in: 0...255, using: &generator)
            }
        }
        if generator.next() % 8 == 0 { file.removeLast(Int.random(in: 0..<file.count, using: &generator)) }
        return file
    }

    /// Addresses that no loader may write: the BIOS data area's neighbours and all that E820 keeps from the guest.
    private func expectUntouched(_ ram: GuestRAM, _ round: Int) throws {
        let kept = try ram.memory.readBytes(at: 0x9_FC00, count: 0x10_0000 - 0x9_FC00)
        #expect(kept.allSatisfy { $0 == 0 }, "round \(round)")
    }

    @Test func linuxImage_mutated_neverTrapsNorWritesOutsideRAM() throws {
        var generator = Generator(state: 0x1234_5678_9ABC_DEF1)
        let ram = GuestRAM(mebibytes: 18)
        let valid = SyntheticKernel().bytes
        var loadedCount = 0
        for round in 0..<2000 {
            // The header's fields are where the interest lies.
            var file = mutate(Array(valid[0x1F0..<0x270]), header: 0x80, &generator)
            file = Array(valid[..<0x1F0]) + file + (file.count == 0x80 ? Array(valid[0x270...]) : [])
            try withImage(file) { image in
                do {
                    let linux = try LinuxImage(image)
                    _ = try? linux.compressedKernel()
                    try withImage([1, 2, 3]) {
                        _ = try linux.load(into: ram.memory, ram.parameters(commandLine: "a", initrd: $0))
                    }
                    loadedCount += 1
                } catch is LinuxImageError {}
            }
            if round % 200 == 0 { try expectUntouched(ram, round) }
        }
        try expectUntouched(ram, 2000)
        #expect(loadedCount > 100 && loadedCount < 2000)
    }

    @Test(arguments: [true, false])
    func elfImage_mutated_neverTrapsNorWritesOutsideRAM(is64Bit: Bool) throws {
        var generator = Generator(state: is64Bit ? 0xDEAD_BEEF_0000_0001 : 0xDEAD_BEEF_0000_0003)
        let ram = GuestRAM(mebibytes: 4)
        let valid = SyntheticELF.with {
            $0.is64Bit = is64Bit
            $0.segments.append(.init(address: 0x20_0000, contents: [1, 2, 3], memorySize: 100))
            $0.segments.append(SyntheticELF.pvhNote(0x10_0000))
        }
        var loadedCount = 0
        for round in 0..<2000 {
            let file = mutate(valid, header: valid.count, &generator)
            try withImage(file) { image in
                do {
                    _ = try ELFImage(image).load(into: ram.memory, ram.parameters())
                    loadedCount += 1
                } catch is ELFError {}
            }
            if round % 200 == 0 { try expectUntouched(ram, round) }
        }
        try expectUntouched(ram, 2000)
        #expect(loadedCount > 100 && loadedCount < 2000)
    }
}
