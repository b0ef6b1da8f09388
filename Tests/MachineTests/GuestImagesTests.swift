import GuestImages
import Testing

/// The table of built-in guests, as Swift sees it.
@Suite struct GuestImagesTests {
    /// One row of the table, copied out.
    struct Image: CustomTestStringConvertible {
        var name: String
        var summary: String
        var bytes: [UInt8]
        var loadAddress: UInt32
        var cpus: UInt32

        init(_ image: guest_image) {
            name = String(cString: image.name)
            summary = String(cString: image.summary)
            bytes = Array(UnsafeBufferPointer(start: image.bytes, count: image.end - image.bytes))
            loadAddress = image.load_address
            cpus = image.cpus
        }

        var testDescription: String { name }
    }

    static let images: [Image] = (0..<guest_image_count).compactMap { index in
        guest_image_at(index).map { Image($0.pointee) }
    }

    @Test func table_all_isTheTourInOrder() {
        let names = Self.images.map(\.name)
        #expect(
            names == [
                "halt", "hello", "echo", "counter", "protected", "paging", "long-mode", "user-mode", "timer", "mbr",
                "smp", "hypercall", "pc-check",
            ])
        #expect(guest_image_at(guest_image_count) == nil)
    }

    @Test(arguments: images) func image_each_fitsWhereItIsLoaded(image: Image) {
        #expect(!image.bytes.isEmpty)
        // Entered with CS = 0, so all of it lies below 64 KiB; and above what the monitor and the real-mode vectors use.
        #expect(image.loadAddress > UInt32(GUEST_CPU_COUNT_ADDRESS))
        #expect(Int(image.loadAddress) + image.bytes.count <= 0x10000)
        #expect(image.cpus >= 1)
        #expect(image.summary.count <= 60)
    }

    @Test func mbr_firstSector_hasTheBootSignature() throws {
        let mbr = try #require(Self.images.first { $0.name == "mbr" })
        #expect(mbr.loadAddress == 0x7C00)
        #expect(mbr.bytes.count == 1024)
        #expect(mbr.bytes[510...511] == [0x55, 0xAA])
    }
}
