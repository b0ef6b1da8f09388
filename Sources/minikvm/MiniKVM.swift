internal import ArgumentParser

/// The command line of the virtual machine monitor: one file a subcommand.
@main struct MiniKVM: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "minikvm",
        abstract: "Runs virtual machines on Linux/KVM, and shows what happens inside.",
        discussion: """
            minikvm run hello                    a built-in lesson, no file needed
            minikvm run --kernel bzImage --initrd initrd.gz --append console=ttyS0
            minikvm guests                       what lessons there are
            minikvm doctor                       what this host's KVM can do
            """,
        version: "0.1.0",
        subcommands: [RunCommand.self],
        defaultSubcommand: nil)
}
