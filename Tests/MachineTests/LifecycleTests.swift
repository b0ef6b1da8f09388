import Foundation
import Machine
import Synchronization
import Testing

/// Starting, pausing, resuming and stopping machines, from wherever.
@Suite struct LifecycleTests {
    /// While paused nothing in memory moves, and afterwards every CPU goes on.
    @Test(arguments: [1, 2, 4]) func pause_1000TimesOfABusyGuest_standsStillEachTimeAndGoesOn(cpus: Int) throws {
        let machine = try Machine(.program(TestProgram.counting, cpus: cpus))
        try machine.start()
        defer {
            machine.stop(.stopped)
            #expect(machine.wait() == .stopped)
        }
        // Should a pause never return, this ends it, and what follows fails.
        let watchdog = Watchdog(seconds: 400) { machine.stop(.stopped) }
        defer { watchdog.disarm() }
        try #require(try holds { try machine.counts.allSatisfy { $0 > 0 } }, "not every CPU reported")

        var moved = 0
        for round in 0..<1000 {
            machine.pause()
            let before = try machine.counts
            usleep(50)
            let after = try machine.counts
            machine.resume()
            try #require(before == after, "in round \(round) a paused CPU counted on")
            // Every CPU in every 50th round, since a busy host may not let all of them run at once.
            if round % 50 == 0 {
                let everyOne = try holds { try zip(before, machine.counts).allSatisfy { $0 != $1 } }
                try #require(everyOne, "in round \(round) not every CPU went on")
            } else {
                try #require(try holds { try before != machine.counts }, "in round \(round) no CPU went on")
            }
            moved += 1
        }
        #expect(moved == 1000)
        #expect(machine.stopReason == nil)
    }

    @Test func pause_twice_needsTwoResumes() throws {
        let machine = try Machine(.program(TestProgram.counting))
        try machine.start()
        try #require(try holds { try machine.counts[0] > 0 })
        machine.pause()
        machine.pause()
        machine.resume()
        let before = try machine.counts
        usleep(20_000)
        #expect(try machine.counts == before)
        machine.resume()
        #expect(try holds { try machine.counts != before })
        machine.stop(.stopped)
        #expect(machine.wait() == .stopped)
    }

    @Test func pause_beforeStart_holdsTheFirstInstructionBack() throws {
        let machine = try Machine(.program(TestProgram.counting, cpus: 2))
        machine.pause()
        try machine.start()
        usleep(50_000)
        #expect(try machine.counts == [0, 0])
        machine.resume()
        #expect(try holds { try machine.counts.allSatisfy { $0 > 0 } })
        machine.stop(.stopped)
        _ = machine.wait()
    }

    @Test func pause_ofAMachineThatEnds_returns() throws {
        let machine = try Machine(.program(TestProgram.exit7))
        try machine.start()
        #expect(machine.wait() == .guestExit(status: 7))
        machine.pause()
        machine.resume()
        #expect(machine.stopReason == .guestExit(status: 7))
    }

    @Test func stop_whilePaused_ends() throws {
        let machine = try Machine(.program(TestProgram.counting, cpus: 2))
        try machine.start()
        try #require(try holds { try machine.counts[0] > 0 })
        machine.pause()
        machine.stop(.stopped)
        #expect(machine.wait() == .stopped)
    }

    @Test func stop_beforeStart_endsItAtOnce() throws {
        let machine = try Machine(.program(TestProgram.counting, cpus: 2))
        machine.stop(.stopped)
        try machine.start()
        #expect(machine.wait() == .stopped)
        #expect(try machine.counts == [0, 0])
    }

    @Test func stop_withoutStart_isEnoughForWait() throws {
        let machine = try Machine(.program(TestProgram.counting))
        machine.stop(.poweredOff)
        #expect(machine.wait() == .poweredOff)
    }

    /// The first reason counts, whoever comes later.
    @Test func stop_fromManyThreads_endsWithOneOfTheirReasons() throws {
        for _ in 0..<20 {
            let machine = try Machine(.program(TestProgram.counting, cpus: 2))
            try machine.start()
            let threads = (0..<8).map { number in
                let thread = Foundation.Thread { machine.stop(.guestExit(status: UInt8(number))) }
                thread.start()
                return thread
            }
            let reason = machine.wait()
            guard case .guestExit(let status) = reason else {
                Issue.record("\(reason)")
                continue
            }
            #expect(status < 8)
            #expect(holds { threads.allSatisfy(\.isFinished) })
            machine.stop(.reset)
            #expect(machine.stopReason == reason)
        }
    }

    @Test func stop_whileOthersPauseAndResume_ends() throws {
        let machine = try Machine(.program(TestProgram.counting, cpus: 2))
        try machine.start()
        let threads = (0..<3).map { _ in
            let thread = Foundation.Thread {
                while machine.stopReason == nil {
                    machine.pause()
                    machine.resume()
                }
            }
            thread.start()
            return thread
        }
        usleep(200_000)
        machine.stop(.stopped)
        #expect(machine.wait() == .stopped)
        #expect(holds { threads.allSatisfy(\.isFinished) })
    }

    @Test func onStop_ofFourCPUs_isCalledOnce() throws {
        let calls = Atomic<Int>(0)
        let machine = try Machine(.program(TestProgram.counting, cpus: 4))
        try machine.start { calls.add(1, ordering: .relaxed) }
        try #require(try holds { try machine.counts[0] > 0 })
        machine.stop(.stopped)
        _ = machine.wait()
        #expect(calls.load(ordering: .relaxed) == 1)
    }

    /// The guest's own end, on one CPU, ends the others, which never leave the guest by themselves.
    @Test func guestExit_onOneCPU_endsAll() throws {
        // The second CPU is the one that exits: movw %cs, %ax; testw %ax, %ax; jz counting; movb $7, %al; outb.
        var program = TestProgram.counting
        program.insert(contentsOf: [0x8C, 0xC8, 0x85, 0xC0, 0x74, 0x04, 0xB0, 0x07, 0xE6, 0xF4], at: 0)
        let machine = try Machine(.program(program, cpus: 2))
        #expect(try machine.run() == .guestExit(status: 7))
    }

    /// In a process of its own, where nobody else opens files or starts threads.
    @Test func machines_20OneAfterTheOther_leaveNothingBehind() async {
        await #expect(processExitsWith: .success) {
            func entries(_ folder: String) throws -> Int {
                try FileManager.default.contentsOfDirectory(atPath: "/proc/self/" + folder).count
            }
            func runOne(_ number: Int) throws {
                let machine = try Machine(.program(TestProgram.counting, cpus: 2))
                try machine.start()
                if number % 2 == 0 { _ = try holds { try machine.counts.allSatisfy { $0 > 0 } } }
                machine.stop(.stopped)
                _ = machine.wait()
            }
            // The first ones make what a process makes once.
            for number in 0..<2 { try runOne(number) }
            let files = try entries("fd")
            let threads = try entries("task")
            for number in 0..<20 { try runOne(number) }
            #expect(try entries("fd") == files)
            // A joined thread may still be on its way out of the kernel's list.
            #expect(try holds(within: 10) { try entries("task") <= threads })
        }
    }

    @Test func machines_manyAtTheSameTime_doNotDisturbEachOther() throws {
        let machines = try (0..<8).map { try Machine(.program(TestProgram.counting, cpus: 1 + $0 % 2)) }
        for machine in machines { try machine.start() }
        for machine in machines { #expect(try holds { try machine.counts.allSatisfy { $0 > 0 } }) }
        machines[3].stop(.reset)
        #expect(machines[3].wait() == .reset)
        let before = try machines[4].counts
        #expect(try holds { try machines[4].counts != before })
        for machine in machines { machine.stop(.stopped) }
        for (number, machine) in machines.enumerated() { #expect(machine.wait() == (number == 3 ? .reset : .stopped)) }
    }

    @Test func machine_thatNobodyKeeps_isFreed() throws {
        weak var forgotten: Machine?
        do {
            let machine = try Machine(.program(TestProgram.exit7))
            forgotten = machine
            _ = try machine.run()
        }
        #expect(holds(within: 10) { forgotten == nil })
    }
}

/// Does something after a time, unless it is disarmed before.
final class Watchdog: Sendable {
    private let isDisarmed = Atomic<Bool>(false)

    init(seconds: Double, _ body: @escaping @Sendable () -> Void) {
        Foundation.Thread { [self] in
            let end = Date(timeIntervalSinceNow: seconds)
            while Date() < end, !isDisarmed.load(ordering: .relaxed) { usleep(100_000) }
            if !isDisarmed.load(ordering: .relaxed) { body() }
        }.start()
    }

    func disarm() {
        isDisarmed.store(true, ordering: .relaxed)
    }
}
