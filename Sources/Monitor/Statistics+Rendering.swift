internal import Machine

extension Statistics.Summary {
    /// The sums as tables of at most 80 columns, the most frequent first.
    /// - Parameter rows: how many ports, addresses and MSRs are shown.
    public func render(rows: Int = 20) -> String {
        let total = vcpus.reduce(into: Statistics.Tally()) { $0 += $1 }
        var lines = [Self.row("exits by reason", "count", "share", "monitor", "each")]
        for (kind, tally) in kinds.sorted(by: {
            Self.order(($0.key.rawValue, 0), $0.value, ($1.key.rawValue, 0), $1.value)
        }) {
            lines.append(Self.row("\(kind.traceName)", tally, of: total))
        }
        lines.append(Self.row("all", total, of: total))
        let sorted = places.sorted {
            Self.order(
                ($0.key.kind.rawValue, $0.key.address), $0.value, ($1.key.kind.rawValue, $1.key.address), $1.value)
        }
        if !sorted.isEmpty {
            lines += ["", Self.row("exits by port, address or MSR", "count", "share", "monitor", "each")]
            for (place, tally) in sorted.prefix(rows) { lines.append(Self.row(Self.name(place), tally, of: total)) }
            var rest = others
            for (_, tally) in sorted.dropFirst(rows) { rest += tally }
            if rest.exits > 0 { lines.append(Self.row("others", rest, of: total)) }
        }
        lines += ["", Self.row("vCPU", "exits", "", "monitor", "guest")]
        for (number, tally) in vcpus.enumerated() {
            lines.append(
                Self.row(
                    "cpu\(number)", "\(tally.exits)", "", Self.duration(tally.monitorNanoseconds),
                    Self.duration(tally.guestNanoseconds)))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// More exits first; among equals, by reason and address, so that the order is always the same.
    private static func order(
        _ key: (UInt8, UInt64), _ tally: Statistics.Tally, _ otherKey: (UInt8, UInt64), _ other: Statistics.Tally
    ) -> Bool {
        tally.exits != other.exits ? tally.exits > other.exits : key < otherKey
    }

    private static func name(_ place: Statistics.Place) -> String {
        let name = KnownAddresses.name(of: place.kind, place.address).map { " " + $0.text } ?? ""
        return String("\(place.kind.traceName) \(place.address.hex(2))\(name)".prefix(36))
    }

    private static func row(_ name: String, _ tally: Statistics.Tally, of total: Statistics.Tally) -> String {
        let share = total.exits > 0 ? Double(tally.exits) / Double(total.exits) : 0
        let tenths = UInt64((share * 1000).rounded())
        let isTimed = tally.monitorNanoseconds > 0
        return row(
            name, "\(tally.exits)", "\(tenths / 10).\(tenths % 10) %",
            isTimed ? duration(tally.monitorNanoseconds) : "-",
            isTimed && tally.exits > 0 ? duration(tally.monitorNanoseconds / tally.exits) : "-")
    }

    private static func row(_ name: String, _ count: String, _ share: String, _ monitor: String, _ each: String)
        -> String
    {
        name.padded(36) + count.rightAligned(13) + share.rightAligned(9) + monitor.rightAligned(11)
            + each.rightAligned(11)
    }

    /// Nanoseconds in the unit that leaves one to four digits before the point.
    static func duration(_ nanoseconds: UInt64) -> String {
        switch nanoseconds {
        case ..<10_000: "\(nanoseconds) ns"
        case ..<10_000_000: decimal(nanoseconds, unit: 1000) + " us"
        case ..<10_000_000_000: decimal(nanoseconds, unit: 1_000_000) + " ms"
        case ..<100_000_000_000_000_000: decimal(nanoseconds, unit: 1_000_000_000) + " s"
        default: "> 3 years"
        }
    }

    private static func decimal(_ value: UInt64, unit: UInt64) -> String {
        "\(value / unit).\(value % unit * 10 / unit)"
    }
}
