import KVM
import Testing

@Suite struct TimeTests {
    @Test func clock_set_goesOnFromThere() throws {
        let machine = try KVMSystem().makeVirtualMachine()
        let hour: UInt64 = 3_600_000_000_000
        try machine.setClock(nanoseconds: hour)
        let clock = try machine.clock()
        #expect(clock >= hour)
        #expect(clock < 2 * hour)
    }

    @Test func clockReading_withRealTime_canBeSetSinceThen() throws {
        let guest = try TinyGuest([0xF4])
        let reading = try guest.machine.clockReading()
        // KVM_CAP_ADJUST_CLOCK answers the flags that may come.
        let flags = guest.machine.check(.adjustClock)
        if flags & 4 == 0 { #expect(reading.realTime == nil) }
        if flags & 8 == 0 { #expect(reading.hostTSC == nil) }
        guard let realTime = reading.realTime else {
            #expect(!reading.isStable)
            return
        }
        // An hour ago the clock had this value: now it has an hour more.
        let hour: UInt64 = 3_600_000_000_000
        try guest.machine.setClock(nanoseconds: reading.nanoseconds, realTime: realTime - hour)
        let later = try guest.machine.clock()
        #expect(later >= reading.nanoseconds + hour)
    }

    @Test func tscKHz_setToItself_isTaken() throws {
        let guest = try TinyGuest([0xF4])
        let rate = try guest.vcpu.tscKHz()
        #expect(rate > 0)
        try guest.vcpu.setTSCKHz(rate)
        let read = try guest.vcpu.tscKHz()
        #expect(read == rate)
    }

    @Test func machineTSCKHz_setToItself_isTheNewVCPUs() throws {
        let machine = try KVMSystem().makeVirtualMachine()
        let rate = try machine.tscKHz()
        #expect(rate > 0)
        try machine.setTSCKHz(rate)
        let read = try machine.tscKHz()
        #expect(read == rate)
        let own = try machine.makeVCPU(identifier: 0).tscKHz()
        #expect(own == rate)
    }

    @Test func notePause_guestWithoutKVMClock_isRefused() throws {
        let guest = try TinyGuest([0xF4])
        let error = #expect(throws: KVMError.self) { try guest.vcpu.notePause() }
        #expect(error?.hint == "the guest does not use kvmclock")
        // MSR_KVM_SYSTEM_TIME_NEW: the clock's page and the enable bit (the kernel's virt/kvm/x86/msr.rst).
        try guest.vcpu.setCPUID([CPUIDEntry(function: 0x4000_0001, eax: 1 << 3)])
        try guest.vcpu.setMSRs([MSREntry(index: 0x4B56_4D01, value: 0x5001)])
        try guest.vcpu.notePause()
    }
}
