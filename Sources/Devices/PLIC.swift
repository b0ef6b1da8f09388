/// The platform-level interrupt controller: interrupt sources 1 up, and one context for each hart that is interrupted.
///
/// A source's gateway forwards one request at a time: from its claim to its completion nothing more of it becomes
/// pending. A level that is still high at completion asks again; edges that come meanwhile are kept as one.
///
/// Source: RISC-V Platform-Level Interrupt Controller Specification 1.0.0.
public final class PLIC: Device {
    /// The bytes of its registers.
    public static let size: UInt64 = 0x400_0000

    /// How a source tells of a request.
    public enum Trigger: Equatable, Sendable {
        /// It asks for as long as the level is high.
        case level
        /// It asks once for each rise.
        case edge
    }

    /// Everything a guest can tell apart.
    public struct State: Equatable {
        /// The priority of each source; 0 never interrupts.
        public var priorities: [UInt32]
        /// The level of each source's wire.
        public var levels: [Bool]
        /// Which sources are pending.
        public var pending: [Bool]
        /// Which sources have been claimed and not completed.
        public var claimed: [Bool]
        /// For each context, 32 sources a word: which are enabled.
        public var enables: [[UInt32]]
        /// For each context: the priority that a source must exceed.
        public var thresholds: [UInt32]

        /// After reset nothing is pending or enabled.
        public init(sources: Int, contexts: Int) {
            priorities = [UInt32](repeating: 0, count: sources + 1)
            levels = [Bool](repeating: false, count: sources + 1)
            pending = [Bool](repeating: false, count: sources + 1)
            claimed = [Bool](repeating: false, count: sources + 1)
            enables = [[UInt32]](
                repeating: [UInt32](repeating: 0, count: sources / 32 + 1), count: contexts)
            thresholds = [UInt32](repeating: 0, count: contexts)
        }
    }

    /// The registers.
    public private(set) var state: State
    /// The highest priority; those above it read back as it.
    public static let maximumPriority: UInt32 = 7
    private let sources: Int
    private var triggers: [Trigger]
    private let contexts: [any InterruptLine]
    private var isRaised: [Bool]

    /// - Parameters:
    ///   - sources: how many there are, 1 to 1023; they are numbered from 1.
    ///   - contexts: what each context's notification drives, at most 15,872.
    public init(sources: Int, contexts: [any InterruptLine]) {
        self.sources = min(max(sources, 1), 1023)
        self.contexts = contexts
        triggers = [Trigger](repeating: .level, count: self.sources + 1)
        isRaised = [Bool](repeating: false, count: contexts.count)
        state = State(sources: self.sources, contexts: contexts.count)
    }

    /// Says how a source tells of requests; before that it is by level.
    public func setTrigger(_ trigger: Trigger, source: Int) {
        guard (1...sources).contains(source) else { return }
        triggers[source] = trigger
    }

    /// Sets the level of a source's wire.
    public func setLevel(_ level: Bool, source: Int) {
        guard (1...sources).contains(source) else { return }
        let rises = level && !state.levels[source]
        state.levels[source] = level
        switch triggers[source] {
        case .level:
            // A request that nobody has claimed goes away with its level.
            state.pending[source] = level && !state.claimed[source]
        case .edge:
            if rises { state.pending[source] = true }
        }
        update()
    }

    // MARK: Registers (chapter "Memory Map")

    /// Reads a register; all are 32 bits wide.
    public func read(offset: UInt64, width: AccessWidth) -> UInt64 {
        guard width == 4, offset % 4 == 0 else { return 0 }
        switch offset {
        case 0..<0x1000:
            let source = Int(offset / 4)
            return source <= sources ? UInt64(state.priorities[source]) : 0
        case 0x1000..<0x1080:
            return UInt64(pendingWord(Int(offset - 0x1000) / 4))
        case 0x2000..<0x20_0000:
            let (context, word) = (Int(offset - 0x2000) / 0x80, Int(offset - 0x2000) % 0x80 / 4)
            guard context < contexts.count, word < state.enables[context].count else { return 0 }
            return UInt64(state.enables[context][word])
        case 0x20_0000..<Self.size:
            let (context, register) = (Int(offset - 0x20_0000) / 0x1000, (offset - 0x20_0000) % 0x1000)
            guard context < contexts.count else { return 0 }
            switch register {
            case 0: return UInt64(state.thresholds[context])
            case 4: return UInt64(claim(context: context))
            default: return 0
            }
        default:
            return 0
        }
    }

    /// Writes a register; all are 32 bits wide.
    public func write(_ value: UInt64, offset: UInt64, width: AccessWidth) {
        guard width == 4, offset % 4 == 0 else { return }
        let value = UInt32(truncatingIfNeeded: value)
        switch offset {
        case 4..<0x1000:
            let source = Int(offset / 4)
            guard source <= sources else { return }
            state.priorities[source] = min(value, Self.maximumPriority)
        case 0x2000..<0x20_0000:
            let (context, word) = (Int(offset - 0x2000) / 0x80, Int(offset - 0x2000) % 0x80 / 4)
            guard context < contexts.count, word < state.enables[context].count else { return }
            state.enables[context][word] = value & existing(word: word)
        case 0x20_0000..<Self.size:
            let (context, register) = (Int(offset - 0x20_0000) / 0x1000, (offset - 0x20_0000) % 0x1000)
            guard context < contexts.count else { return }
            switch register {
            case 0: state.thresholds[context] = min(value, Self.maximumPriority)
            case 4: complete(source: value, context: context)
            default: return
            }
        default:
            return
        }
        update()
    }

    /// The sources of a word that exist. Source 0 never does.
    private func existing(word: Int) -> UInt32 {
        var bits: UInt32 = 0
        for bit in 0..<32 where (1...sources).contains(word * 32 + bit) { bits |= 1 << UInt32(bit) }
        return bits
    }

    private func pendingWord(_ word: Int) -> UInt32 {
        var bits: UInt32 = 0
        for bit in 0..<32 {
            let source = word * 32 + bit
            if source <= sources, state.pending[source] { bits |= 1 << UInt32(bit) }
        }
        return bits
    }

    // MARK: Claim and completion

    private func isEnabled(_ source: Int, context: Int) -> Bool {
        state.enables[context][source / 32] >> UInt32(source % 32) & 1 == 1
    }

    /// The pending source of the highest priority above a limit, the lowest number among equals; 0 when there is none.
    private func best(context: Int, above limit: UInt32) -> Int {
        var best = 0
        var priority = limit
        for source in 1...sources
        where state.pending[source] && state.priorities[source] > priority && isEnabled(source, context: context) {
            best = source
            priority = state.priorities[source]
        }
        return best
    }

    /// A claim is not bound to the threshold (chapter "Interrupt Claim Process").
    private func claim(context: Int) -> UInt32 {
        let source = best(context: context, above: 0)
        guard source > 0 else { return 0 }
        state.pending[source] = false
        state.claimed[source] = true
        update()
        return UInt32(source)
    }

    /// A completion of what is not enabled for the context is ignored (chapter "Interrupt Completion").
    private func complete(source: UInt32, context: Int) {
        guard source >= 1, source <= UInt32(sources) else { return }
        let source = Int(source)
        guard isEnabled(source, context: context), state.claimed[source] else { return }
        state.claimed[source] = false
        if triggers[source] == .level, state.levels[source] { state.pending[source] = true }
    }

    private func update() {
        for context in 0..<contexts.count {
            let isPending = best(context: context, above: state.thresholds[context]) > 0
            guard isPending != isRaised[context] else { continue }
            isRaised[context] = isPending
            if isPending { contexts[context].raise() } else { contexts[context].lower() }
        }
    }
}

/// One source's wire of a PLIC.
public final class PLICSource: InterruptLine {
    private let plic: PLIC
    private let source: Int

    /// The wire of a source.
    public init(plic: PLIC, source: Int) {
        self.plic = plic
        self.source = source
    }

    /// Sets the level high.
    public func raise() { plic.setLevel(true, source: source) }
    /// Sets the level low.
    public func lower() { plic.setLevel(false, source: source) }
}
