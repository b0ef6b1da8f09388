import Glibc
import Host

/// A pipe whose ends close with it.
final class Pipe: @unchecked Sendable {
    let reader: OwnedDescriptor
    let readerNumber: Int32
    private(set) var writerNumber: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw HostError("create", "a pipe", errno: errno) }
        reader = OwnedDescriptor(owning: ends[0])
        readerNumber = ends[0]
        writerNumber = ends[1]
    }

    deinit {
        closeWriter()
    }

    func write(_ bytes: [UInt8]) {
        _ = bytes.withUnsafeBytes { Glibc.write(writerNumber, $0.baseAddress, $0.count) }
    }

    func closeWriter() {
        if writerNumber >= 0 { close(writerNumber) }
        writerNumber = -1
    }
}

/// `Thread` for the test files that import Foundation, which has a `Thread` and a `Host` of its own.
typealias HostThread = Thread
