import Devices
import Testing

@Suite struct TestFinisherTests {
    private let board = RecordingBoard()
    private let finisher: TestFinisher

    init() { finisher = TestFinisher(board: board) }

    @Test(
        arguments: [
            (0x5555, BoardRequest.powerOff), (0x7777, .reset), (0x3333, .exit(status: 1)), (0x3_3333, .exit(status: 3)),
            (0xFF_3333, .exit(status: 255)), (0x100_3333, .exit(status: 1)),
        ] as [(UInt64, BoardRequest)])
    func write_ofWhatItKnows_asksTheBoard(value: UInt64, request: BoardRequest) {
        finisher.write(value, offset: 0, width: 4)
        #expect(board.requests == [request])
    }

    @Test func write_ofAnythingElse_doesNothing() {
        finisher.write(0x3334, offset: 0, width: 4)
        finisher.write(0x5555, offset: 4, width: 4)
        finisher.write(0x55, offset: 0, width: 1)
        #expect(board.requests.isEmpty)
        #expect(finisher.read(offset: 0, width: 4) == 0)
    }
}
