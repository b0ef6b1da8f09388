internal import ArgumentParser

/// `minikvm guests`: the built-in guests, one line each.
struct GuestsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "guests",
        abstract: "Lists the built-in guests.",
        discussion: "Each is one lesson of docs/tour; `minikvm run NAME` runs it.")

    func run() {
        let guests = BuiltInGuest.all
        let width = guests.map(\.name.count).max() ?? 0
        for guest in guests {
            print("\(guest.name)\(String(repeating: " ", count: width - guest.name.count))  \(guest.summary)")
        }
    }
}
