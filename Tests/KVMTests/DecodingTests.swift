import Foundation
import Testing

@testable import KVM

/// Exits that no guest here can cause, and shared pages that no kernel writes: the page is an ordinary file in memory.
@Suite struct DecodingTests {
    private final class FakePage {
        let vcpu: VirtualCPU
        private let bytes: UnsafeMutableRawPointer

        init(pages: Int = 3) throws {
            let file = Self.file()
            ftruncate(file, off_t(pages * 4096))
            bytes = mmap(nil, pages * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
            vcpu = try VirtualCPU(Descriptor(owning: file), identifier: 0, mappingSize: pages * 4096)
        }

        /// An empty file without a name.
        static func file() -> Int32 {
            var path = Array("/tmp/kvm_run.XXXXXX".utf8CString)
            let file = mkstemp(&path)
            unlink(path)
            return file
        }

        func store<Value: BitwiseCopyable>(_ value: Value, at offset: Int) {
            bytes.storeBytes(of: value, toByteOffset: offset, as: Value.self)
        }

        func load<Value: BitwiseCopyable>(_ type: Value.Type, at offset: Int) -> Value {
            bytes.load(fromByteOffset: offset, as: type)
        }

        /// `exit_reason` is at 8 and the union at 32 (struct kvm_run).
        func decode(_ reason: UInt32, _ words: [UInt64] = []) -> VMExit {
            store(reason, at: 8)
            for (position, word) in words.enumerated() { store(word, at: 32 + 8 * position) }
            return vcpu.decodeExit()
        }
    }

    /// The exit reasons of the kernel's header.
    private static let reasons: [String: UInt32] = {
        var reasons: [String: UInt32] = [:]
        let header = (try? String(contentsOfFile: "/usr/include/linux/kvm.h", encoding: .utf8)) ?? ""
        for line in header.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count >= 3, words[0] == "#define", words[1].hasPrefix("KVM_EXIT_"),
                !words[1].hasPrefix("KVM_EXIT_HYPERV_"), !words[1].hasPrefix("KVM_EXIT_XEN_"),
                !words[1].hasPrefix("KVM_EXIT_IO_"), let number = UInt32(words[2])
            else { continue }
            reasons[String(words[1])] = number
        }
        return reasons.merging(
            [
                "KVM_EXIT_LOONGARCH_IOCSR": 38, "KVM_EXIT_MEMORY_FAULT": 39, "KVM_EXIT_TDX": 40, "KVM_EXIT_ARM_SEA": 41,
                "KVM_EXIT_SNP_REQ_CERTS": 42,
            ], uniquingKeysWith: { old, _ in old })
    }()

    @Test func decode_everyReasonOfTheKernelsHeader_hasItsName() throws {
        let page = try FakePage()
        #expect(Self.reasons.count >= 43)
        for (name, number) in Self.reasons {
            let exit = page.decode(number)
            #expect(exit.kernelName == name)
        }
        let newer = page.decode(4711)
        #expect(newer.kernelName == "KVM exit reason 4711")
    }

    @Test func decode_rareExits_haveTheirOperands() throws {
        let page = try FakePage()
        var seen: [String] = []
        func note(_ exit: VMExit) {
            switch exit {
            case .unknown(let reason): seen.append("unknown \(reason)")
            case .exception(let vector, let code): seen.append("exception \(vector) \(code)")
            case .hypercall(let number, let arguments, let answer):
                answer.pointee = 99
                seen.append("hypercall \(number) \(arguments)")
            case .failedEntry(let reason, let cpu): seen.append("failedEntry \(reason) \(cpu)")
            case .taskPriorityAccess(let address, let isWrite): seen.append("tpr \(address) \(isWrite)")
            case .systemEvent(let event): seen.append("\(event)")
            case .hyperV(let type): seen.append("hyperV \(type)")
            case .xen(let type): seen.append("xen \(type)")
            case .notify(let invalid): seen.append("notify \(invalid)")
            case .memoryFault(let address, let size, let flags): seen.append("fault \(address) \(size) \(flags)")
            case .trustDomain(let number): seen.append("tdx \(number)")
            default: seen.append(exit.kernelName)
            }
        }
        note(page.decode(0, [7]))
        note(page.decode(1, [0xE | 3 << 32]))
        note(page.decode(3, [12, 1, 2, 3, 4, 5, 6]))
        note(page.decode(9, [0x8000_0021, 3]))
        note(page.decode(12, [0x1000, 1]))
        for type: UInt64 in 1...8 { note(page.decode(24, [type])) }
        note(page.decode(27, [2]))
        note(page.decode(34, [1]))
        note(page.decode(37, [1]))
        note(page.decode(39, [8, 0x10_0000, 4096]))
        note(page.decode(40, [0, 0x10003]))
        #expect(
            seen == [
                "unknown 7", "exception 14 3", "hypercall 12 [1, 2, 3, 4, 5, 6]", "failedEntry 2147483681 3",
                "tpr 4096 true", "shutdown", "reset", "crash", "wakeUp", "suspend", "securityTermination",
                "trustDomainFatal", "unknown(8)", "hyperV 2", "xen 1", "notify true", "fault 1048576 4096 8",
                "tdx 65539",
            ])
    }

    @Test func decode_internalError_countsThatDoNotFitAreCut() throws {
        let page = try FakePage()
        // suberror 1; ndata far beyond the 16 words; flags 1; insn_size 200 of 15 bytes.
        guard case .internalError(let wild) = page.decode(17, [1 | 0xFFFF_FFFF << 32, 1, 0x90_90C8]) else {
            Issue.record("no internal error")
            return
        }
        #expect(wild.data.count == 16)
        #expect(wild.instructionBytes.count == 15)
        guard case .internalError(let usual) = page.decode(17, [1 | 3 << 32, 1, 0xA20F_02]) else {
            Issue.record("no internal error")
            return
        }
        #expect(usual.instructionBytes == [0x0F, 0xA2])
        guard case .internalError(let delivery) = page.decode(17, [3 | 2 << 32, 0x8000_0B0E, 48]) else {
            Issue.record("no internal error")
            return
        }
        #expect(delivery == InternalError(suberror: 3, data: [0x8000_0B0E, 48], instructionBytes: []))
        #expect(delivery.meaning == "an exit happened while an event was being delivered")
    }

    /// The ring is the third page: first, last, then 170 entries of 24 bytes.
    @Test(
        arguments: [(0, 170), (170, 0), (5, .max), (.max, 5), (1 << 31, 1 << 31), (171, 171)] as [(UInt32, UInt32)])
    func takeCoalescedWrites_indexOutsideTheRing_readsNothing(first: UInt32, last: UInt32) throws {
        let page = try FakePage()
        page.store(first, at: 8192)
        page.store(last, at: 8196)
        var count = 0
        page.vcpu.takeCoalescedWrites { _ in count += 1 }
        #expect(count == 0)
    }

    @Test func takeCoalescedWrites_aroundTheEnd_goesOnAtTheStart() throws {
        let page = try FakePage()
        page.store(UInt32(168), at: 8192)
        page.store(UInt32(2), at: 8196)
        for (position, address) in [(168, 1), (169, 2), (0, 3), (1, 4)] {
            page.store(UInt64(address), at: 8200 + 24 * position)
            // A length that no access has is cut to the eight bytes of data.
            page.store(UInt32(position == 169 ? 4000 : 2), at: 8200 + 24 * position + 8)
            page.store(UInt64.max, at: 8200 + 24 * position + 16)
        }
        var writes: [CoalescedWrite] = []
        page.vcpu.takeCoalescedWrites { writes.append($0) }
        #expect(writes.map(\.address) == [1, 2, 3, 4])
        #expect(writes.map(\.width) == [2, 8, 2, 2])
        #expect(writes.map(\.value) == [0xFFFF, .max, 0xFFFF, 0xFFFF])
    }

    @Test func takeCoalescedWrites_fromAPlace_leavesTheRoomAsItIs() throws {
        let page = try FakePage()
        page.store(UInt32(100), at: 8192)
        page.store(UInt32(1), at: 8196)
        var place: UInt32 = 168
        var count = 0
        let before = page.vcpu.hasCoalescedWrites(from: place)
        page.vcpu.takeCoalescedWrites(from: &place) { _ in count += 1 }
        #expect(count == 3 && place == 1)
        let after = page.vcpu.hasCoalescedWrites(from: place)
        #expect(before && !after)
        #expect(page.load(UInt32.self, at: 8192) == 100)
    }

    /// `first` is one behind the last place that KVM may fill, and never 0, which old kernels do not take for full.
    @Test(
        arguments: [
            (0, 0, 1), (10, 127, 138), (100, 127, 58), (42, 127, 169), (168, 0, 169), (169, 1, 1), (0, 5000, 169),
            (5, 5000, 4), (169, 0, nil), (170, 0, nil),
        ] as [(UInt32, Int, UInt32?)])
    func limitCoalescedWrites_placesFirst(place: UInt32, count: Int, first: UInt32?) throws {
        let page = try FakePage()
        page.store(UInt32(77), at: 8192)
        let heeded = page.vcpu.limitCoalescedWrites(to: count, after: place)
        #expect(heeded == (first != nil))
        #expect(page.load(UInt32.self, at: 8192) == first ?? 77)
    }

    @Test func takeCoalescedWrites_kernelWithoutRing_readsNothing() throws {
        let page = try FakePage(pages: 2)
        var count = 0
        page.vcpu.takeCoalescedWrites { _ in count += 1 }
        #expect(count == 0)
    }

    @Test func virtualCPU_mappingSmallerThanKVMRun_isAnError() {
        let error = #expect(throws: KVMError.self) {
            _ = try VirtualCPU(Descriptor(owning: FakePage.file()), identifier: 0, mappingSize: 64)
        }
        #expect(error?.errno == 22)
        #expect(error?.hint == "the kernel's kvm_run has only 64 bytes")
    }

    @Test func run_notAVCPU_namesTheRequest() throws {
        let page = try FakePage()
        let error = #expect(throws: KVMError.self) { _ = try page.vcpu.run() }
        #expect(
            error?.description
                == "KVM_RUN: Inappropriate ioctl for device (errno 25); this kernel's KVM does not know the request")
    }
}
