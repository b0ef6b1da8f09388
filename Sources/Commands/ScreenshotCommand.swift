internal import ArgumentParser
internal import Host

/// `minikvm screenshot`: saves what a running machine's screen shows.
struct ScreenshotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "screenshot",
        abstract: "Saves the screen of a running machine as text and as a picture.",
        discussion: """
            The machine was started with --control:
              minikvm run --disk xv6.img --disk fs.img --control vm.sock
              minikvm screenshot --control vm.sock after-boot

            This makes after-boot.txt and after-boot.png, neither of which may be there yet.
            The name - prints the text. In a terminal, Ctrl-A p does the same while it runs.
            """)

    @Option(help: ArgumentHelp("The machine's control socket.", valueName: "path"))
    var control: String

    @Argument(help: ArgumentHelp("Name of the files, without .txt and .png; or -.", valueName: "name"))
    var name: String

    func run() throws {
        if name.isEmpty || name.hasSuffix("/") {
            throw Failure.usage(
                "screenshot: the name of the files is empty; give one, such as after-boot, or - to print the text")
        }
        let text = try ControlClient.ask(.screenText, at: control)
        if name == "-" {
            print(String(decoding: text, as: UTF8.self), terminator: "")
            return
        }
        let picture = try ControlClient.ask(.screenPicture, at: control)
        try ScreenFiles.write(text: text, picture: picture, name: name)
    }
}
