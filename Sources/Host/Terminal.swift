internal import CHost
internal import Glibc

/// The user's side of the guest's serial port: standard input and output, or any two descriptors.
///
/// If the input is a terminal, it is put into raw mode and Ctrl-A commands are taken out of it; a pipe, a file or
/// /dev/null is handed to the guest as it is.
public final class Terminal: Sendable {
    /// What happens at the terminal; called on the loop's thread.
    public enum Event: Equatable, Sendable {
        /// The user asks for something (Ctrl-A and a key).
        case command(EscapeFilter.Command)
        /// There is no more input, and the guest has all of it.
        case inputEnded
        /// Nothing more can be written; comes once.
        case outputLost(HostError)
    }

    /// The guest's port to the user.
    public let output: TerminalOutput
    /// The user's way to the guest.
    public let input: TerminalInput
    /// Whether the input is a terminal, and a person may be typing.
    public let isInteractive: Bool
    private let rawMode: RawMode?

    /// - Parameters:
    ///   - input: where the user types; standard input if not given.
    ///   - output: where the guest's characters go; standard output if not given.
    ///   - loop: does the reading and writing; outlives the terminal.
    ///   - receiver: the guest's serial port.
    ///   - onEvent: called on the loop's thread.
    public init(
        input: Int32 = 0, output: Int32 = 1, loop: EventLoop,
        receiver: TerminalInput.Receiver, onEvent: @escaping (Event) -> Void
    ) throws(HostError) {
        let isInteractive = isatty(input) == 1
        self.isInteractive = isInteractive
        self.output = try TerminalOutput(descriptor: output, loop: loop) { onEvent(.outputLost($0)) }
        self.input = try TerminalInput(
            descriptor: input, loop: loop, filtersEscapes: isInteractive, receiver: receiver
        ) { event in
            switch event {
            case .command(let command): onEvent(.command(command))
            case .ended: onEvent(.inputEnded)
            }
        }
        // Last, so that nothing above can fail and leave the terminal raw.
        rawMode = isInteractive ? try RawMode(descriptor: input) : nil
    }

    /// Writes out what is left, gives the terminal its settings back and leaves the loop. Call it when the loop
    /// has ended, or on its thread.
    /// - Parameter limit: milliseconds to wait for a slow reader; nil for as long as it takes.
    /// - Returns: whether all output was written.
    @discardableResult
    public func close(limit: Int32? = nil) -> Bool {
        let isWritten = output.finish(limit: limit)
        rawMode?.restore()
        input.detach()
        output.detach()
        return isWritten
    }

    /// A terminal's size in characters.
    public struct Size: Equatable, Sendable {
        /// Characters in a line.
        public let columns: Int
        /// Lines.
        public let rows: Int

        /// - Parameters:
        ///   - columns: characters in a line.
        ///   - rows: lines.
        public init(columns: Int, rows: Int) {
            self.columns = columns
            self.rows = rows
        }
    }

    /// The size of the window behind a descriptor (TIOCGWINSZ); nil if it is no terminal or does not know.
    public static func size(of descriptor: Int32) -> Size? {
        var window = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
            return nil
        }
        return Size(columns: Int(window.ws_col), rows: Int(window.ws_row))
    }

    /// Opens /dev/null in the place of a closed standard input, output or error. Call it first of all: the next
    /// file that is opened would get the free number, and the guest's output.
    public static func secureStandardDescriptors() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
            // The lowest free number is this one, since those below it are open.
            _ = open("/dev/null", O_RDWR)
        }
    }
}
