internal import Devices
internal import Glibc
internal import Host
internal import Machine

/// Why there is no text of a screen, in one line.
struct NoText: Error {
    let reason: String

    /// The board has no screen.
    static let noScreen = NoText(reason: "this machine has no screen; a board has one with --board pc or a --disk")

    /// The screen shows something else.
    static func graphics(_ mode: VGAText.GraphicsMode) -> NoText {
        NoText(
            reason:
                "the guest's screen is in a graphics mode (\(mode.width) by \(mode.height) pixels); only text modes "
                + "can be shown")
    }
}

extension Screen? {
    /// The text that the screen shows now.
    func lookAtText() throws(NoText) -> TextScreen {
        guard let self else { throw .noScreen }
        switch self.look() {
        case .text(let text): return text
        case .graphics(let mode): throw .graphics(mode)
        }
    }
}

/// A screen in the two forms that it is saved in.
enum ScreenFiles {
    /// What it shows, as text in UTF-8.
    static func text(_ screen: TextScreen) -> [UInt8] { Array(screen.text().utf8) }

    /// What it shows, as a PNG file.
    static func picture(_ screen: TextScreen) throws(HostError) -> [UInt8] {
        let (width, _, colors) = screen.pixels()
        return try PNG.file(width: width, colors: colors, palette: screen.palette)
    }

    /// Makes NAME.txt and NAME.png: both or none.
    static func write(text: [UInt8], picture: [UInt8], name: String) throws(HostError) {
        try NewFile.write(text, to: name + ".txt")
        do throws(HostError) {
            try NewFile.write(picture, to: name + ".png")
        } catch {
            unlink(name + ".txt")
            throw error
        }
    }
}
