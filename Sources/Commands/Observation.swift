public import ArgumentParser
internal import FoundationEssentials
internal import Glibc
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
    private let sink: FileSink?
    private let tracePath: String?

    /// - Parameters:
    ///   - cpus: how many CPUs the machine has.
    ///   - tracePath: a file, `-` for standard error, nil for no trace.
    ///   - traceFormat: what its lines are.
    ///   - measuresTime: whether the exits are timed.
    init(cpus: Int, tracePath: String?, traceFormat: TraceFormat, measuresTime: Bool) throws {
        statistics = Statistics(vcpus: cpus)
        self.measuresTime = measuresTime
        self.tracePath = tracePath
        guard let tracePath else {
            trace = nil
            sink = nil
            return
        }
        var descriptor = STDERR_FILENO
        if tracePath != "-" {
            descriptor = open(tracePath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else {
                throw Failure.failed(
                    "cannot write the trace to '\(tracePath)': \(String(cString: strerror(errno))); name another file")
            }
        }
        let sink = FileSink(descriptor: descriptor)
        self.sink = sink
        trace = Trace(
            to: sink, format: Self.format(traceFormat),
            buffering: isatty(descriptor) == 1 ? .lines : .blocks)
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

    /// What to say when not all of the trace could be written, or nil.
    var traceFailure: String? {
        guard let error = sink?.failure, let tracePath else { return nil }
        let place = tracePath == "-" ? "standard error" : "'\(tracePath)'"
        return "cannot write all of the trace to \(place): \(String(cString: strerror(error))); lines are missing"
    }

    /// Writes out what the trace has gathered.
    func flush() { trace?.flush() }
}
