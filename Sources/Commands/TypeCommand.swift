internal import ArgumentParser
internal import Devices

/// `minikvm type`: types a text on a running machine's keyboard.
struct TypeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "type",
        abstract: "Types a text on the keyboard of a running machine.",
        discussion: """
            The machine was started with --control:
              minikvm run --disk xv6.img --disk fs.img --control vm.sock
              minikvm type --control vm.sock --enter 'ls'

            The keys are those of a keyboard of the USA; a line feed is Enter, and control
            characters are Ctrl and a letter. It ends when the guest has fetched all of it.
            """)

    @Option(help: ArgumentHelp("The machine's control socket.", valueName: "path"))
    var control: String

    @Flag(help: "Press Enter at the end.")
    var enter = false

    @Argument(help: ArgumentHelp("What to type; words are typed with a space between.", valueName: "text"))
    var words: [String] = []

    func run() throws {
        let text = words.joined(separator: " ") + (enter ? "\n" : "")
        guard !text.isEmpty else { throw Failure.usage("type: nothing to type; give a text, or --enter") }
        if let character = text.first(where: { character in character.utf8.contains { KeyStroke(ascii: $0) == nil } }) {
            throw Failure.usage("type: '\(character)' is on no key of a keyboard of the USA; leave it out")
        }
        _ = try ControlClient.ask(.type(Array(text.utf8)), at: control)
    }
}
