import Firmware
import Foundation
import GuestMemory
import KVM
import Testing

@testable import Machine

/// What a guest is told of its machine: CPUID, the memory map, ACPI's place.
@Suite struct GuestViewTests {
    private static func policy(cpus: Int) throws -> CPUIDPolicy {
        let configuration = MachineConfiguration(
            guest: .program(name: "x", bytes: [0xF4], address: 0x8000), memoryBytes: 1 << 20, cpus: cpus,
            interruptController: .kernel)
        return CPUIDPolicy(kernel: try KernelObjects(configuration), cpus: cpus)
    }

    private static func entry(_ entries: [CPUIDEntry], _ function: UInt32, _ index: UInt32 = 0) -> CPUIDEntry? {
        entries.first { $0.function == function && (!$0.hasIndex || $0.index == index) }
    }

    @Test(arguments: [1, 2, 3, 4, 8, 255]) func cpuid_ofEachCPU_numbersItAndCountsAll(cpus: Int) throws {
        let policy = try Self.policy(cpus: cpus)
        for number in Set([0, 1, cpus / 2, cpus - 1]) where number < cpus {
            let entries = policy.entries(forCPU: number)
            let first = try #require(Self.entry(entries, 1))
            #expect(first.ebx >> 24 == UInt32(number))
            #expect(first.ebx >> 16 & 0xFF == UInt32(cpus))
            #expect((first.edx >> 28 & 1 == 1) == (cpus > 1))
            if let topology = Self.entry(entries, 0xB, 1) {
                #expect(topology.edx == UInt32(number))
                #expect(topology.ebx == UInt32(cpus))
                // One socket: all numbers fit the bits that number the CPUs in it.
                #expect(number >> Int(topology.eax) == 0)
                #expect(1 << Int(topology.eax) >= cpus)
            }
            if let threads = Self.entry(entries, 0xB, 0) {
                #expect(threads.eax == 0 && threads.ebx == 1)
            }
            if let extended = Self.entry(entries, 0x8000_001E) { #expect(extended.eax == UInt32(number)) }
        }
    }

    @Test func cpuid_ofAnyCPU_hidesWhatTheBoardDoesNotBackUp() throws {
        let entries = try Self.policy(cpus: 2).entries(forCPU: 1)
        let first = try #require(Self.entry(entries, 1))
        #expect(first.ecx & (1 << 3 | 1 << 5 | 1 << 6) == 0, "MONITOR, VMX or SMX")
        #expect(first.ecx & (1 << 31) != 0, "no hypervisor bit")
        #expect(first.ecx & (1 << 21) != 0, "no x2APIC")
        if let extended = Self.entry(entries, 0x8000_0001) { #expect(extended.ecx & (1 << 2) == 0, "SVM") }
        for leaf in [5, 6, 0xA] as [UInt32] {
            guard let entry = Self.entry(entries, leaf) else { continue }
            #expect([entry.eax, entry.ebx, entry.ecx, entry.edx] == [0, 0, 0, 0], "leaf \(leaf)")
        }
        let hypervisor = try #require(Self.entry(entries, 0x4000_0000))
        #expect([hypervisor.ebx, hypervisor.ecx, hypervisor.edx] == [0x4B4D_564B, 0x564B_4D56, 0x4D])
    }

    /// KVM took what the policy says.
    @Test func cpuid_setOnAVCPU_isWhatItHas() throws {
        let machine = try Machine(.program(TestProgram.exit7, cpus: 2))
        let set = try Self.policy(cpus: 2)
        for number in 0..<2 {
            let has = try machine.examine(vcpu: number) { (vcpu) throws(KVMError) in try vcpu.cpuid() }
            let first = try #require(Self.entry(has, 1))
            let wanted = try #require(Self.entry(set.entries(forCPU: number), 1))
            #expect(first.ebx >> 16 == wanted.ebx >> 16)
        }
    }

    // MARK: Memory

    private static func kernelMachine(mebibytes: UInt64, cpus: Int = 1) throws -> (Machine, TestFile) {
        let kernel = try TestFile(TestProgram.kernel(TestProgram.print))
        let machine = try Machine(
            MachineConfiguration(
                guest: .linux(kernel: kernel.path, initrd: nil, commandLine: "quiet", entry: .pvh),
                memoryBytes: mebibytes << 20, cpus: cpus))
        return (machine, kernel)
    }

    /// The map that PVH hands over, checked against the memory that is there.
    @Test(arguments: [4, 128, 1024, 3072, 3073, 3500] as [UInt64])
    func memoryMap_ofSoManyMiB_namesAllRAMButWhatABIOSKeeps(mebibytes: UInt64) throws {
        let (machine, _) = try Self.kernelMachine(mebibytes: mebibytes)
        let info = BoardLayout.pvhStartInfo
        let map = try machine.memory.read(UInt64.self, at: info + 40)
        let count = try machine.memory.read(UInt32.self, at: info + 48)
        var ram: [(start: UInt64, size: UInt64)] = []
        var end: UInt64 = 0
        for number in 0..<UInt64(count) {
            let start = try machine.memory.read(UInt64.self, at: map + 24 * number)
            let size = try machine.memory.read(UInt64.self, at: map + 24 * number + 8)
            let kind = try machine.memory.read(UInt32.self, at: map + 24 * number + 16)
            #expect(start >= end, "lines overlap or are not in order")
            end = start + size
            if kind == 1 { ram.append((start, size)) }
        }
        for range in ram {
            #expect(machine.memory.contains(range.start, count: Int(range.size)), "RAM is named that is not there")
            #expect(range.start >= 1 << 20 || range.start + range.size <= 0xA_0000, "RAM in the BIOS's place")
            #expect(range.start >= 1 << 32 || range.start + range.size <= 0xC000_0000, "RAM in the hole")
        }
        let total = ram.reduce(0) { $0 + $1.size }
        #expect(total <= mebibytes << 20)
        #expect(total >= mebibytes << 20 - 400 << 10, "more than 400 KiB are missing")
        #expect(ram.contains { $0.start == 1 << 32 } == (mebibytes > 3072))
    }

    /// The root pointer where a guest scans for it, with right sums, leading to a MADT that names each CPU.
    @Test(arguments: [1, 2, 8]) func acpi_ofSoManyCPUs_isWhereAGuestLooksForIt(cpus: Int) throws {
        let (machine, _) = try Self.kernelMachine(mebibytes: 16, cpus: cpus)
        let memory = machine.memory
        func bytes(_ address: UInt64, _ count: UInt64) throws -> [UInt8] {
            try memory.readBytes(at: address, count: Int(count))
        }
        func sum(_ bytes: [UInt8]) -> UInt8 { bytes.reduce(0, &+) }
        let root = try #require(
            try stride(from: 0xE_0000 as UInt64, to: 0x10_0000, by: 16).first {
                try bytes($0, 8) == Array("RSD PTR ".utf8)
            })
        #expect(try sum(bytes(root, 20)) == 0 && sum(bytes(root, 36)) == 0)
        #expect(try memory.read(UInt64.self, at: BoardLayout.pvhStartInfo + 32) == root)
        let table = try memory.read(UInt64.self, at: root + 24)
        let size = UInt64(try memory.read(UInt32.self, at: table + 4))
        #expect(try bytes(table, 4) == Array("XSDT".utf8))
        var signatures: Set<String> = []
        for entry in stride(from: table + 36, to: table + size, by: 8) {
            let address = try memory.read(UInt64.self, at: entry)
            let length = UInt64(try memory.read(UInt32.self, at: address + 4))
            let contents = try bytes(address, length)
            #expect(sum(contents) == 0)
            #expect(address >= 0xE_0000 && address + length <= 0x10_0000)
            let signature = String(decoding: contents.prefix(4), as: UTF8.self)
            signatures.insert(signature)
            guard signature == "APIC" else { continue }
            var enabled: Set<UInt8> = []
            var place = 44
            while place + 1 < contents.count, contents[place + 1] > 0 {
                // Local APIC: type 0, processor, APIC id, flags with bit 0 "enabled".
                if contents[place] == 0, contents[place + 4] & 1 == 1 { enabled.insert(contents[place + 3]) }
                place += Int(contents[place + 1])
            }
            #expect(enabled == Set((0..<cpus).map(UInt8.init)))
        }
        #expect(signatures.isSuperset(of: ["FACP", "APIC"]))
    }

    @Test func cpuCount_forABuiltInGuest_liesAt0x500() throws {
        let machine = try Machine(.program(TestProgram.exit7, cpus: 3))
        #expect(try machine.memory.read(UInt8.self, at: MachineConfiguration.cpuCountAddress) == 3)
    }
}
