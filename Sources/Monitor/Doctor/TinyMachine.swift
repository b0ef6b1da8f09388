internal import CKVM
internal import Glibc
internal import KVM
internal import Machine
internal import Synchronization

/// One try of a ``TinyGuest``.
enum Trial: Equatable, Sendable {
    /// It sent the number that it should.
    case passed
    /// It sent another number.
    case wrongAnswer(UInt32)
    /// It died, or left in a way that it should not.
    case died(String)
    /// It did not end in time.
    case timedOut
    /// KVM refused a call.
    case refused(KVMError)
}

/// Zeroed memory that goes with its owner.
private struct Mapping: ~Copyable {
    let bytes: UnsafeMutableRawBufferPointer

    init(size: Int) throws(KVMError) {
        guard
            let mapping = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            mapping != MAP_FAILED
        else { throw KVMError(operation: "mmap of \(size) bytes of guest memory", errno: errno) }
        bytes = UnsafeMutableRawBufferPointer(start: mapping, count: size)
    }

    deinit { munmap(bytes.baseAddress, bytes.count) }
}

/// A virtual machine for a ``TinyGuest``, with its memory.
struct TinyMachine: ~Copyable {
    private let machine: VirtualMachine
    private let memory: Mapping

    init(_ system: borrowing KVMSystem, _ guest: TinyGuest, withInterruptChips: Bool = false) throws(KVMError) {
        let machine = try system.makeVirtualMachine()
        let memory = try Mapping(size: TinyGuest.memoryBytes)
        for part in guest.image {
            UnsafeMutableRawBufferPointer(rebasing: memory.bytes[part.address...]).copyBytes(from: part.bytes)
        }
        // Intel's KVM wants these pages for real mode; they may lie anywhere below 4 GiB that is free.
        try machine.setTSSAddress(0xFFFB_D000)
        try machine.setIdentityMapAddress(0xFFFB_C000)
        if withInterruptChips { try machine.createInterruptChips() }
        try machine.setMemory(slot: 0, guestAddress: 0, memory: memory.bytes)
        self.machine = machine
        self.memory = memory
    }

    /// A vCPU with all of the processor's features, as without them long mode cannot be switched on.
    borrowing func makeVCPU(_ identifier: UInt32, _ system: borrowing KVMSystem) throws(KVMError) -> VirtualCPU {
        let vcpu = try machine.makeVCPU(identifier: identifier)
        try vcpu.setCPUID(try system.supportedCPUID())
        return vcpu
    }
}

/// What a thread hands back.
private final class Box<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>
    init(_ value: Value) { mutex = Mutex(value) }
    var value: Value {
        get { mutex.withLock { $0 } }
        set { mutex.withLock { $0 = newValue } }
    }
}

/// A machine with two vCPUs, each for one thread. Its memory is the guest's: no thread here touches it.
///
/// Both vCPUs are there before either runs, as an INIT to one that is not there is lost.
private final class PairMachine: @unchecked Sendable {
    let machine: TinyMachine
    let boot: VirtualCPU
    let application: VirtualCPU

    init(_ guest: TinyGuest) throws(KVMError) {
        let system = try KVMSystem()
        machine = try TinyMachine(system, guest, withInterruptChips: true)
        boot = try machine.makeVCPU(0, system)
        application = try machine.makeVCPU(1, system)
        try guest.prepare(boot)
    }
}

/// What a vCPU of a ``TinyGuest`` left KVM_RUN with.
private enum TinyExit {
    case answer(UInt32)
    case end(Trial)
}

extension VirtualCPU {
    /// Runs until the guest writes to the result port, dies, or is called to end.
    fileprivate borrowing func runToAnswer(_ control: BoundedThread.Control) throws(KVMError) -> TinyExit {
        while true {
            let exit = try run()
            switch exit {
            case .portIO(let access) where access.isWrite && access.port == TinyGuest.resultPort:
                return .answer(access.item(0))
            case .interrupted:
                if control.isOver { return .end(.timedOut) }
            default:
                return .end(.died(Crash.Cause(exit).heading))
            }
        }
    }
}

extension TinyGuest {
    /// Milliseconds after which a guest counts as hanging. The first one on an emulated host has taken two seconds.
    static let patience: Int32 = 10_000

    /// Runs something on a vCPU of a machine of its own, on a thread that is bounded in time.
    private func onVCPU<Value: Sendable>(
        milliseconds: Int32, late: Value, refused: @escaping @Sendable (KVMError) -> Value,
        _ body: @escaping @Sendable (borrowing VirtualCPU, BoundedThread.Control) throws(KVMError) -> Value
    ) -> Value {
        let result = Box(late)
        BoundedThread.run(
            milliseconds: milliseconds,
            [
                { control in
                    do throws(KVMError) {
                        let system = try KVMSystem()
                        let machine = try TinyMachine(system, self)
                        let vcpu = try machine.makeVCPU(0, system)
                        try prepare(vcpu)
                        control.watch(vcpu.exitRequest)
                        defer { control.watch(nil) }
                        result.value = try body(vcpu, control)
                    } catch {
                        result.value = refused(error)
                    }
                }
            ])
        return result.value
    }

    /// Runs it on a machine of its own.
    /// - Parameter milliseconds: how long it may take.
    func run(milliseconds: Int32 = patience) -> Trial {
        onVCPU(milliseconds: milliseconds, late: .timedOut, refused: { .refused($0) }) {
            (vcpu, control) throws(KVMError) -> Trial in
            judge(try vcpu.runToAnswer(control))
        }
    }

    private func judge(_ exit: TinyExit) -> Trial {
        switch exit {
        case .answer(let value): value == answer ? .passed : .wrongAnswer(value)
        case .end(let trial): trial
        }
    }

    /// Instructions a second of a counted loop that runs for some 20 ms, or nil when it does not work.
    static func instructionsPerSecond(_ entry: Entry) -> UInt64? {
        loop(entry).onVCPU(milliseconds: patience, late: nil, refused: { _ in nil }) {
            (vcpu, control) throws(KVMError) -> UInt64? in
            var rounds: UInt64 = 1000
            while true {
                var registers = try vcpu.registers()
                registers.rcx = rounds
                try vcpu.setRegisters(registers)
                let start = Self.now
                guard case .answer = try vcpu.runToAnswer(control) else { return nil }
                let elapsed = max(1, Self.now - start)
                if elapsed >= 20_000_000 || rounds > 1 << 30 {
                    // Two instructions a round, and doubles because the product may pass 64 bits.
                    return UInt64(Double(rounds) * 2e9 / Double(elapsed))
                }
                rounds *= elapsed < 1_000_000 ? 16 : 4
            }
        }
    }

    /// Nanoseconds of one exit by OUT and the way back into the guest, or nil when it does not work.
    static func nanosecondsPerExit() -> UInt64? {
        exits.onVCPU(milliseconds: patience, late: nil, refused: { _ in nil }) {
            (vcpu, control) throws(KVMError) -> UInt64? in
            guard case .answer = try vcpu.runToAnswer(control) else { return nil }
            let start = Self.now
            var count: UInt64 = 0
            repeat {
                for _ in 0..<16 {
                    guard case .answer = try vcpu.runToAnswer(control) else { return nil }
                }
                count += 16
            } while Self.now - start < 20_000_000
            return (Self.now - start) / count
        }
    }

    /// Runs ``startsOther`` on one vCPU while another waits for its INIT and SIPI.
    static func startOtherVCPU(milliseconds: Int32 = patience) -> Trial {
        let guest = startsOther
        let pair: PairMachine
        do throws(KVMError) {
            pair = try PairMachine(guest)
        } catch {
            return .refused(error)
        }
        let result = Box(Trial.timedOut)
        let boot: @Sendable (BoundedThread.Control) -> Void = { control in
            control.watch(pair.boot.exitRequest)
            defer { control.watch(nil) }
            do throws(KVMError) {
                result.value = guest.judge(try pair.boot.runToAnswer(control))
            } catch {
                result.value = .refused(error)
            }
        }
        let application: @Sendable (BoundedThread.Control) -> Void = { control in
            control.watch(pair.application.exitRequest)
            defer { control.watch(nil) }
            // Whatever goes wrong here shows on the other vCPU, which waits for this one.
            while !control.isOver {
                guard case .interrupted? = try? pair.application.run() else { return }
            }
        }
        BoundedThread.run(milliseconds: milliseconds, until: 0, [boot, application])
        return result.value
    }

    /// The time that this thread has had a processor for, in nanoseconds: the guest's as well, and not that of
    /// others on a busy host.
    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
