internal import Devices
internal import Monitor

/// What firmware tells of itself, line by line.
final class FirmwareLog: CharacterPort, @unchecked Sendable {
    // Unchecked: only touched under its device's lock.
    private let output: LogOutput
    private var line: [UInt8] = []

    /// - Parameter output: where the lines go.
    init(_ output: LogOutput) {
        self.output = output
    }

    deinit { flush() }

    func transmit(_ byte: UInt8) {
        line.append(byte)
        if byte == UInt8(ascii: "\n") || line.count >= 4096 { flush() }
    }

    private func flush() {
        line.withUnsafeBytes { output.sink.write($0) }
        line.removeAll(keepingCapacity: true)
    }
}
