internal import Devices
internal import Host
internal import Machine

/// Types strokes on the guest's keyboard, one after the other, as fast as the guest fetches them.
///
/// Only used on the loop's thread, but for the keyboard's notice that there is room.
final class Typist: @unchecked Sendable {
    // Unchecked: all but `loop` belongs to the loop's thread.
    private let loop: EventLoop
    private var timer: EventTimer?
    private var keyboard: KeyboardPort?
    private var waiting: [Job] = []
    private var jobs = 0
    private var onIdle: (() -> Void)?

    private struct Job {
        var number: Int
        /// What is left of it, the next at the end.
        var strokes: [KeyStroke]
        var onDone: (() -> Void)?
    }

    /// Nanoseconds after which a guest that has not read a code is told once more: it may not have listened the first
    /// time, and an interrupt that nobody took does not come again.
    private static let patience: UInt64 = 250_000_000

    /// - Parameter loop: outlives this object.
    init(loop: EventLoop) throws(HostError) {
        self.loop = loop
        timer = try EventTimer(loop: loop) { [weak self] in self?.remind() }
    }

    /// Leads the keys to a machine, before it starts; what an earlier one has not fetched goes on here.
    func connect(_ keyboard: KeyboardPort?) {
        self.keyboard?.onRoom {}
        self.keyboard = keyboard
        let pump: @Sendable () -> Void = { [weak self] in self?.pump() }
        keyboard?.onRoom { [loop] in loop.post(pump) }
        loop.post(pump)
    }

    /// Leaves the loop, when the machine has ended. What the keyboard has taken counts as typed: its last key may be
    /// the one that ended the machine.
    func close() {
        for job in waiting where job.strokes.isEmpty { job.onDone?() }
        waiting = []
        timer?.cancel()
        timer = nil
        connect(nil)
    }

    /// Called whenever everything has been typed.
    func onIdle(_ body: @escaping () -> Void) {
        onIdle = body
    }

    /// Whether there is nothing left to type.
    var isIdle: Bool { waiting.isEmpty }

    /// Types after what is being typed.
    /// - Parameter onDone: called when the guest has fetched all of it.
    /// - Returns: what `drop` takes.
    @discardableResult
    func type(_ strokes: [KeyStroke], onDone: (() -> Void)? = nil) -> Int {
        jobs += 1
        waiting.append(Job(number: jobs, strokes: strokes.reversed(), onDone: onDone))
        timer?.arm(after: Self.patience, every: Self.patience)
        pump()
        return jobs
    }

    /// Forgets what is left of a `type`.
    func drop(_ job: Int) {
        waiting.removeAll { $0.number == job }
        if waiting.isEmpty { onIdle?() }
    }

    private func pump() {
        guard let keyboard, !waiting.isEmpty else { return }
        while let job = waiting.first {
            guard let stroke = job.strokes.last else {
                guard keyboard.isReady else { return }
                waiting.removeFirst()
                job.onDone?()
                continue
            }
            guard keyboard.type(stroke) else { return }
            // `type` may have told of room already: then a second pump waits, which is harmless.
            waiting[0].strokes.removeLast()
        }
        onIdle?()
    }

    private func remind() {
        if let keyboard, keyboard.hasUnread {
            keyboard.repeatInterrupt()
        } else if waiting.isEmpty {
            timer?.disarm()
        }
    }
}
