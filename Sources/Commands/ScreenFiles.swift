internal import Devices
internal import Glibc
internal import Host

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
