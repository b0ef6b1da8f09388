import KVM
import Testing

@Suite struct MSRTests {
    /// MSR 0xC0DE is none of KVM's.
    private static let foreign: [UInt8] = [
        0x66, 0xB9, 0xDE, 0xC0, 0x00, 0x00,  // mov ecx,0xc0de
        0x0F, 0x32,  // rdmsr
        0x66, 0x89, 0xC3,  // mov ebx,eax
        0x66, 0x89, 0xD6,  // mov esi,edx
        0x66, 0xB8, 0xEF, 0xCD, 0xAB, 0x89,  // mov eax,0x89abcdef
        0x66, 0xBA, 0x67, 0x45, 0x23, 0x01,  // mov edx,0x01234567
        0x0F, 0x30,  // wrmsr
        0xF4,  // hlt
    ]
    /// Reads IA32_SYSENTER_EIP.
    private static let reader: [UInt8] = [
        0x66, 0xB9, 0x76, 0x01, 0x00, 0x00,  // mov ecx,0x176
        0x0F, 0x32,  // rdmsr
        0xF4,  // hlt
    ]
    /// #GP (vector 13) without an error code in real mode.
    private static let handler: [UInt8] = [0xE6, 0xF4]  // out 0xf4,al

    @Test func exitOnMSR_unknown_readAndWriteComeOut() throws {
        let guest = try TinyGuest(Self.foreign, prepare: { try $0.exitOnMSR([.unknown, .invalid]) })
        guard case .readMSR(let read) = try guest.vcpu.run() else {
            Issue.record("no RDMSR exit")
            return
        }
        #expect(read.index == 0xC0DE)
        #expect(read.reason == .unknown)
        read.complete(0x1122_3344_5566_7788)
        guard case .writeMSR(let write) = try guest.vcpu.run() else {
            Issue.record("no WRMSR exit")
            return
        }
        #expect(write.index == 0xC0DE)
        #expect(write.value == 0x0123_4567_89AB_CDEF)
        write.complete()
        let exit = try guest.next()
        #expect(exit == .halt)
        let registers = try guest.vcpu.registers()
        #expect(registers.rbx == 0x5566_7788)
        #expect(registers.rsi == 0x1122_3344)
    }

    @Test func exitOnMSR_answeredWithGeneralProtection_faultsInTheGuest() throws {
        let guest = try TinyGuest(
            Self.foreign, handlers: [13], handler: Self.handler, prepare: { try $0.exitOnMSR(.unknown) })
        guard case .readMSR(let read) = try guest.vcpu.run() else {
            Issue.record("no RDMSR exit")
            return
        }
        read.raiseGeneralProtection()
        let exit = try guest.next()
        #expect(exit == .out(0xF4, [0]))
    }

    @Test func setMSRFilter_deniedWithoutExit_faultsInTheGuest() throws {
        let guest = try TinyGuest(Self.reader, handlers: [13], handler: Self.handler)
        try guest.machine.setMSRFilter(
            [MSRFilterRange(first: 0x174, allowed: [true, true, false], reads: true, writes: false)], allowOthers: true)
        let denied = try guest.next()
        #expect(denied == .out(0xF4, [0]))
        // Others are still KVM's, and so is this one once the filter is gone.
        try guest.machine.setMSRFilter([], allowOthers: true)
        try guest.start(at: 0x1000)
        let allowed = try guest.next()
        #expect(allowed == .halt)
    }

    @Test func setMSRFilter_deniedWithExit_comesOut() throws {
        let guest = try TinyGuest(Self.reader, prepare: { try $0.exitOnMSR(.filter) })
        try guest.machine.setMSRFilter(
            [MSRFilterRange(first: 0x10, allowed: [true], reads: true, writes: true)], allowOthers: false)
        guard case .readMSR(let read) = try guest.vcpu.run() else {
            Issue.record("no RDMSR exit")
            return
        }
        #expect(read.index == 0x176)
        #expect(read.reason == .filter)
        read.complete(0xABCD)
        let exit = try guest.next()
        #expect(exit == .halt)
        let value = try guest.vcpu.registers().rax
        #expect(value == 0xABCD)
    }

    @Test(arguments: [17, 1, 0])
    func setMSRFilter_beyondItsLimits_isAnError(ranges: Int) throws {
        let machine = try KVMSystem().makeVirtualMachine()
        let length = ranges == 1 ? 12289 : 8
        let range = MSRFilterRange(
            first: 0, allowed: Array(repeating: true, count: length), reads: true, writes: true)
        let error = #expect(throws: KVMError.self) {
            try machine.setMSRFilter(Array(repeating: range, count: ranges), allowOthers: false)
        }
        #expect(error?.errno == 22)
        #expect(error?.hint.hasPrefix("at most 16 ranges") == true)
    }

    @Test func msrs_set_areReadBack() throws {
        let guest = try TinyGuest([])
        let entries = [MSREntry(index: 0x174, value: 0x10), MSREntry(index: 0xC000_0082, value: 0xFFFF_8000_0000_1234)]
        try guest.vcpu.setMSRs(entries)
        let read = try guest.vcpu.msrs([0x174, 0xC000_0082])
        #expect(read == entries)
    }

    @Test func msrs_moreThanTheKernelTakesAtOnce_areAllDone() throws {
        let guest = try TinyGuest([])
        let entries = (0..<1000).map { MSREntry(index: $0 % 2 == 0 ? 0x176 : 0x175, value: UInt64($0)) }
        try guest.vcpu.setMSRs(entries)
        let read = try guest.vcpu.msrs(entries.map(\.index))
        #expect(read.count == 1000)
        #expect(read.last == MSREntry(index: 0x175, value: 999))
        let none = try guest.vcpu.msrs([])
        #expect(none == [])
    }

    @Test func msrs_unknownOne_endsTheAnswerAndNamesItWhenSet() throws {
        let guest = try TinyGuest([])
        let foreign: UInt32 = 0xC0DE
        let read = try guest.vcpu.msrs([0x176, foreign, 0x175])
        #expect(read.map(\.index) == [0x176])
        let error = #expect(throws: KVMError.self) {
            let fill = (0..<300).map { _ in MSREntry(index: 0x176, value: 1) }
            try guest.vcpu.setMSRs(fill + [MSREntry(index: foreign, value: 7)])
        }
        #expect(error?.hint == "KVM refuses the value 0x7 for MSR 0xc0de")
    }

    @Test func msrIndices_canAllBeRead() throws {
        let system = try KVMSystem()
        let indices = try system.msrIndices()
        #expect(indices.contains(0x10))
        #expect(indices.contains(0x174))
        let guest = try TinyGuest([])
        // KVM lists some that the vCPU's CPUID must offer first; it is set to everything KVM supports.
        try guest.vcpu.setCPUID(try system.supportedCPUID())
        let readable = try indices.filter { try guest.vcpu.msrs([$0]).count == 1 }
        #expect(readable.contains(0x10))
        #expect(readable.count > indices.count / 2)
    }

    @Test func featureMSRs_listed_areRead() throws {
        let system = try KVMSystem()
        let indices = try system.msrFeatureIndices()
        let values = try system.featureMSRs(indices)
        #expect(values.map(\.index) == indices)
    }
}
