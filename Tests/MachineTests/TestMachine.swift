import Devices
import Foundation
import GuestMemory
import Host
import Machine
import Synchronization

/// Keeps what a guest prints.
final class ConsoleText: CharacterPort, Sendable {
    private let bytes = Mutex<[UInt8]>([])

    func transmit(_ byte: UInt8) {
        bytes.withLock { $0.append(byte) }
    }

    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
}

/// Programs of a few bytes for the machine, with the assembly that they are.
enum TestProgram {
    static let address: UInt64 = 0x8000
    /// Where the first CPU counts; each further one that reports does it 64 bytes above the one before.
    static let counters: UInt64 = 0x1040

    /// Wakes the other CPUs, when the byte at 0x500 says that there are any; then each counts in memory for ever.
    static let counting: [UInt8] = [
        0x8C, 0xC8,  // movw %cs, %ax
        0x85, 0xC0,  // testw %ax, %ax     a woken CPU has CS = 0x800
        0xB8, 0x00, 0x00,  // movw $0, %ax
        0x8E, 0xD8,  // movw %ax, %ds
        0x75, 0x30,  // jnz count
        0x80, 0x3E, 0x00, 0x05, 0x01,  // cmpb $1, 0x500
        0x74, 0x29,  // je count
        0x66, 0xB9, 0x1B, 0x00, 0x00, 0x00,  // movl $0x1B, %ecx     APIC_BASE
        0x0F, 0x32,  // rdmsr
        0x66, 0x0D, 0x00, 0x0C, 0x00, 0x00,  // orl $0xC00, %eax     enabled, x2APIC
        0x0F, 0x30,  // wrmsr
        0x66, 0xB9, 0x30, 0x08, 0x00, 0x00,  // movl $0x830, %ecx     ICR
        0x66, 0x31, 0xD2,  // xorl %edx, %edx
        0x66, 0xB8, 0x00, 0x45, 0x0C, 0x00,  // movl $0xC4500, %eax     INIT, all but this one
        0x0F, 0x30,  // wrmsr
        0x66, 0xB8, 0x08, 0x46, 0x0C, 0x00,  // movl $0xC4608, %eax     SIPI, vector 8
        0x0F, 0x30,  // wrmsr
        0xBB, 0x01, 0x00,  // count: movw $1, %bx
        0xF0, 0x0F, 0xC1, 0x1E, 0x00, 0x06,  // lock xaddw %bx, 0x600
        0x43,  // incw %bx
        0xC1, 0xE3, 0x06,  // shlw $6, %bx
        0x66, 0xFF, 0x87, 0x00, 0x10,  // 1: incl 0x1000(%bx)
        0xEB, 0xF9,  // jmp 1b
    ]

    /// Ends with status 7.
    static let exit7: [UInt8] = [
        0xB0, 0x07,  // movb $7, %al
        0xE6, 0xF4,  // outb %al, $0xF4
        0xEB, 0xFE,  // 1: jmp 1b
    ]

    /// 32-bit: prints the text behind it, and loops.
    static let print: [UInt8] = [
        0xBE, 0x14, 0x00, 0x10, 0x00,  // movl $text, %esi
        0xBA, 0xF8, 0x03, 0x00, 0x00,  // movl $0x3F8, %edx
        0xAC,  // 1: lodsb
        0x84, 0xC0,  // testb %al, %al
        0x74, 0x03,  // jz 2f
        0xEE,  // outb %al, %dx
        0xEB, 0xF8,  // jmp 1b
        0xEB, 0xFE,  // 2: jmp 2b
    ]

    /// 32-bit: prints the text behind it, and resets the machine.
    static let printAndReset: [UInt8] = [
        0xBE, 0x1C, 0x00, 0x10, 0x00,  // movl $text, %esi
        0xBA, 0xF8, 0x03, 0x00, 0x00,  // movl $0x3F8, %edx
        0xAC,  // 1: lodsb
        0x84, 0xC0,  // testb %al, %al
        0x74, 0x03,  // jz 2f
        0xEE,  // outb %al, %dx
        0xEB, 0xF8,  // jmp 1b
        0xBA, 0xF9, 0x0C, 0x00, 0x00,  // 2: movl $0xCF9, %edx
        0xB0, 0x06,  // movb $6, %al
        0xEE,  // outb %al, %dx
        0xEB, 0xFE,  // 3: jmp 3b
    ]

    /// 32-bit: prints the text behind it, and ends as Linux does with `reboot=t`: without an IDT.
    static let printAndTripleFault: [UInt8] = [
        0xBE, 0x23, 0x00, 0x10, 0x00,  // movl $text, %esi
        0xBA, 0xF8, 0x03, 0x00, 0x00,  // movl $0x3F8, %edx
        0xAC,  // 1: lodsb
        0x84, 0xC0,  // testb %al, %al
        0x74, 0x03,  // jz 2f
        0xEE,  // outb %al, %dx
        0xEB, 0xF8,  // jmp 1b
        0x0F, 0x01, 0x1D, 0x1D, 0x00, 0x10, 0x00,  // 2: lidt register
        0x0F, 0x0B,  // ud2
        0xEB, 0xFE,  // 3: jmp 3b
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // register: limit 0, base 0
    ]

    /// A 32-bit ELF kernel with a PVH note, made of a program at 1 MiB that is entered at its first byte.
    static func kernel(_ program: [UInt8], text: String = "") -> [UInt8] {
        let code = program + Array(text.utf8) + [0]
        let entry: UInt32 = 0x10_0000
        var file: [UInt8] = []
        func add<Number: FixedWidthInteger>(_ numbers: Number...) {
            for number in numbers { withUnsafeBytes(of: number.littleEndian) { file += $0 } }
        }
        let codeOffset: UInt32 = 52 + 2 * 32
        let noteOffset = codeOffset + UInt32(code.count)
        // The ELF header: 32 bits, little-endian, an executable for the i386, two program headers.
        file += [0x7F, 0x45, 0x4C, 0x46, 1, 1, 1] + [UInt8](repeating: 0, count: 9)
        add(2 as UInt16, 3)
        add(1 as UInt32, entry, 52, 0, 0)
        add(52 as UInt16, 32, 2, 0, 0, 0)
        // PT_LOAD: offset, virtual and physical address, sizes in file and memory, flags, alignment.
        add(1 as UInt32, codeOffset, entry, entry, UInt32(code.count), UInt32(code.count), 7, 4096)
        // PT_NOTE.
        add(4 as UInt32, noteOffset, 0, 0, 20, 20, 4, 4)
        file += code
        // XEN_ELFNOTE_PHYS32_ENTRY: sizes of name and description, type, name, description.
        add(4 as UInt32, 4, 18)
        file += Array("Xen\0".utf8)
        add(entry)
        return file
    }
}

extension MachineConfiguration {
    /// A machine of 1 MiB that runs a program in real mode.
    static func program(_ bytes: [UInt8], cpus: Int = 1) -> MachineConfiguration {
        MachineConfiguration(
            guest: .program(name: "test", bytes: bytes, address: TestProgram.address), memoryBytes: 1 << 20, cpus: cpus)
    }
}

extension Machine {
    /// A machine whose console goes to an object that keeps it.
    convenience init(_ configuration: MachineConfiguration, console: ConsoleText = ConsoleText()) throws {
        try self.init(configuration, environment: MachineEnvironment(console: console, clock: MonotonicClock()))
    }

    /// What each CPU has counted to (``TestProgram/counting``).
    var counts: [UInt32] {
        get throws {
            try (0..<configuration.cpus).map {
                try memory.read(UInt32.self, at: TestProgram.counters + 64 * UInt64($0))
            }
        }
    }
}

/// A file that goes with the object.
final class TestFile {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("minikvm-\(UUID().uuidString)").path

    init(_ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    /// What is in it now.
    var contents: [UInt8] {
        get throws { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// Waits until something holds; false when that takes a minute or two.
func holds(within seconds: Double = 120, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while try !condition() {
        if ContinuousClock.now > end { return false }
        usleep(200)
    }
    return true
}
