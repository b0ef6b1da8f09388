import Foundation
import KVM
import Testing

@Suite struct ExitTests {
    @Test func run_out_givesPortWidthAndValue() throws {
        let guest = try TinyGuest([
            0xBA, 0xF8, 0x03,  // mov dx,0x3f8
            0xB0, 0x41,  // mov al,'A'
            0xEE,  // out dx,al
            0xF4,  // hlt
        ])
        let exits = try guest.all()
        #expect(exits == [.out(0x3F8, [0x41]), .halt])
    }

    @Test func run_in_takesTheAnswerOfEachWidth() throws {
        let guest = try TinyGuest([
            0xE4, 0x60,  // in al,0x60
            0xE6, 0x80,  // out 0x80,al
            0xE5, 0x60,  // in ax,0x60
            0xE7, 0x80,  // out 0x80,ax
            0x66, 0xE5, 0x60,  // in eax,0x60
            0x66, 0xE7, 0x80,  // out 0x80,eax
            0xF4,  // hlt
        ])
        let answers: [UInt32] = [0xFFFF_FF12, 0xFFFF_1234, 0x1234_5678]
        var widths: [Int] = []
        var echoed: [UInt32] = []
        for answer in answers {
            guard case .portIO(let input) = try guest.vcpu.run(), !input.isWrite else {
                Issue.record("no input")
                return
            }
            widths.append(input.width)
            input.answer(0, answer)
            guard case .out(0x80, let items) = try guest.next() else {
                Issue.record("no output")
                return
            }
            echoed += items
        }
        #expect(widths == [1, 2, 4])
        #expect(echoed == [0x12, 0x1234, 0x1234_5678])
    }

    @Test func run_stringInstructions_moveEveryItem() throws {
        let guest = try TinyGuest([
            0xBE, 0x00, 0x20,  // mov si,0x2000
            0xB9, 0x04, 0x00,  // mov cx,4
            0xBA, 0xF8, 0x03,  // mov dx,0x3f8
            0xFC,  // cld
            0xF3, 0x6E,  // rep outsb
            0xB9, 0x03, 0x00,  // mov cx,3
            0xBF, 0x00, 0x21,  // mov di,0x2100
            0xF3, 0x6D,  // rep insw
            0xF4,  // hlt
        ])
        guest.memory[0x2000...].copyBytes(from: Array("KVM!".utf8))
        // A KVM may give the items one by one or all in one exit.
        var bytes: [UInt32] = []
        while case .out(0x3F8, let items) = try guest.next() { bytes += items }
        #expect(bytes == [0x4B, 0x56, 0x4D, 0x21])
        let words = (0..<3).map { guest.memory.load(fromByteOffset: 0x2100 + 2 * $0, as: UInt16.self) }
        #expect(words == [1, 2, 3])
    }

    @Test func run_mmio_readsAndWrites() throws {
        let guest = try TinyGuest([
            0xB8, 0x00, 0xD0,  // mov ax,0xd000
            0x8E, 0xD8,  // mov ds,ax
            0x66, 0xA1, 0x10, 0x00,  // mov eax,[0x10]
            0x66, 0xA3, 0x20, 0x00,  // mov [0x20],eax
            0xC6, 0x06, 0x31, 0x00, 0x5A,  // mov byte [0x31],0x5a
            0xF4,  // hlt
        ])
        guard case .mmio(let read) = try guest.vcpu.run() else {
            Issue.record("no MMIO exit")
            return
        }
        #expect(read.address == 0xD0010)
        #expect(read.width == 4)
        #expect(!read.isWrite)
        read.answer(0xFFFF_FFFF_89AB_CDEF)
        let exits = try guest.all()
        #expect(exits == [.mmioWrite(0xD0020, 0x89AB_CDEF, width: 4), .mmioWrite(0xD0031, 0x5A, width: 1), .halt])
    }

    @Test func run_readOnlySlot_readsAndWritesOutAsMMIO() throws {
        let guest = try TinyGuest([
            0xB8, 0x00, 0xD0,  // mov ax,0xd000
            0x8E, 0xD8,  // mov ds,ax
            0x66, 0xA1, 0x10, 0x00,  // mov eax,[0x10]
            0x66, 0xA3, 0x20, 0x00,  // mov [0x20],eax
            0xF4,  // hlt
        ])
        let rom = UnsafeMutableRawBufferPointer(rebasing: guest.memory[0xD0000..<0xD1000])
        guard
            has(
                .readonlyMemory, guest.machine,
                otherwise: {
                    try guest.machine.setMemory(slot: 9, guestAddress: 0xD0000, memory: rom, options: .readOnly)
                })
        else { return }
        rom.storeBytes(of: 0x600D_F00D, toByteOffset: 0x10, as: UInt32.self)
        try guest.machine.setMemory(slot: 9, guestAddress: 0xD0000, memory: rom, options: .readOnly)
        let exits = try guest.all()
        #expect(exits == [.mmioWrite(0xD0020, 0x600D_F00D, width: 4), .halt])
        #expect(rom.load(fromByteOffset: 0x20, as: UInt32.self) == 0)
    }

    @Test func run_tripleFault_isShutdown() throws {
        let guest = try TinyGuest([0x0F, 0x0B])  // ud2
        var special = guest.longMode(try guest.vcpu.specialRegisters())
        // A table without entries: neither #UD nor the double fault has a handler.
        special.idt.limit = 0
        try guest.vcpu.setSpecialRegisters(special)
        let exit = try guest.next()
        #expect(exit == .other("KVM_EXIT_SHUTDOWN"))
    }

    @Test func run_codeInNoMemory_isAnEmulationFailure() throws {
        let guest = try TinyGuest([])
        try guest.start(at: 0xD0000)
        guard case .internalError(let error) = try guest.vcpu.run() else {
            Issue.record("no internal error")
            return
        }
        #expect(error.suberror == 1)
        #expect(error.meaning == "KVM could not emulate an instruction")
    }

    @Test func run_exitRequestSet_returnsWithoutEnteringUntilCleared() throws {
        let guest = try TinyGuest([
            0xE6, 0xF4,  // out 0xf4,al
            0xF4,  // hlt
        ])
        guest.vcpu.exitRequest.set()
        for _ in 0..<3 {
            guard case .interrupted = try guest.vcpu.run() else {
                Issue.record("the guest was entered")
                return
            }
        }
        let address = try guest.vcpu.registers().rip
        #expect(address == 0x1000)
        guest.vcpu.exitRequest.clear()
        let exit = try guest.next()
        #expect(exit == .out(0xF4, [0]))
    }

    @Test func run_exitRequestAfterARead_completesTheReadFirst() throws {
        let guest = try TinyGuest([
            0xE4, 0x60,  // in al,0x60
            0xF4,  // hlt
        ])
        guard case .portIO(let input) = try guest.vcpu.run() else {
            Issue.record("no input")
            return
        }
        input.answer(0, 0x77)
        guest.vcpu.exitRequest.set()
        guard case .interrupted = try guest.vcpu.run() else {
            Issue.record("the guest was entered")
            return
        }
        let registers = try guest.vcpu.registers()
        #expect(registers.rax & 0xFF == 0x77)
        #expect(registers.rip == 0x1002)
    }

    @Test func run_signalInABusyGuest_isInterrupted() throws {
        let guest = try TinyGuest([
            0xEB, 0xFE,  // 1: jmp 1b
        ])
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in }
        sigaction(SIGUSR1, &action, nil)
        // The threads that tests run on have most signals blocked.
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGUSR1)
        var old = sigset_t()
        pthread_sigmask(SIG_UNBLOCK, &set, &old)
        defer { pthread_sigmask(SIG_SETMASK, &old, nil) }
        // Again and again, as the first signal may come before KVM_RUN is entered.
        let runner = pthread_self()
        let kicker = Thread {
            while !Thread.current.isCancelled {
                usleep(10_000)
                pthread_kill(runner, SIGUSR1)
            }
        }
        kicker.start()
        let exit = try guest.vcpu.run()
        kicker.cancel()
        while !kicker.isFinished { usleep(1000) }
        #expect(exit.kernelName == "KVM_EXIT_INTR")
    }

    @Test func run_signalBlockedByTheMaskOfTheVCPU_isTakenOnlyAfterwards() throws {
        let guest = try TinyGuest([
            0x66, 0xB9, 0x00, 0x10, 0x00, 0x00,  // mov ecx,0x1000
            0x67, 0xE2, 0xFD,  // 1: loopd 1b
            0xF4,  // hlt
        ])
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in }
        sigaction(SIGUSR2, &action, nil)
        // The thread blocks the signal, which is pending; the vCPU's own mask lets it in, or does not.
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGUSR2)
        var old = sigset_t()
        pthread_sigmask(SIG_BLOCK, &set, &old)
        defer { pthread_sigmask(SIG_SETMASK, &old, nil) }
        pthread_kill(pthread_self(), SIGUSR2)
        try guest.vcpu.setSignalMask(0)
        guard case .interrupted = try guest.vcpu.run() else {
            Issue.record("the signal did not interrupt")
            return
        }
        try guest.vcpu.setSignalMask(nil)
        let exit = try guest.next()
        #expect(exit == .halt)
        sigtimedwait(&set, nil, [timespec()])
    }
}
