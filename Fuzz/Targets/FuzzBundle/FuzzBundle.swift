// What the RISC-V hypervisor reads before it has a guest: the firmware's device tree, the boot bundle's cpio archive and
// its manifest. Each is either the input itself, or a valid one with the input's edits.
internal import Boot
internal import Firmware
internal import FuzzInput

private func archive(_ files: [(name: String, data: [UInt8])]) -> [UInt8] {
    var bytes: [UInt8] = []
    func pad() { while bytes.count % 4 != 0 { bytes.append(0) } }
    func digits(_ value: Int) -> [UInt8] {
        let text = String(value, radix: 16)
        return [UInt8](repeating: UInt8(ascii: "0"), count: 8 - text.utf8.count) + text.utf8
    }
    for file in files + [("TRAILER!!!", [])] {
        bytes += "070701".utf8
        let fields = [0, 0o100644, 0, 0, 1, 0, file.data.count, 0, 0, 0, 0, file.name.utf8.count + 1, 0]
        for field in fields { bytes += digits(field) }
        bytes += file.name.utf8
        bytes.append(0)
        pad()
        bytes += file.data
        pad()
    }
    return bytes
}

private let manifest = [UInt8](
    "guest one\nkernel Image\ninitrd initrd\nmemory 256M\nharts 2\nappend quiet\nguest b\nimage i\nbase 0x1000\n".utf8)

private func tree() -> [UInt8] {
    var builder = DeviceTreeBuilder()
    builder.node("") { root in
        root.property("#address-cells", cells: [2])
        root.property("#size-cells", cells: [2])
        root.node("memory@80000000") { node in
            node.property("device_type", text: "memory")
            node.property("reg", numbers: [0x8000_0000, 1 << 29])
        }
        root.node("soc") { soc in
            soc.property("ranges")
            soc.node("serial@10000000") { $0.property("compatible", texts: ["ns16550a", "b"]) }
        }
    }
    return builder.finished()
}

private func edited(_ valid: [UInt8], _ input: inout FuzzInput) -> [UInt8] {
    if input.byte() & 7 == 0 { return input.rest() }
    var bytes = valid
    let cut = input.byte()
    if cut & 3 == 0 { bytes.removeLast(min(Int(cut) * 2, bytes.count)) }
    while !input.isEmpty {
        let offset = Int(input.number(bytes: 2))
        let value = input.byte()
        if offset < bytes.count { bytes[offset] = value }
    }
    return bytes
}

/// libFuzzer's entry point.
@c(LLVMFuzzerTestOneInput)
public func fuzzBundle(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = unsafe FuzzInput(start, count)
    switch input.byte() % 3 {
    case 0: readTree(edited(tree(), &input))
    case 1:
        let bytes = edited(archive([("manifest", manifest), ("Image", [1, 2, 3])]), &input)
        unsafe bytes.withUnsafeBytes { unsafe readArchive(ImageBytes($0), size: bytes.count) }
    default: readManifest(edited(manifest, &input))
    }
    return 0
}

private func readTree(_ bytes: [UInt8]) {
    guard let tree = try? DeviceTree(bytes) else { return }
    for (index, node) in tree.nodes.enumerated() {
        check((node.parent ?? -1) < index, "a node comes before the one it is in")
        _ = tree.ranges(of: index)
        _ = tree.isEnabled(index)
    }
    _ = tree.nodes(compatibleWith: "ns16550a")
}

private func readArchive(_ image: ImageBytes, size: Int) {
    guard let archive = try? CPIOArchive(image) else { return }
    for file in archive.files { check(file.data.count <= size, "a file is larger than its archive") }
    if let file = archive.file([UInt8]("manifest".utf8)) { readManifest(unsafe [UInt8](file.bytes)) }
}

private func readManifest(_ text: [UInt8]) {
    guard let guests = try? BundleManifest.read(text) else { return }
    check(!guests.isEmpty, "a manifest without a guest")
    for guest in guests {
        check(guest.payload != nil || guest.mistake != nil, "a guest with nothing to run")
        check(guest.memory % 4096 == 0 && guest.memory > 0, "memory of no whole pages")
        check((1...16).contains(guest.harts), "a number of harts that cannot be")
    }
}
