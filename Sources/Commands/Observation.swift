public import ArgumentParser
internal import FoundationEssentials
internal import Machine
internal import Monitor

/// What the lines of a trace are.
public enum TraceFormat: String, ExpressibleByArgument, CaseIterable {
    /// For people.
    case text
    /// One JSON object a line.
    case json
}

/// What looks at a machine's exits while it runs: the statistics always, a trace when asked for.
final class Observation: ExitObserver {
    /// The counts.
    let statistics: Statistics
    /// Whether the exits are timed; it costs three readings of the clock each.
    let measuresTime: Bool
    private let trace: Trace?

    /// - Parameters:
    ///   - cpus: how many CPUs the machine has.
    ///   - output: where a trace goes; nil for none.
    ///   - traceFormat: what its lines are.
    ///   - measuresTime: whether the exits are timed.
    init(cpus: Int, trace output: LogOutput?, traceFormat: TraceFormat, measuresTime: Bool) {
        statistics = Statistics(vcpus: cpus)
        self.measuresTime = measuresTime
        trace = output.map {
            Trace(to: $0.sink, format: Self.format(traceFormat), buffering: $0.isTerminal ? .lines : .blocks)
        }
    }

    private static func format(_ format: TraceFormat) -> Trace.Format {
        guard format == .json else { return .text }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return .encoded { entry in (try? encoder.encode(entry)).map(Array.init) }
    }

    /// Hands the exit on.
    func observe(_ record: ExitRecord) {
        statistics.observe(record)
        trace?.observe(record)
    }

    /// Writes out what the trace has gathered.
    func flush() { trace?.flush() }
}
