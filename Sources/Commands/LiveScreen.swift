internal import Devices
internal import Host
internal import Machine

/// Shows the guest's screen in the user's terminal as it changes: `--display terminal`.
///
/// The text memory is the guest's RAM, so nobody tells when it is written: it is looked at 25 times a second, and the
/// rows that have changed are drawn. A terminal that is slower misses some of what was there between, and no more.
/// Only used on the loop's thread.
final class LiveScreen {
    private let output: TerminalOutput
    private let windowSize: () -> Terminal.Size?
    private var timer: EventTimer?
    private var screen: Screen?
    /// What the terminal shows: a row each.
    private var shown: [[TextScreen.Cell]?] = []
    private var shownCursor: TextScreen.Cursor?
    /// The terminal's size that this is drawn for; nil when something else stands there.
    private var shownSize: Terminal.Size?
    /// The graphics mode that is told of.
    private var shownMode: VGAText.GraphicsMode?
    private var shownTop = 0
    /// Looks that are left out while a message stands there.
    private var looksLeftOut = 0

    /// Nanoseconds between two looks.
    private static let period: UInt64 = 40_000_000
    /// How many looks a message stays.
    private static let messageLooks = 100

    /// - Parameters:
    ///   - output: the terminal.
    ///   - loop: outlives this object.
    ///   - windowSize: the terminal's size now; one that does not know has 80 columns and 25 rows.
    init(output: TerminalOutput, loop: EventLoop, windowSize: @escaping () -> Terminal.Size?) throws(HostError) {
        self.output = output
        self.windowSize = windowSize
        timer = try EventTimer(loop: loop) { [weak self] in self?.look() }
        // xterm, "Private modes": the alternate screen; no line goes on in the next one.
        output.offer("\u{1B}[?1049h\u{1B}[?7l")
        timer?.arm(after: 0, every: Self.period)
    }

    /// Shows a machine's screen from now on.
    func connect(_ screen: Screen?) {
        self.screen = screen
    }

    /// Shows a message for some seconds, where the screen was.
    func show(_ message: String) {
        output.offer("\u{1B}[0m\u{1B}[2J\u{1B}[H" + message)
        shownSize = nil
        looksLeftOut = Self.messageLooks
    }

    /// Gives the terminal back, and leaves in it as text what the screen showed last.
    func close() {
        guard timer != nil else { return }
        timer?.cancel()
        timer = nil
        // Room for the rest: the guest has ended, and nothing else is written.
        output.finish(limit: 500)
        output.offer("\u{1B}[0m\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l")
        guard screen != nil else { return }
        do throws(NoText) {
            output.offer(try screen.lookAtText().text())
        } catch {
            output.offer(error.reason + "\n")
        }
    }

    private func look() {
        guard looksLeftOut == 0 else {
            looksLeftOut -= 1
            return
        }
        guard let screen else { return }
        switch screen.look() {
        case .text(let picture): draw(picture)
        case .graphics(let mode): draw(mode)
        }
    }

    /// Says what cannot be drawn, and again where a message has stood.
    private func draw(_ mode: VGAText.GraphicsMode) {
        guard shownMode != mode || shownSize == nil else { return }
        let text = "\u{1B}[0m\u{1B}[2J\u{1B}[H\u{1B}[?25l" + NoText.graphics(mode).reason
        guard output.offer(text) else { return }
        shownMode = mode
        shownSize = size
    }

    /// The terminal's size, or what it is taken for.
    private var size: Terminal.Size { windowSize() ?? Terminal.Size(columns: 80, rows: 25) }

    private func draw(_ picture: TextScreen) {
        let size = self.size
        if size != shownSize || shownMode != nil {
            guard output.offer("\u{1B}[0m\u{1B}[2J") else { return }
            shownSize = size
            shownMode = nil
            shown = Array(repeating: nil, count: size.rows)
            shownCursor = nil
        }
        // A small window follows the cursor.
        let height = min(size.rows, picture.rows)
        if let row = picture.cursor?.row {
            if row < shownTop { shownTop = row }
            if row >= shownTop + height { shownTop = row - height + 1 }
        }
        shownTop = min(shownTop, picture.rows - height)

        var hasDrawn = false
        for line in 0..<size.rows {
            let columns = line < height ? size.columns : 0
            let cells = Array(picture.cells(row: shownTop + line, columns: columns))
            guard shown[line] != cells else { continue }
            let text = picture.terminalText(row: shownTop + line, columns: columns)
            // What finds no room is drawn at a later look.
            guard output.offer("\u{1B}[\(line + 1);1H\u{1B}[K" + text + "\u{1B}[0m") else { return }
            shown[line] = cells
            hasDrawn = true
        }
        if hasDrawn || picture.cursor != shownCursor { draw(picture.cursor) }
    }

    private func draw(_ cursor: TextScreen.Cursor?) {
        let text =
            cursor.map { "\u{1B}[\($0.row - shownTop + 1);\($0.column + 1)H\u{1B}[?25h" } ?? "\u{1B}[?25l"
        if output.offer(text) { shownCursor = cursor }
    }
}
