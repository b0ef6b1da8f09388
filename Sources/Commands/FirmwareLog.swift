internal import Devices
internal import Glibc

/// What firmware tells of itself, line by line into a file.
final class FirmwareLog: CharacterPort, @unchecked Sendable {
    // Unchecked: only touched under its device's lock.
    private let descriptor: Int32
    private var line: [UInt8] = []

    /// - Parameter path: a file, or `-` for standard error.
    init(path: String) throws {
        if path == "-" {
            descriptor = STDERR_FILENO
        } else {
            descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else {
                throw Failure.failed(
                    "cannot write the firmware's log to '\(path)': \(String(cString: strerror(errno))); "
                        + "name another file")
            }
        }
    }

    deinit {
        flush()
        if descriptor != STDERR_FILENO { close(descriptor) }
    }

    func transmit(_ byte: UInt8) {
        line.append(byte)
        if byte == UInt8(ascii: "\n") || line.count >= 4096 { flush() }
    }

    private func flush() {
        // A log that cannot be written ends nothing.
        _ = write(descriptor, line, line.count)
        line.removeAll(keepingCapacity: true)
    }
}
