internal import KVM

/// The life of a vCPU's thread: enter the guest, see why it left, answer, enter again.
///
/// Nothing in here allocates, and the only locks are those of the devices that the guest touches.
struct RunLoop {
    private let machine: Machine
    private let processor: Processor
    private let observer: (any ExitObserver)?
    private let measures: Bool

    init(machine: Machine, processor: Processor) {
        self.machine = machine
        self.processor = processor
        observer = machine.environment.observer
        measures = observer != nil && machine.environment.measuresTime
    }

    /// Runs until the machine stops.
    func run() {
        do throws(KVMError) {
            // AMD's KVM resets a CPU that dies: RIP of its last exits is all that is left to tell where it was.
            if machine.kernel.sharesRegisters { processor.vcpu.sharedRegisterSets = .general }
            while true {
                let entered = measures ? machine.nanoseconds : 0
                let exit = try processor.vcpu.run()
                if case .interrupted = exit {
                    guard machine.lifecycle.checkpoint({ processor.exitRequest.clear() }) else { return }
                    continue
                }
                handle(exit, entered: entered)
            }
        } catch {
            machine.stop(.crashed(Crash(.runFailed(error), vcpu: processor.number)))
        }
    }

    /// Answers an exit and remembers it.
    private func handle(_ exit: borrowing VMExit, entered: UInt64) {
        machine.diskWrites?.deliver(processor.vcpu, to: machine.ports)
        var record = ExitRecord()
        record.vcpu = UInt32(truncatingIfNeeded: processor.number)
        record.kind = ExitKind(exit)
        if machine.kernel.sharesRegisters { record.instructionPointer = processor.vcpu.sharedInstructionPointer }
        if measures {
            record.time = machine.nanoseconds
            record.guestNanoseconds = record.time &- entered
        }
        answer(exit, &record)
        if let observer {
            if measures { record.monitorNanoseconds = machine.nanoseconds &- record.time }
            observer.observe(record)
        }
        processor.lastExits.append(record)
    }

    private func answer(_ exit: borrowing VMExit, _ record: inout ExitRecord) {
        switch exit {
        case .portIO(let access): answer(access, &record)
        case .mmio(let access): answer(access, &record)
        case .readMSR(let access), .writeMSR(let access): answer(access, record.kind == .writeMSR, &record)
        case .halt: machine.stop(.halted)
        case .systemEvent(.shutdown): machine.stop(.poweredOff)
        case .systemEvent(.reset): machine.stop(.reset)
        case .shutdown:
            // Linux's last resort to restart, and its first with `reboot=t`, is a triple fault.
            let isRestart = machine.console.isRestarting || machine.configuration.tripleFault == .reboot
            if isRestart, machine.console.panicMessage == nil {
                machine.stop(.processorReset)
            } else {
                crash(Crash.Cause(exit))
            }
        case .internalError(let error):
            record.address = UInt64(error.suberror)
            crash(Crash.Cause(exit))
        case .failedEntry(let reason, _):
            record.address = reason
            crash(Crash.Cause(exit))
        case .interruptWindow, .interrupted, .setTaskPriority, .nmi, .ioapicEOI, .busLock:
            break
        case .unknown, .exception, .hypercall, .debug, .taskPriorityAccess, .watchdog, .systemEvent, .hyperV,
            .dirtyRingFull, .applicationProcessorResetHold, .xen, .notify, .memoryFault, .trustDomain, .other:
            crash(Crash.Cause(exit))
        }
    }

    private func crash(_ cause: Crash.Cause) {
        // What a kernel does after its panic, to restart or by mistake, is no news any more.
        let panic = machine.console.panicMessage.map { Crash.Cause.panic(message: $0) }
        machine.stop(.crashed(Crash(panic ?? cause, vcpu: processor.number)))
    }

    private func answer(_ access: PortAccess, _ record: inout ExitRecord) {
        record.address = UInt64(access.port)
        record.width = UInt8(truncatingIfNeeded: access.width)
        record.count = UInt32(truncatingIfNeeded: access.count)
        record.isWrite = access.isWrite
        if access.count == 1 {
            if access.isWrite {
                machine.ports.write(UInt64(access.item(0)), to: UInt64(access.port), width: access.width)
            } else {
                let value = machine.ports.read(UInt64(access.port), width: access.width)
                access.answer(0, UInt32(truncatingIfNeeded: value))
            }
        } else if access.isWrite {
            access.withItems { machine.ports.writeItems($0, to: UInt64(access.port), width: access.width) }
        } else {
            access.answerItems { items in
                machine.ports.readItems(UInt64(access.port), width: access.width, into: &items)
            }
        }
        if access.isWrite { machine.diskWrites?.makeRoom(processor.vcpu, after: UInt64(access.port)) }
        if access.count > 0 { record.value = UInt64(access.item(0)) }
    }

    private func answer(_ access: MMIOAccess, _ record: inout ExitRecord) {
        record.address = access.address
        record.width = UInt8(truncatingIfNeeded: access.width)
        record.count = 1
        record.isWrite = access.isWrite
        if access.isWrite {
            machine.memoryBus.write(access.value, to: access.address, width: access.width)
        } else {
            access.answer(machine.memoryBus.read(access.address, width: access.width))
        }
        record.value = access.value
    }

    private func answer(_ access: MSRAccess, _ isWrite: Bool, _ record: inout ExitRecord) {
        record.address = UInt64(access.index)
        record.width = 8
        record.count = 1
        record.isWrite = isWrite
        record.value = isWrite ? access.value : 0
        if MSRPolicy.isHarmless(access.index) { access.complete() } else { access.raiseGeneralProtection() }
    }
}
