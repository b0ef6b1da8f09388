internal import CKVM
internal import KVM
internal import Machine

extension Crash.Cause {
    /// The cause as a heading.
    var heading: String {
        switch self {
        case .shutdown: "shutdown (triple fault)"
        case .internalError(let error): "KVM internal error, suberror \(error.suberror)"
        case .failedEntry(let reason): "failed entry, hardware reason \(reason.hex())"
        case .unhandledExit(let what): "unhandled exit: \(what)"
        case .runFailed(let error): error.description
        case .panic: "the guest's kernel gave up"
        }
    }
}

extension CrashReport {
    /// The whole report as text of at most 80 columns, without control characters, ended by a newline.
    public func render() -> String {
        var lines: [String] = []
        if let diagnosis {
            lines += ("Crash: " + diagnosis.sentence).wrapped(indent: 2)
            if let advice = diagnosis.advice { lines += ("What to do: " + advice).wrapped(indent: 2) }
        }
        lines += ("Reason: " + reason.heading).wrapped(indent: 2)
        if case .internalError(let error) = reason, !error.data.isEmpty {
            lines += ("KVM's data: " + error.data.map { $0.hex() }.joined(separator: " ")).wrapped(indent: 2)
        }
        if vcpus.indices.contains(failed) {
            lines += section("vCPU \(vcpus[failed].identifier), \(vcpus[failed].mode.rawValue)")
            lines += detail(vcpus[failed])
        }
        for (place, vcpu) in vcpus.enumerated() where place != failed {
            lines += section("vCPU \(vcpu.identifier), \(vcpu.mode.rawValue)\(state(vcpu))")
            lines += RegisterText(vcpu).general
            lines += exitLines(vcpu, limit: 4)
        }
        if !postCodes.isEmpty {
            lines += section("POST codes (port 0x80), oldest first")
            lines += postCodes.suffix(32).map { $0.digits(2) }.joined(separator: " ").wrapped()
        }
        if !console.isEmpty {
            lines += section("last lines of the console")
            lines += console.suffix(16).flatMap { Self.split(PlainText.clean($0), width: 78) }.map { "  " + $0 }
        }
        return lines.map { $0.withoutTrailingSpaces() }.joined(separator: "\n") + "\n"
    }

    private func section(_ title: String) -> [String] { ["", "--- \(title)"] }

    private func state(_ vcpu: VCPUSnapshot) -> String {
        switch vcpu.state {
        case .uninitialized, .initReceived: ", waits for its SIPI"
        case .halted: ", halted"
        default: ""
        }
    }

    private func detail(_ vcpu: VCPUSnapshot) -> [String] {
        let registers = RegisterText(vcpu)
        let linear = LinearMemory(special: vcpu.special, memory: memory)
        var lines = registers.general + registers.segments + registers.control + [""]
        lines += CodeText(vcpu, linear).lines
        lines +=
            WalkText(
                PageWalk(linearAddress: vcpu.instructionAddress, special: vcpu.special, memory: memory), "RIP", memory
            ).lines
        if PagingMode(vcpu.special) != .none {
            let walk = PageWalk(linearAddress: vcpu.special.cr2, special: vcpu.special, memory: memory)
            lines += WalkText(walk, "CR2", memory).lines
        }
        lines += CodeText(vcpu, linear).stack
        lines += gates(vcpu, linear)
        return lines + exitLines(vcpu, limit: Self.exitCount)
    }

    /// The gates of the exceptions that a dying guest meets.
    private func gates(_ vcpu: VCPUSnapshot, _ linear: LinearMemory) -> [String] {
        let evidence = Evidence(
            reason: reason, vcpu: vcpu, memory: memory, host: host, exits: exits)
        var vectors: [UInt8] = vcpu.mode.isProtected ? [6, 8, 13, 14] : []
        if let vector = evidence.vector, !vectors.contains(vector) { vectors.append(vector) }
        guard !vectors.isEmpty else { return [] }
        let gates = vectors.sorted().map { vector in
            "  \(vector) \(ExceptionName.of(vector)): \(InterruptGate(vector: vector, vcpu: vcpu, memory: linear).text)"
        }
        return ["gates of the IDT:"] + gates
    }

    private func exitLines(_ vcpu: VCPUSnapshot, limit: Int) -> [String] {
        let last = exits(of: vcpu).suffix(limit)
        guard !last.isEmpty else { return ["no exits are known"] }
        var line = TextLine()
        return [last.count == 1 ? "the only exit:" : "last \(last.count) exits:"]
            + last.map { record in
                line.clear()
                line.append(record)
                return line.text
            }
    }

    private static func split(_ text: String, width: Int) -> [String] {
        var rest = text[...]
        var lines: [String] = []
        repeat {
            lines.append(String(rest.prefix(width)))
            rest = rest.dropFirst(width)
        } while !rest.isEmpty
        return lines
    }
}
