internal import Host
internal import Machine

/// The way of what the user types into the guest, from one machine to the next when the guest restarts.
protocol UserInput: AnyObject {
    /// The guest's end, as the terminal sees it.
    var receiver: TerminalInput.Receiver { get }

    /// Leads the input to a machine, before it starts.
    func connect(_ input: TerminalInput, to machine: Machine)

    /// There is no more input.
    func end()

    /// Leaves the loop.
    func close()
}
