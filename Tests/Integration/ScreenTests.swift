import Foundation
import Testing

/// What a guest draws on its screen, as the user gets it.
@Suite struct ScreenTests {
    /// A boot sector of a program.
    private static func bootSector(_ program: [UInt8]) -> [UInt8] {
        program + [UInt8](repeating: 0, count: 510 - program.count) + [0x55, 0xAA]
    }

    /// A boot sector that clears the screen, writes "Swift π" in yellow on blue, puts the cursor under the last letter,
    /// and says by a character on the serial port that it has.
    private static let image: [UInt8] = {
        let program: [UInt8] =
            [
                0x31, 0xC0,  // xorw %ax, %ax
                0x8E, 0xD8,  // movw %ax, %ds
                0xB8, 0x00, 0xB8,  // movw $0xB800, %ax
                0x8E, 0xC0,  // movw %ax, %es
                0x31, 0xFF,  // xorw %di, %di
                0xB8, 0x20, 0x07,  // movw $0x0720, %ax
                0xB9, 0xD0, 0x07,  // movw $2000, %cx
                0xFC,  // cld
                0xF3, 0xAB,  // rep stosw
                0xBE, 0x37, 0x7C,  // movw $text, %si
                0x31, 0xFF,  // xorw %di, %di
                0xB4, 0x1E,  // movb $0x1E, %ah
                0xAC,  // 1: lodsb
                0x84, 0xC0,  // testb %al, %al
                0x74, 0x03,  // jz 2f
                0xAB,  // stosw
                0xEB, 0xF8,  // jmp 1b
                0xBA, 0xD4, 0x03,  // 2: movw $0x3D4, %dx
                0xB8, 0x0F, 0x06,  // movw $0x060F, %ax     cursor, low half: 6
                0xEF,  // outw %ax, %dx
                0xB8, 0x0E, 0x00,  // movw $0x000E, %ax     high half: 0
                0xEF,  // outw %ax, %dx
                0xBA, 0xF8, 0x03,  // movw $0x3F8, %dx
                0xB0, 0x21,  // movb $'!', %al
                0xEE,  // outb %al, %dx
                0xF4,  // 3: hlt
                0xEB, 0xFD,  // jmp 3b
            ] + Array("Swift ".utf8) + [0xE3, 0x00]
        return bootSector(program)
    }()

    /// The upper left corner of the picture: yellow points are #, blue ones dots.
    private static let expected = """
        ..#####............##......###....##....................
        ..#####............##......###....##....................
        .##.......................##.##...##....................
        .##.......................##.##...##....................
        .##......##..##...###.....##.....####............######.
        .##......##..##...###.....##.....####............######.
        ..####...##..##....##....####.....##..............####..
        ..####...##..##....##....####.....##..............####..
        .....##..######....##.....##......##..............####..
        .....##..######....##.....##......##..............####..
        .....##..######....##.....##......##.##...........####..
        .....##..######....##.....##......##.##...........####..
        .#####....####....####....##.......###............####..
        .#####....####....####....##.......###..........########
        ................................................########
        ........................................................
        """

    @Test func screenshot_byControlAP_isTheExpectedTextAndPicture() throws {
        let folder = try TestFolder()
        let disk = try folder.file("disk", Self.image)
        let child = try MiniKVM.start(
            ["run", "--disk", disk + ",ro", "--memory", "16M"], input: .terminal, output: .terminal, folder: folder.path
        )
        try child.waitFor("!")
        child.send("\u{1}p")
        try child.waitFor("the screen is in minikvm-\(child.identifier)-1.txt and", inErrors: true)
        child.send("\u{1}x")
        child.finish().expect(status: 0)

        let name = folder.path + "/minikvm-\(child.identifier)-1"
        #expect(try String(contentsOfFile: name + ".txt", encoding: .utf8) == "Swift π\n")
        let picture = try Picture(contentsOf: name + ".png")
        // Around what is drawn all is black.
        let lines = Self.expected.split(separator: "\n").map { Array($0.utf8) }
        let expected = Picture(width: 640, height: 400) { column, row in
            guard row < lines.count, column < lines[row].count else { return [0, 0, 0] }
            return lines[row][column] == UInt8(ascii: "#") ? [255, 255, 85] : [0, 0, 170]
        }
        #expect(picture.difference(from: expected) == nil)
    }

    /// A boot sector that shows each code and each pair of colors, from the memory's second row on, with 16 colors for
    /// backgrounds and none that blinks, and the cursor as a bar in the middle of row 12 at column 40.
    private static let codesAndColors = bootSector([
        0xB8, 0x00, 0xB8,  // movw $0xB800, %ax
        0x8E, 0xC0,  // movw %ax, %es
        0xBA, 0xDA, 0x03,  // movw $0x3DA, %dx       attribute controller: index next
        0xEC,  // inb %dx, %al
        0xBA, 0xC0, 0x03,  // movw $0x3C0, %dx
        0xB0, 0x30,  // movb $0x30, %al     Attribute Mode Control
        0xEE,  // outb %al, %dx
        0xB0, 0x04,  // movb $0x04, %al     no blinking
        0xEE,  // outb %al, %dx
        0x31, 0xFF,  // xorw %di, %di
        0xB9, 0x20, 0x08,  // movw $2080, %cx
        0xB8, 0x00, 0x41,  // movw $0x4100, %ax
        0xFC,  // cld
        0xAB,  // 1: stosw
        0xFE, 0xC0,  // incb %al
        0x80, 0xC4, 0x03,  // addb $3, %ah
        0xE2, 0xF8,  // loop 1b
        0xBA, 0xD4, 0x03,  // movw $0x3D4, %dx
        0xB8, 0x0D, 0x50,  // movw $0x500D, %ax       Start Address Low: 80
        0xEF,  // outw %ax, %dx
        0xB8, 0x0A, 0x05,  // movw $0x050A, %ax       Cursor Start: 5
        0xEF,  // outw %ax, %dx
        0xB8, 0x0B, 0x09,  // movw $0x090B, %ax       Cursor End: 9
        0xEF,  // outw %ax, %dx
        0xB8, 0x0E, 0x04,  // movw $0x040E, %ax       Cursor Location: 1080
        0xEF,  // outw %ax, %dx
        0xB8, 0x0F, 0x38,  // movw $0x380F, %ax
        0xEF,  // outw %ax, %dx
        0xBA, 0xF8, 0x03,  // movw $0x3F8, %dx
        0xB0, 0x21,  // movb $'!', %al
        0xEE,  // outb %al, %dx
        0xF4,  // 2: hlt
        0xEB, 0xFD,  // jmp 2b
    ])

    /// A machine with this disk that has drawn, and its control socket.
    private func start(_ image: [UInt8], in folder: TestFolder) throws -> (Child, socket: String) {
        let disk = try folder.file("disk", image)
        let socket = folder.path + "/socket"
        let child = try MiniKVM.start(
            ["run", "--disk", disk + ",ro", "--memory", "16M", "--control", socket], input: .terminal,
            output: .terminal, folder: folder.path)
        try child.waitFor("!")
        return (child, socket)
    }

    /// What is in Expected was looked at when it was made. MINIKVM_WRITE_EXPECTED=1 makes it anew, to be looked at again.
    @Test func screenshot_ofEachCodeAndColor_isTheExpectedOneInEachPixel() throws {
        let folder = try TestFolder()
        let (child, socket) = try start(Self.codesAndColors, in: folder)
        try MiniKVM.run(["screenshot", "--control", socket, "screen"], folder: folder.path).expect(status: 0)
        child.send("\u{1}x")
        child.finish().expect(status: 0)

        let expected = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Expected/codes-and-colors"
        if ProcessInfo.processInfo.environment["MINIKVM_WRITE_EXPECTED"] == "1" {
            for kind in [".txt", ".png"] {
                try Data(contentsOf: URL(fileURLWithPath: folder.path + "/screen" + kind))
                    .write(to: URL(fileURLWithPath: expected + kind))
            }
        }
        #expect(
            try String(contentsOfFile: folder.path + "/screen.txt", encoding: .utf8)
                == String(contentsOfFile: expected + ".txt", encoding: .utf8))
        let picture = try Picture(contentsOf: folder.path + "/screen.png")
        #expect(picture.width == 640 && picture.height == 400)
        #expect(picture.difference(from: try Picture(contentsOf: expected + ".png")) == nil)

        // One pixel that differs is found, wherever it is and however little.
        for (column, row) in [(0, 0), (639, 0), (0, 399), (639, 399), (323, 197)] {
            let other = Picture(width: 640, height: 400) { x, y in
                var color = picture.color(x, y)
                if (x, y) == (column, row) { color[2] ^= 1 }
                return color
            }
            #expect(picture.difference(from: other)?.hasPrefix("1 of 256000 pixels, first (\(column), \(row))") == true)
        }
    }

    @Test func screenshot_byAnotherProcess_isTheSame() throws {
        let folder = try TestFolder()
        let (child, socket) = try start(Self.image, in: folder)
        let command = ["screenshot", "--control", socket]
        let text = try MiniKVM.run(command + ["-"])
        text.expect(status: 0)
        #expect(text.output == "Swift π\n")
        let outcome = try MiniKVM.run(command + ["one"], folder: folder.path)
        outcome.expect(status: 0)
        #expect(try String(contentsOfFile: folder.path + "/one.txt", encoding: .utf8) == "Swift π\n")
        let picture = try Picture(contentsOf: folder.path + "/one.png")
        #expect(picture.width == 640 && picture.height == 400 && picture.color(2, 0) == [255, 255, 85])

        // A name that is taken is left alone, and so is its neighbor's place.
        try FileManager.default.removeItem(atPath: folder.path + "/one.txt")
        let again = try MiniKVM.run(command + ["one"], folder: folder.path)
        again.expect(status: 1)
        #expect(again.errors == "minikvm: cannot make 'one.png': file exists\n")
        #expect(folder.names == ["disk", "socket", "one.png"])
        child.send("\u{1}x")
        child.finish().expect(status: 0)
    }

    @Test func display_inTheTerminal_drawsWhatTheGuestDrawsAndLeavesItThere() throws {
        let folder = try TestFolder()
        let disk = try folder.file("disk", Self.image)
        let child = try MiniKVM.start(
            [
                "run", "--disk", disk + ",ro", "--memory", "16M", "--display", "terminal", "--serial",
                folder.path + "/serial",
            ], input: .terminal, output: .terminal)
        try child.waitFor("\u{1B}[1;1H\u{1B}[K\u{1B}[0;93;44mSwift π")
        try child.waitFor("\u{1B}[1;7H\u{1B}[?25h")
        child.send("\u{1}h")
        try child.waitFor("Ctrl-A x  stop the machine")
        child.send("\u{1}x")
        let outcome = child.finish()
        outcome.expect(status: 0)
        #expect(outcome.output.hasPrefix("\u{1B}[?1049h"))
        #expect(outcome.output.hasSuffix("\u{1B}[?1049lSwift π\r\n"), "\(outcome.text)")
        #expect(try String(contentsOfFile: folder.path + "/serial", encoding: .utf8) == "!")
    }

    @Test(arguments: [
        (
            ["--display", "terminal"],
            "--display terminal, but standard output is no terminal; leave it out, and save the screen by --control and "
                + "`minikvm screenshot`"
        ),
        (
            ["--display", "terminal", "--serial", "terminal"],
            "--serial terminal and --display terminal exclude each other; name a file for one"
        ),
        (
            ["--keyboard", "terminal", "--board", "microvm"],
            "--keyboard terminal on the board microvm, which has no screen and keyboard; add --board pc"
        ),
    ])
    func display_thatCannotBe_isRefused(options: [String], words: String) throws {
        let outcome = try MiniKVM.run(["run", "echo", "--board", "pc"] + options)
        outcome.expect(status: 2)
        #expect(outcome.errors == "minikvm: run: \(words)\n")
    }

    /// A boot sector that sets mode 13h, 320 by 200 pixels of 256 colors, says so, and after a character from the serial
    /// port goes back to text and draws a letter.
    private static let graphics = bootSector([
        0xBA, 0xDA, 0x03,  // movw $0x3DA, %dx       attribute controller: index next
        0xEC,  // inb %dx, %al
        0xBA, 0xC0, 0x03,  // movw $0x3C0, %dx
        0xB0, 0x30,  // movb $0x30, %al     Attribute Mode Control
        0xEE,  // outb %al, %dx
        0xB0, 0x41,  // movb $0x41, %al     graphics, 256 colors
        0xEE,  // outb %al, %dx
        0xB0, 0x20,  // movb $0x20, %al     the screen on
        0xEE,  // outb %al, %dx
        0xBA, 0xCE, 0x03,  // movw $0x3CE, %dx       graphics controller
        0xB8, 0x05, 0x40,  // movw $0x4005, %ax       Graphics Mode: 256 colors
        0xEF,  // outw %ax, %dx
        0xB8, 0x06, 0x05,  // movw $0x0506, %ax       Miscellaneous: graphics
        0xEF,  // outw %ax, %dx
        0xBA, 0xD4, 0x03,  // movw $0x3D4, %dx       CRT controller
        0xB8, 0x09, 0x41,  // movw $0x4109, %ax       Maximum Scan Line: two
        0xEF,  // outw %ax, %dx
        0xBA, 0xF8, 0x03,  // movw $0x3F8, %dx
        0xB0, 0x21,  // movb $'!', %al
        0xEE,  // outb %al, %dx
        0xBA, 0xFD, 0x03,  // 1: movw $0x3FD, %dx    Line Status
        0xEC,  // inb %dx, %al
        0xA8, 0x01,  // testb $1, %al
        0x74, 0xF8,  // jz 1b
        0xBA, 0xCE, 0x03,  // movw $0x3CE, %dx       and back
        0xB8, 0x06, 0x0E,  // movw $0x0E06, %ax
        0xEF,  // outw %ax, %dx
        0xB8, 0x05, 0x10,  // movw $0x1005, %ax
        0xEF,  // outw %ax, %dx
        0xBA, 0xDA, 0x03,  // movw $0x3DA, %dx
        0xEC,  // inb %dx, %al
        0xBA, 0xC0, 0x03,  // movw $0x3C0, %dx
        0xB0, 0x30,  // movb $0x30, %al
        0xEE,  // outb %al, %dx
        0xB0, 0x0C,  // movb $0x0C, %al
        0xEE,  // outb %al, %dx
        0xB0, 0x20,  // movb $0x20, %al
        0xEE,  // outb %al, %dx
        0xBA, 0xD4, 0x03,  // movw $0x3D4, %dx
        0xB8, 0x09, 0x4F,  // movw $0x4F09, %ax
        0xEF,  // outw %ax, %dx
        0xB8, 0x00, 0xB8,  // movw $0xB800, %ax
        0x8E, 0xC0,  // movw %ax, %es
        0x26, 0xC7, 0x06, 0x00, 0x00, 0x41, 0x1E,  // movw $0x1E41, %es:0
        0xBA, 0xF8, 0x03,  // movw $0x3F8, %dx
        0xB0, 0x3F,  // movb $'?', %al
        0xEE,  // outb %al, %dx
        0xF4,  // 2: hlt
        0xEB, 0xFD,  // jmp 2b
    ])

    private static let graphicsWords =
        "the guest's screen is in a graphics mode (320 by 200 pixels); only text modes can be shown"

    @Test func screenshot_ofGraphics_saysThatItIsGraphics() throws {
        let folder = try TestFolder()
        let (child, socket) = try start(Self.graphics, in: folder)
        child.send("\u{1}p")
        try child.waitFor("minikvm: " + Self.graphicsWords, inErrors: true)
        for name in ["-", "one"] {
            let outcome = try MiniKVM.run(["screenshot", "--control", socket, name], folder: folder.path)
            outcome.expect(status: 1)
            #expect(outcome.output.isEmpty)
            #expect(outcome.errors == "minikvm: the machine at '\(socket)' refused: \(Self.graphicsWords)\n")
        }
        #expect(folder.names == ["disk", "socket"])
        child.send("x")
        try child.waitFor("?")
        let text = try MiniKVM.run(["screenshot", "--control", socket, "-"])
        text.expect(status: 0)
        #expect(text.output.hasPrefix("A"))
        child.send("\u{1}x")
        child.finish().expect(status: 0)
    }

    @Test func display_ofGraphics_saysThatItIsGraphicsUntilThereIsText() throws {
        let folder = try TestFolder()
        let disk = try folder.file("disk", Self.graphics)
        let child = try MiniKVM.start(
            [
                "run", "--disk", disk + ",ro", "--memory", "16M", "--display", "terminal", "--keyboard", "none",
                "--serial", folder.path + "/serial",
            ], input: .terminal, output: .terminal)
        try child.waitFor("\u{1B}[2J\u{1B}[H\u{1B}[?25l" + Self.graphicsWords)
        child.send("x")
        try child.waitFor("\u{1B}[1;1H\u{1B}[K\u{1B}[0;93;44mA")
        child.send("\u{1}x")
        let outcome = child.finish()
        outcome.expect(status: 0)
        #expect(outcome.output.hasSuffix("\r\n") && outcome.output.contains("\u{1B}[?1049lA"), "\(outcome.text)")
    }

    @Test(arguments: ["", "folder/"]) func screenshot_withoutAName_isRefused(name: String) throws {
        let outcome = try MiniKVM.run(["screenshot", "--control", "socket", name])
        outcome.expect(status: 2)
        #expect(outcome.errors.contains("the name of the files is empty"), "\(outcome.text)")
    }

    @Test func screenshot_withoutAScreen_saysSo() throws {
        let folder = try TestFolder()
        let child = try MiniKVM.start(["run", "echo"], input: .terminal, output: .terminal, folder: folder.path)
        try child.waitFor("echo: type something")
        child.send("\u{1}p")
        try child.waitFor("this machine has no screen", inErrors: true)
        child.send("\u{4}")
        child.finish().expect(status: 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
}
