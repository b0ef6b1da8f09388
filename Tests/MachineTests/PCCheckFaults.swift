import Firmware
import GuestMemory
import Synchronization
import Testing

@testable import Machine

extension PCCheckTests {
    /// What can be wrong with a PC, in as few machines as have room for it: in each of them one thing to a line.
    static let batches: [Batch] = {
        var batches: [Batch] = []
        for flaw in memoryCases + clockCases + deviceCases + processorCases {
            if let index = batches.indices.first(where: { batches[$0].hasRoom(for: flaw) }) {
                batches[index].cases.append(flaw)
            } else {
                batches.append(Batch(cases: [flaw]))
            }
        }
        return batches
    }()

    /// Things that are wrong in one machine.
    struct Batch: CustomTestStringConvertible, Sendable {
        var cases: [Case]

        var testDescription: String { cases.map(\.what).joined(separator: "; ") }
        var failing: Set<Line> { Set(cases.flatMap(\.failing)) }
        var cpus: Int { cases.map(\.cpus).max() ?? 1 }
        var waitsForSecond: Bool { cases.contains(where: \.waitsForSecond) }

        /// Whether there is nothing wrong yet with what is wrong in the case. Where the guest does not get to know its
        /// processors, nothing can be wrong with the second one.
        func hasRoom(for flaw: Case) -> Bool {
            let spoilers = (cases + [flaw]).filter { !Set([.tables, .processors]).isDisjoint(with: $0.failing) }
            let needsTwo = (cases + [flaw]).count { $0.cpus > 1 } > spoilers.count { $0.cpus > 1 }
            return failing.isDisjoint(with: flaw.failing) && (spoilers.isEmpty || !needsTwo) && spoilers.count <= 1
        }

        /// The faults of all cases; at a port that several have, one after the other.
        var faults: BoardFaults {
            cases.map { $0.faults() }.reduce(into: BoardFaults()) { all, faults in
                all.cutInterrupts.formUnion(faults.cutInterrupts)
                all.reads.merge(faults.reads) { first, second in { second(first($0)) } }
                all.writes.merge(faults.writes) { first, second in { first($0).flatMap(second) } }
            }
        }
    }

    /// A byte that one port selects and another one has, as the real-time clock's.
    private final class Selection: Sendable {
        private let number = Mutex<UInt8>(0)
        var value: UInt8 {
            get { number.withLock { $0 } }
            set { number.withLock { $0 = newValue } }
        }
    }

    /// Faults at the data port of an index and a data port.
    private static func indexed(
        _ port: UInt16, read: (@Sendable (_ index: UInt8, _ byte: UInt8) -> UInt8)? = nil,
        write: (@Sendable (_ index: UInt8, _ byte: UInt8) -> UInt8?)? = nil
    ) -> BoardFaults {
        let selection = Selection()
        var faults = BoardFaults()
        faults.writes[port] = {
            selection.value = $0
            return $0
        }
        if let read { faults.reads[port + 1] = { read(selection.value & 0x7F, $0) } }
        if let write { faults.writes[port + 1] = { write(selection.value & 0x7F, $0) } }
        return faults
    }

    // MARK: Address line 20, paging, ring 3

    private static let memoryCases = [
        Case(what: "port 0x92 does not close line 20", failing: [.line20]) {
            BoardFaults(reads: [0x92: { $0 | 2 }])
        },
        Case(what: "port 0x92 does not open line 20", failing: [.line20]) {
            BoardFaults(reads: [0x92: { $0 & ~2 }])
        },
        Case(what: "the keyboard controller does not close line 20", failing: [.line20]) {
            let command = Selection()
            var faults = BoardFaults()
            faults.writes[0x64] = {
                command.value = $0
                return $0
            }
            faults.reads[0x60] = { command.value == 0xD0 ? $0 | 2 : $0 }
            return faults
        },
        Case(
            what: "the word 1 MiB up is the one below", failing: [.line20],
            change: ([0x00, 0x06, 0x10, 0x00], [0x00, 0x06, 0x00, 0x00])),  // 0x100600, 0x600
        Case(
            what: "a page of 4 MiB leads elsewhere", failing: [.largePages],
            change: (
                [0xC7, 0x05, 0x00, 0x18, 0x18, 0x00, 0x87, 0x00, 0x00, 0x00],  // movl $0x87, DIRECTORY_4M + 0x800
                [0xC7, 0x05, 0x00, 0x18, 0x18, 0x00, 0x87, 0x00, 0x40, 0x00]
            )),
        Case(
            what: "a page of 4 KiB leads elsewhere", failing: [.smallPages],
            change: (
                [0xC7, 0x05, 0x00, 0x40, 0x18, 0x00, 0x03, 0x00, 0x1B, 0x00],  // movl $BUFFER + 3, TABLE_ALIAS
                [0xC7, 0x05, 0x00, 0x40, 0x18, 0x00, 0x03, 0x00, 0x1C, 0x00]
            )),
        Case(
            what: "ring 3 may not use the gate of int 64", failing: [.ring3],
            change: (
                [0xBA, 0x00, 0xEE, 0x00, 0x00, 0xBF, 0x00, 0x02, 0x18, 0x00],  // movl $0xEE00, %edx; movl $IDT + 0x200
                [0xBA, 0x00, 0x8E, 0x00, 0x00, 0xBF, 0x00, 0x02, 0x18, 0x00]
            )),
        Case(
            what: "ring 3 may turn interrupts off", failing: [.ring3],
            change: ([0xFA, 0x50, 0x5B], [0x90, 0x50, 0x5B])),  // cli, or nop; pushl %eax; popl %ebx
    ]

    // MARK: Clocks

    private static let clockCases = [
        Case(
            what: "the PIT's channel 2 does not come to its end", failing: [.pit],
            change: (
                [0xE4, 0x61, 0xA8, 0x20, 0x75, 0x07, 0xE2, 0xF8],  // inb $0x61; testb $0x20; jnz; loop
                [0xE4, 0x61, 0xA8, 0x08, 0x75, 0x07, 0xE2, 0xF8]  // a bit that is always 0
            )),
        Case(what: "interrupt 8 is cut", failing: [.clock, .second], waitsForSecond: true) {
            BoardFaults(cutInterrupts: [8])
        },
        Case(what: "the clock's battery is flat", failing: [.clock]) {
            indexed(0x70, read: { $0 == 0x0D ? 0 : $1 })
        },
        Case(what: "the clock's memory tells of no RAM", failing: [.clock]) {
            indexed(0x70, read: { [0x30, 0x31, 0x34, 0x35].contains($0) ? 0 : $1 })
        },
        Case(what: "the clock gives no reason for its interrupts", failing: [.clock, .second], waitsForSecond: true) {
            indexed(0x70, read: { $0 == 0x0C ? 0x80 : $1 })
        },
        Case(what: "the clock does not go on", failing: [.second], waitsForSecond: true) {
            indexed(0x70, read: { $0 == 0x00 ? 0x15 : $1 })
        },
        Case(what: "the clock has no alarm", failing: [.second], waitsForSecond: true) {
            indexed(0x70, write: { $0 == 0x0B ? $1 & ~0x20 : $1 })
        },
        Case(what: "the clock does not tell of updates", failing: [.second], waitsForSecond: true) {
            indexed(0x70, read: { $0 == 0x0A ? $1 & ~0x80 : $1 })
        },
        Case(
            what: "the local APIC's timer runs at half its speed", failing: [.timer],
            change: (
                [0xC7, 0x05, 0xE0, 0x03, 0xE0, 0xFE, 0x0B, 0x00, 0x00, 0x00],  // movl $0b1011, APIC_DIVIDE
                [0xC7, 0x05, 0xE0, 0x03, 0xE0, 0xFE, 0x00, 0x00, 0x00, 0x00]
            )),
        // The guest expects a quarter of what it expects otherwise.
        Case(
            what: "the local APIC's timer counts four times as fast as it should", failing: [.timer],
            change: (
                [0x69, 0xFF, 0xE9, 0x04, 0x00, 0x00],  // imull $COUNTS * 3 / 2, %edi
                [0x69, 0xFF, 0x3A, 0x01, 0x00, 0x00]
            )),
        Case(
            what: "the local APIC's timer is silent", failing: [.timer, .tasks],
            change: (
                [0xC7, 0x05, 0x20, 0x03, 0xE0, 0xFE, 0x20, 0x00, 0x02, 0x00],  // movl $0x20020, APIC_TIMER
                [0xC7, 0x05, 0x20, 0x03, 0xE0, 0xFE, 0x20, 0x00, 0x03, 0x00]
            )),
    ]

    // MARK: Devices

    private static let deviceCases = [
        Case(what: "interrupt 1 is cut", failing: [.keyboard]) { BoardFaults(cutInterrupts: [1]) },
        Case(what: "no keyboard is plugged in", failing: [.keyboard]) {
            BoardFaults(writes: [0x60: { [0xEE, 0xF2].contains($0) ? nil : $0 }])
        },
        Case(what: "the keyboard does not say what it is", failing: [.keyboard]) {
            BoardFaults(writes: [0x60: { $0 == 0xF2 ? nil : $0 }])
        },
        Case(what: "the keyboard is another one", failing: [.keyboard]) {
            BoardFaults(reads: [0x60: { $0 == 0xAB ? 0xAC : $0 }])
        },
        Case(what: "interrupt 4 is cut", failing: [.serial]) { BoardFaults(cutInterrupts: [4]) },
        Case(what: "the serial port's transmitter does not interrupt", failing: [.serial]) {
            BoardFaults(writes: [0x3F9: { $0 & ~2 }])
        },
        Case(what: "the serial port's receiver does not interrupt", failing: [.serial]) {
            BoardFaults(writes: [0x3F9: { $0 & ~1 }])
        },
        Case(what: "the serial port has no loop", failing: [.serial]) {
            BoardFaults(writes: [0x3FC: { $0 & ~0x10 }])
        },
        Case(what: "the serial port receives other bytes", failing: [.serial]) {
            BoardFaults(reads: [0x3F8: { $0 ^ 1 }])
        },
        Case(what: "the screen has no cursor", failing: [.screen]) { BoardFaults(reads: [0x3D5: { _ in 0xFF }]) },
        Case(what: "interrupt 14 is cut", failing: [.disk0, .disk1]) { BoardFaults(cutInterrupts: [14]) },
        Case(
            what: "interrupt 14 comes to the first processor", failing: [.disk0, .disk1], cpus: 2,
            change: (
                [0xC1, 0xE0, 0x18, 0xC7, 0x05, 0x00, 0x00, 0xC0, 0xFE, 0x2D],  // shll $24, %eax; movl $0x2D, IO_APIC
                [0x29, 0xC0, 0x90, 0xC7, 0x05, 0x00, 0x00, 0xC0, 0xFE, 0x2D]  // subl %eax, %eax; nop
            )),
    ]

    // MARK: Processors

    /// Rewrites the MP table, with the right checksum again.
    private static func table(_ change: @Sendable @escaping (inout [UInt8]) -> Void)
        -> @Sendable (GuestMemory) throws -> Void
    {
        { memory in
            let address = BoardLayout.mpFloatingPointer + 16
            let length = Int(try memory.read(UInt16.self, at: address + 4))
            var bytes = try memory.readBytes(at: address, count: length)
            change(&bytes)
            let sum = bytes.reduce(0 as UInt8) { $0 &+ $1 }
            bytes[7] &-= sum
            try memory.write(bytes, at: address)
        }
    }

    private static let processorCases = [
        Case(
            what: "the MP pointer is missing", failing: [.tables],
            memory: {
                try $0.write([0x5F, 0x4D, 0x50, 0x00], at: BoardLayout.mpFloatingPointer)
            }),
        Case(
            what: "the MP pointer's checksum is wrong", failing: [.tables],
            memory: {
                try $0.write(9 as UInt8, at: BoardLayout.mpFloatingPointer + 15)
            }),
        Case(
            what: "the MP table's checksum is wrong", failing: [.tables],
            memory: {
                try $0.write(UInt8(ascii: "X"), at: BoardLayout.mpFloatingPointer + 16 + 8)
            }),
        Case(
            what: "the MP table has the I/O APIC elsewhere", failing: [.tables],
            memory: table { $0[44 + 20 + 8 + 6] = 0xC1 }),
        Case(what: "the MP table has the local APICs elsewhere", failing: [.tables], memory: table { $0[38] = 0xE1 }),
        Case(what: "the MP table names no first processor", failing: [.tables], memory: table { $0[44 + 3] = 1 }),
        Case(
            what: "a processor of the MP table does not start", failing: [.processors], cpus: 2,
            memory: table { $0[44 + 20 + 1] = 9 }),
        Case(
            what: "tasks share their data", failing: [.tasks],
            change: (
                [0x8D, 0x86, 0x07, 0x20, 0x00, 0x00],  // leal TASK_DATA + 7(%esi), %eax
                [0xB8, 0x07, 0x20, 0x20, 0x00, 0x90]  // movl $TASKS + TASK_DATA + 7, %eax; nop
            )),
        Case(
            what: "tasks share their stack", failing: [.tasks],
            change: (
                [0x8D, 0x86, 0x07, 0x30, 0x00, 0x00],  // leal TASK_USER_STACK + 7(%esi), %eax
                [0xB8, 0x07, 0x30, 0x20, 0x00, 0x90]  // movl $TASKS + TASK_USER_STACK + 7, %eax; nop
            )),
        // Each task then finds the registers of the one before.
        Case(
            what: "interrupts of all tasks come on one stack", failing: [.tasks],
            change: (
                [0x89, 0x83, 0x04, 0x60, 0x18, 0x00, 0x61],  // movl %eax, TASK_STATES + 4(%ebx); popal
                [0x66, 0x0F, 0x1F, 0x44, 0x00, 0x00, 0x61]  // nopw
            )),
        Case(
            what: "only the first task of each processor runs", failing: [.tasks],
            change: ([0x83, 0xF1, 0x01, 0x89, 0x0C, 0x9D], [0x83, 0xF1, 0x00, 0x89, 0x0C, 0x9D])),  // xorl $1, %ecx
    ]
}
