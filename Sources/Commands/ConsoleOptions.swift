public import ArgumentParser
internal import Glibc
internal import Machine

/// Where keys come from.
public enum KeyboardSource: String, ExpressibleByArgument, CaseIterable {
    /// What is typed in the terminal, which the serial port does not get then.
    case terminal
    /// Only `minikvm type`.
    case none
}

/// Where the screen is shown.
public enum DisplayTarget: String, ExpressibleByArgument, CaseIterable {
    /// In the terminal, which the serial port does not have then.
    case terminal
    /// Nowhere; it can be saved all the same.
    case none
}

/// The flags of `minikvm run` that say what the user's terminal is to the guest, and who else may reach it.
struct ConsoleOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Who types on the guest's keyboard: terminal, so that the serial port hears nothing, or none; terminal with "
                + "--display terminal, else none.", valueName: "who"))
    var keyboard: KeyboardSource?

    @Option(
        help: ArgumentHelp(
            "Where the guest's screen is shown: terminal, or none; none unless given.", valueName: "where"))
    var display: DisplayTarget?

    @Option(
        help: ArgumentHelp(
            "Where the serial port's characters go: terminal, none or a file; terminal unless given, none with "
                + "--display terminal.", valueName: "where"))
    var serial: String?

    @Option(
        help: ArgumentHelp(
            "Socket by which `minikvm type` and `minikvm screenshot` reach the machine.", valueName: "path"))
    var control: String?

    /// Whether the screen is shown in the terminal.
    var showsScreen: Bool { display == .terminal }
    /// Whether keys come from the terminal.
    var typesKeys: Bool { (keyboard ?? (showsScreen ? .terminal : KeyboardSource.none)) == .terminal }

    /// Where the serial port's characters go.
    var serialTarget: SerialTarget {
        switch serial ?? (showsScreen ? "none" : "terminal") {
        case "terminal": .terminal
        case "none": .none
        case let path: .file(path)
        }
    }

    /// What is wrong with them on a board, before anything is opened.
    func check(_ board: MachineConfiguration.Board) throws {
        guard board == .pc else {
            let needy = showsScreen ? "--display terminal" : typesKeys ? "--keyboard terminal" : nil
            guard let needy else { return }
            throw Failure.usage("run: \(needy) on the board microvm, which has no screen and keyboard; add --board pc")
        }
        guard showsScreen else { return }
        if serialTarget == .terminal {
            throw Failure.usage("run: --serial terminal and --display terminal exclude each other; name a file for one")
        }
        if isatty(STDOUT_FILENO) != 1 {
            throw Failure.usage(
                "run: --display terminal, but standard output is no terminal; leave it out, and save the screen by "
                    + "--control and `minikvm screenshot`")
        }
    }
}

/// Where a serial port's characters go.
enum SerialTarget: Equatable {
    case terminal
    case none
    case file(String)
}
