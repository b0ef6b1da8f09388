internal import Machine

extension MachineConfiguration.Disk {
    /// A disk as the command line names it: the path, and behind a comma what becomes of writes: `rw`, `ro` or `snapshot`.
    ///
    /// A comma of the path is written twice, as QEMU has it, so that no option that is mistyped becomes a name.
    init(argument: String) throws {
        let parts = Self.parts(argument)
        guard let path = parts.first, parts.count > 1 else {
            self.init(path: parts.first ?? "")
            return
        }
        let known = Access.allCases.map(\.rawValue).joined(separator: ", ")
        for option in parts.dropFirst() where Access(rawValue: option) == nil {
            throw Failure.usage(
                "run: --disk '\(argument)': there is no option '\(option)'; \(known) are, and a comma of the file's name "
                    + "is written twice")
        }
        guard parts.count == 2, let access = Access(rawValue: parts[1]) else {
            throw Failure.usage("run: --disk '\(argument)': it has \(parts.count - 1) options; give one of \(known)")
        }
        self.init(path: path, access: access)
    }

    /// What is between single commas, with one comma for each pair.
    private static func parts(_ argument: String) -> [String] {
        var parts: [String.UnicodeScalarView] = [String.UnicodeScalarView()]
        var isAfterComma = false
        for scalar in argument.unicodeScalars {
            switch (scalar, isAfterComma) {
            case (",", false): isAfterComma = true
            case (",", true):
                parts[parts.count - 1].append(",")
                isAfterComma = false
            default:
                if isAfterComma { parts.append(String.UnicodeScalarView()) }
                isAfterComma = false
                parts[parts.count - 1].append(scalar)
            }
        }
        if isAfterComma { parts.append(String.UnicodeScalarView()) }
        return parts.map { String($0) }
    }
}
