import CZlib
import Foundation
import Testing

/// What a guest draws on its screen, as the user gets it.
@Suite struct ScreenTests {
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
        return program + [UInt8](repeating: 0, count: 510 - program.count) + [0x55, 0xAA]
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
        let picture = try Picture(Array(Data(contentsOf: URL(fileURLWithPath: name + ".png"))))
        #expect(picture.width == 640 && picture.height == 400)
        let corner = (0..<16).map { row in
            (0..<56).map { column in
                switch picture.color(column, row) {
                case [255, 255, 85]: "#"
                case [0, 0, 170]: "."
                default: "?"
                }
            }.joined()
        }
        #expect(corner.joined(separator: "\n") == Self.expected)
        #expect(picture.color(56, 0) == [0, 0, 0] && picture.color(639, 399) == [0, 0, 0])
    }

    @Test func screenshot_byAnotherProcess_isTheSame() throws {
        let folder = try TestFolder()
        let disk = try folder.file("disk", Self.image)
        let socket = folder.path + "/socket"
        let child = try MiniKVM.start(
            ["run", "--disk", disk + ",ro", "--memory", "16M", "--control", socket], input: .terminal, output: .terminal
        )
        try child.waitFor("!")
        let command = ["screenshot", "--control", socket]
        let text = try MiniKVM.run(command + ["-"])
        text.expect(status: 0)
        #expect(text.output == "Swift π\n")
        let outcome = try MiniKVM.run(command + ["one"], folder: folder.path)
        outcome.expect(status: 0)
        #expect(try String(contentsOfFile: folder.path + "/one.txt", encoding: .utf8) == "Swift π\n")
        let picture = try Picture(Array(Data(contentsOf: URL(fileURLWithPath: folder.path + "/one.png"))))
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

    /// A PNG file with a palette, taken apart.
    private struct Picture {
        let width: Int
        let height: Int
        private var palette: [UInt8] = []
        private var rows: [UInt8] = []

        init(_ file: [UInt8]) throws {
            func number(_ place: Int) -> Int { file[place..<place + 4].reduce(0) { $0 << 8 | Int($1) } }
            (width, height) = (number(16), number(20))
            var place = 8
            while place < file.count {
                let count = number(place)
                let body = Array(file[place + 8..<place + 8 + count])
                switch String(decoding: file[place + 4..<place + 8], as: UTF8.self) {
                case "PLTE": palette = body
                case "IDAT":
                    rows = [UInt8](repeating: 0, count: height * (width + 1))
                    var size = uLong(rows.count)
                    try #require(uncompress(&rows, &size, body, uLong(body.count)) == Z_OK)
                default: break
                }
                place += 12 + count
            }
        }

        func color(_ column: Int, _ row: Int) -> [UInt8] {
            let index = Int(rows[row * (width + 1) + 1 + column])
            return Array(palette[3 * index..<3 * index + 3])
        }
    }
}
