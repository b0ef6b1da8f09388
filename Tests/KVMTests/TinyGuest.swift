import Foundation
import KVM
import Testing

/// A machine with one vCPU in real mode and code at 0x1000, which it starts with. Segments begin at 0 and reach over
/// 4 GiB ("unreal mode"), so that a guest of few bytes sees all of its memory; the stack begins at 0x8000.
final class TinyGuest {
    static let codeAddress = 0x1000
    static let handlerAddress = 0x1100
    static let unexpectedAddress = 0x1200

    let machine: VirtualMachine
    let vcpu: VirtualCPU
    let memory: UnsafeMutableRawBufferPointer

    /// - Parameters:
    ///   - code: real-mode code.
    ///   - handlers: the interrupt vectors that go to `handler`.
    ///   - prepare: what has to be done before the vCPU is made.
    init(
        _ code: [UInt8], memorySize: Int = 1 << 20, options: MemorySlotOptions = [], handlers: [Int] = [],
        handler: [UInt8] = [], prepare: (borrowing VirtualMachine) throws -> Void = { _ in }
    ) throws {
        let machine = try KVMSystem().makeVirtualMachine()
        let mapping = try #require(mmap(nil, memorySize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
        memory = UnsafeMutableRawBufferPointer(start: mapping, count: memorySize)
        // A machine without its memory is one memory slot, below the hole at 0xD0000 that tests use for MMIO.
        let low = UnsafeMutableRawBufferPointer(rebasing: memory[..<0xC0000])
        try machine.setMemory(slot: 0, guestAddress: 0, memory: low, options: options)
        if memorySize > 1 << 20 {
            let high = UnsafeMutableRawBufferPointer(rebasing: memory[(1 << 20)...])
            try machine.setMemory(slot: 1, guestAddress: 1 << 20, memory: high, options: options)
        }
        try machine.setTSSAddress(0xFFFB_D000)
        try prepare(machine)
        vcpu = try machine.makeVCPU(identifier: 0)
        self.machine = machine
        memory[Self.codeAddress...].copyBytes(from: code)
        memory[Self.handlerAddress...].copyBytes(from: handler)
        // Every other vector ends the guest by a write to port 0xF5, so that no test hangs on an unexpected one.
        memory[Self.unexpectedAddress...].copyBytes(from: [0xE6, 0xF5, 0xF4])  // out 0xf5,al; hlt
        for vector in 0..<256 {
            let address = handlers.contains(vector) ? Self.handlerAddress : Self.unexpectedAddress
            memory.storeBytes(of: UInt32(address), toByteOffset: vector * 4, as: UInt32.self)
        }
        var special = try vcpu.specialRegisters()
        for segment in [\SpecialRegisters.cs, \.ds, \.es, \.fs, \.gs, \.ss] {
            special[keyPath: segment].base = 0
            special[keyPath: segment].selector = 0
            special[keyPath: segment].limit = 0xFFFF_FFFF
            special[keyPath: segment].g = 1
        }
        try vcpu.setSpecialRegisters(special)
        try start(at: UInt64(Self.codeAddress))
    }

    deinit {
        munmap(memory.baseAddress, memory.count)
    }

    func start(at address: UInt64) throws {
        var registers = try vcpu.registers()
        registers.rip = address
        registers.rsp = 0x8000
        registers.rflags = 2
        try vcpu.setRegisters(registers)
    }

    /// Special registers for 64-bit code, with page tables in guest memory: the PML4 at 0x2000, PDPT at 0x3000, and
    /// page directory at 0x4000, whose first entry maps 2 MiB to themselves and the second 0x200000 to 0x400000.
    func longMode(_ registers: SpecialRegisters) -> SpecialRegisters {
        memory.storeBytes(of: 0x3003, toByteOffset: 0x2000, as: UInt64.self)
        memory.storeBytes(of: 0x4003, toByteOffset: 0x3000, as: UInt64.self)
        memory.storeBytes(of: 0x0083, toByteOffset: 0x4000, as: UInt64.self)
        memory.storeBytes(of: 0x40_0083, toByteOffset: 0x4008, as: UInt64.self)
        var special = registers
        special.cr3 = 0x2000
        special.controlRegister4.insert(.pae)
        special.controlRegister0.formUnion([.pe, .pg])
        special.extendedFeatureEnable = [.lme, .lma]
        special.cs.type = 11
        special.cs.l = 1
        special.cs.db = 0
        special.cs.s = 1
        special.cs.present = 1
        special.cs.selector = 8
        for segment in [\SpecialRegisters.ds, \.es, \.ss] {
            special[keyPath: segment].selector = 16
            special[keyPath: segment].type = 3
        }
        return special
    }

    /// What a test compares of an exit.
    enum Seen: Equatable {
        case out(UInt16, [UInt32])
        case mmioWrite(UInt64, UInt64, width: Int)
        case halt
        case other(String)
    }

    /// Runs to the next exit that is no read. Reads are answered with 1, 2, 3 and so on, counted by item.
    func next() throws -> Seen {
        while true {
            switch try vcpu.run() {
            case .portIO(let access) where access.isWrite:
                return .out(access.port, (0..<access.count).map(access.item))
            case .portIO(let access):
                for position in 0..<access.count {
                    answers += 1
                    access.answer(position, answers)
                }
            case .mmio(let access) where access.isWrite:
                return .mmioWrite(access.address, access.value, width: access.width)
            case .mmio(let access):
                answers += 1
                access.answer(UInt64(answers))
            case .halt: return .halt
            case let exit: return .other(exit.kernelName)
            }
        }
    }

    /// The exits up to and with the first that is HLT, a write to port 0xF4, or something unexpected.
    func all() throws -> [Seen] {
        var seen: [Seen] = []
        while true {
            let exit = try next()
            seen.append(exit)
            switch exit {
            case .halt, .other, .out(0xF4, _), .out(0xF5, _): return seen
            default: continue
            }
        }
    }

    private var answers: UInt32 = 0
}

/// An eventfd that is closed when its owner goes.
struct Event: ~Copyable {
    let descriptor: Int32

    init() {
        // Swift's Glibc module has no <sys/eventfd.h>. EFD_NONBLOCK is O_NONBLOCK.
        typealias Call = @convention(c) (UInt32, Int32) -> Int32
        let call = unsafeBitCast(dlsym(nil, "eventfd"), to: Call.self)
        descriptor = call(0, O_NONBLOCK)
        precondition(descriptor >= 0)
    }

    deinit {
        close(descriptor)
    }

    borrowing func signal() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    /// How often it was signalled since the last call.
    borrowing func take() -> UInt64 {
        var count: UInt64 = 0
        return read(descriptor, &count, 8) == 8 ? count : 0
    }
}
