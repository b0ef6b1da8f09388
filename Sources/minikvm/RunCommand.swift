internal import ArgumentParser
internal import Devices
internal import Glibc
internal import Host
internal import Machine

final class StdoutPort: CharacterPort { func transmit(_ byte: UInt8) { var b = byte; write(1, &b, 1) } }

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "run", abstract: "Runs a guest.")
    @Option var kernel: String
    @Option var initrd: String?
    @Option var append: String = ""
    @Option var memory: Int = 256
    @Option var cpus: Int = 1
    mutating func run() throws {
        let configuration = MachineConfiguration(
            guest: .linux(kernel: kernel, initrd: initrd, commandLine: append, entry: .automatic), memoryBytes: UInt64(memory) << 20, cpus: cpus)
        let machine = try Machine(configuration, environment: MachineEnvironment(console: StdoutPort(), clock: MonotonicClock()))
        let reason = try machine.run()
        print("STOP", reason)
        if case .crashed = reason { for l in machine.lastExits(vcpu: 0) { print(l) } ; throw ExitCode(1) }
    }
}
