import Architecture
import Boot
import Firmware
import RISCV

/// Where entry.S goes on: on the boot hart, with the device tree that the firmware gives.
@c(hypervisor_main) func hypervisorMain(_ hart: UInt64, _ deviceTree: UInt64) {
    Console.line("Booting hypervisor...")
    // The heap comes first: all else needs it. It lies behind the program.
    let heapStart = unsafe UInt64(UInt(bitPattern: hypervisor_end_address()))
    Heap.start(from: heapStart, to: heapStart + heapSize)
    do throws(BootFailure) {
        try boot(hart: hart, deviceTree: deviceTree, heapEnd: heapStart + heapSize)
    } catch {
        Console.line("hypervisor: \(error.text)")
    }
    SBIFirmware.shutDown(status: 1)
}

/// The heap's size. What guests have is not in it.
let heapSize: UInt64 = 4 << 20

/// Why the hypervisor cannot go on.
struct BootFailure: Error {
    let text: String
}

private func boot(hart: UInt64, deviceTree: UInt64, heapEnd: UInt64) throws(BootFailure) {
    let blob = try readDeviceTree(at: deviceTree)
    let platform = try readPlatform(blob)
    if let uart = platform.uart { Console.use(uart: uart.address) }
    if let finisher = platform.finisher { Finisher.use(finisher) }
    let pages = collectMemory(platform, tree: (deviceTree, deviceTree + UInt64(blob.count)), heapEnd: heapEnd)
    let bundle = try readBundle(platform)
    if let symbols = bundle?.file([UInt8]("symbols".utf8)) { Symbols.use(symbols) }
    guard probe_hgatp() == 1 else {
        throw BootFailure(text: "this machine has no hypervisor extension (QEMU: -cpu rv64,h=true)")
    }
    let pageTable = try HostPaging.start(platform, pages: pages)
    if let name = platform.argument("lesson") {
        if let lesson = Lesson(name) { lesson.run(pages) }
        // In a lesson with a guest: what the lesson before it has shown stays.
        Lesson.showArray()
    }

    let hasSstc = probe_stimecmp() == 1
    let hypervisor = Hypervisor(
        platform: platform, pages: pages, pageTable: pageTable, mode: try chooseMode(platform), hasSstc: hasSstc)
    hypervisor.acquire()
    hypervisor.hartMask = 1 << hart
    // The other harts come when there is something to do: before that they would wait for the lock.
    try loadGuests(hypervisor, from: bundle)
    if let seconds = platform.argument("seconds").flatMap({ BundleManifest.number($0) }), seconds < 1 << 20 {
        hypervisor.endOfTime = read_time() + seconds * platform.timebaseFrequency
    }
    hypervisor.showsStatistics = platform.argument("statistics") != nil
    HostPLIC.start(hypervisor, hart: Int(hart))
    SecondaryHarts.start(hypervisor, except: hart)
    var loop = HartLoop(hypervisor: hypervisor, hart: Int(hart))
    loop.run()
}

/// All memory that nobody has: not the firmware, not this program with its heap, not the device tree or the bundle.
private func collectMemory(
    _ platform: Platform, tree: (UInt64, UInt64), heapEnd: UInt64
) -> PageAllocator {
    var free = platform.memory.map { ($0.address, $0.address &+ $0.size) }
    let start = unsafe UInt64(UInt(bitPattern: hypervisor_start_address()))
    var taken = platform.reserved.map { ($0.address, $0.address &+ $0.size) }
    // The firmware is below this program; QEMU's device tree does not always tell so.
    taken.append((start & ~0x1F_FFFF - 0x20_0000, heapEnd))
    taken.append(tree)
    if let bundle = platform.bundle { taken.append((bundle.start, bundle.end)) }
    for (first, last) in taken {
        let (first, last) = (first & ~(pageSize - 1), (last + pageSize - 1) & ~(pageSize - 1))
        free = free.flatMap { range -> [(UInt64, UInt64)] in
            guard first < range.1, range.0 < last else { return [range] }
            var parts: [(UInt64, UInt64)] = []
            if range.0 < first { parts.append((range.0, first)) }
            if last < range.1 { parts.append((last, range.1)) }
            return parts
        }
    }
    let pages = PageAllocator()
    for range in free { pages.add(from: range.0, to: min(range.1, IdentityPageTable.limit)) }
    return pages
}

/// The second stage's mode with the fewest levels that hgatp keeps, or the one that the argument "gstage" names. The
/// fewest reach 2 TiB, and each level is one more load for each step of the guest's own walks.
private func chooseMode(_ platform: Platform) throws(BootFailure) -> GStageMode {
    let wanted = platform.argument("gstage")
    for mode in [GStageMode.sv39x4, .sv48x4, .sv57x4] {
        if let wanted, !wanted.elementsEqual(mode.name.utf8) { continue }
        write_hgatp(mode.rawValue << 60)
        let isKept = read_hgatp() >> 60 == mode.rawValue
        write_hgatp(0)
        if isKept { return mode }
    }
    throw BootFailure(
        text: wanted.map { "hgatp does not keep the mode \(text($0)) that gstage= names" }
            ?? "hgatp keeps no mode: there is no second stage of translation")
}

/// The boot bundle; nil when QEMU was given none.
private func readBundle(_ platform: Platform) throws(BootFailure) -> CPIOArchive? {
    guard let bundle = platform.bundle, let start = unsafe UnsafeRawPointer(bitPattern: UInt(bundle.start)) else {
        return nil
    }
    do throws(CPIOError) {
        return unsafe try CPIOArchive(
            ImageBytes(UnsafeRawBufferPointer(start: start, count: Int(bundle.end - bundle.start))))
    } catch {
        throw BootFailure(text: error.text)
    }
}

private func loadGuests(_ hypervisor: Hypervisor, from bundle: CPIOArchive?) throws(BootFailure) {
    guard let archive = bundle else {
        throw BootFailure(text: "there is no boot bundle: give one by QEMU's -initrd")
    }
    guard let manifest = archive.file([UInt8]("manifest".utf8)) else {
        throw BootFailure(text: "the boot bundle has no file manifest")
    }
    let descriptions: [GuestDescription]
    do throws(ManifestError) {
        descriptions = unsafe try BundleManifest.read([UInt8](manifest.bytes))
    } catch {
        throw BootFailure(text: error.text)
    }
    let loader = GuestLoader(hypervisor: hypervisor, archive: archive)
    hypervisor.loader = loader
    for description in descriptions {
        do throws(BootFailure) {
            hypervisor.add(try loader.load(description))
        } catch {
            Console.line("hypervisor: guest \(text(description.name)) cannot start: \(error.text)")
            hypervisor.noteFailure()
        }
    }
    guard !hypervisor.guests.isEmpty else { throw BootFailure(text: "no guest of the bundle could start") }
}

private func readPlatform(_ blob: [UInt8]) throws(BootFailure) -> Platform {
    let tree: DeviceTree
    do throws(DeviceTreeError) {
        tree = try DeviceTree(blob)
    } catch {
        throw BootFailure(text: "the firmware's device tree cannot be read")
    }
    do throws(PlatformError) {
        return try Platform(tree)
    } catch {
        throw BootFailure(text: error.text)
    }
}

private func readDeviceTree(at address: UInt64) throws(BootFailure) -> [UInt8] {
    guard let pointer = unsafe UnsafePointer<UInt8>(bitPattern: UInt(address)) else {
        throw BootFailure(text: "the firmware gives no device tree")
    }
    let header = unsafe [UInt8](UnsafeBufferPointer(start: pointer, count: 8))
    guard let size = DeviceTree.totalSize(header: header), size <= 2 << 20 else {
        throw BootFailure(text: "there is no device tree at 0x\(hexadecimal(address)), where the firmware says it is")
    }
    return unsafe [UInt8](UnsafeBufferPointer(start: pointer, count: size))
}
