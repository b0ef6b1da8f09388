import Architecture
import Boot
import Firmware
import GuestMemory
import RISCV

/// Makes guests out of the boot bundle.
struct GuestLoader {
    let hypervisor: Hypervisor
    let archive: CPIOArchive

    /// Makes a guest, or tells why it cannot be.
    func load(_ description: GuestDescription) throws(BootFailure) -> Guest {
        if let mistake = description.mistake { throw BootFailure(text: mistake.text) }
        let size = description.memory
        let pages = hypervisor.pages
        // 2 MiB so that leaves of that size fit, where there is as much.
        let alignment: UInt64 = size >= 2 << 20 ? 2 << 20 : pageSize
        guard let host = pages.allocatePages(Int(size / pageSize), alignment: alignment) else {
            throw BootFailure(
                text:
                    "it is to have \(size >> 20) MiB of memory, but the largest free piece has \(pages.largestRange / 256) MiB"
            )
        }
        var table: GStagePageTable?
        var guest: Guest?
        do throws(BootFailure) {
            let newTable = try makeTable(description, host: host)
            table = newTable
            if case .flat = description.payload {
                Console.line(
                    "map: \(hexadecimal(description.memoryBase, digits: 8)) -> \(hexadecimal(host, digits: 8))")
            }
            let newGuest = try makeGuest(description, host: host, table: newTable)
            guest = newGuest
            try attachDevices(description, to: newGuest)
            try place(description, in: newGuest)
            return newGuest
        } catch {
            // What it has taken, memory and disks, is for those that follow.
            if let guest {
                guest.ended = .failed()
                guest.freeMemory()
            } else {
                table?.free()
                pages.freePages(at: host, count: Int(size / pageSize))
            }
            throw error
        }
    }

    private func makeGuest(
        _ description: GuestDescription, host: UInt64, table: GStagePageTable
    ) throws(BootFailure) -> Guest {
        let region = unsafe MemoryRegion(
            guestAddress: description.memoryBase,
            bytes: UnsafeMutableRawBufferPointer(
                start: UnsafeMutableRawPointer(bitPattern: UInt(host)), count: Int(description.memory)))
        let guest = try Guest(
            name: description.name, index: hypervisor.guests.count, hypervisor: hypervisor,
            memory: GuestMemory(regions: [region]), pageTable: table, harts: description.harts)
        guest.takesFaults = description.takesFaults
        guest.description = description
        return guest
    }

    /// Loads a guest anew that has asked for a reboot, into the memory that it has.
    func reload(_ guest: Guest) throws(BootFailure) {
        guest.clear()
        if let description = guest.description { try place(description, in: guest) }
    }

    private func makeTable(_ description: GuestDescription, host: UInt64) throws(BootFailure) -> GStagePageTable {
        var made: GStagePageTable?
        do throws(GStageError) {
            let table = try GStagePageTable(mode: hypervisor.mode, pages: hypervisor.pages)
            made = table
            try table.map(
                guest: description.memoryBase, host: host, size: description.memory,
                permissions: [.read, .write, .execute])
            try removeProtection(table)
            return table
        } catch {
            made?.free()
            throw BootFailure(text: "its memory cannot be mapped")
        }
    }

    /// By the argument "unprotected": gives guests what they must not have, for the tests of those that look for it. It
    /// is a page of the hypervisor's, or the memory of the guests that were loaded before, at the machine's addresses.
    private func removeProtection(_ table: GStagePageTable) throws(GStageError) {
        guard let what = hypervisor.platform.argument("unprotected") else { return }
        if what.elementsEqual("hypervisor".utf8) {
            let start = unsafe UInt64(UInt(bitPattern: hypervisor_start_address()))
            try table.map(guest: start, host: start, size: pageSize, permissions: .read)
        } else if what.elementsEqual("guests".utf8) {
            for region in hypervisor.guests.flatMap({ $0.memory.regions }) {
                let start = unsafe UInt64(UInt(bitPattern: region.bytes.baseAddress))
                try table.map(guest: start, host: start, size: region.size, permissions: [.read, .write])
            }
        }
    }

    func file(_ name: [UInt8]) throws(BootFailure) -> ImageBytes {
        guard let file = archive.file(name) else {
            throw BootFailure(text: "the bundle has no file \(text(name))")
        }
        return file
    }

    private func copy(_ image: ImageBytes, to address: UInt64, of guest: Guest, what: String) throws(BootFailure) {
        do throws(GuestMemoryError) {
            unsafe try guest.memory.write(image.bytes, at: address)
        } catch {
            throw BootFailure(
                text: "\(what) has \(image.count) bytes and does not fit into its memory at 0x\(hexadecimal(address))")
        }
    }

    private func place(_ description: GuestDescription, in guest: Guest) throws(BootFailure) {
        switch description.payload {
        case .flat(let name):
            try copy(try file(name), to: description.loadAddress, of: guest, what: text(name))
            guest.cpus[0].start(at: description.entry ?? description.loadAddress, argument: 0)
        case .linux(let name):
            try placeLinux(description, kernelName: name, in: guest)
        case nil:
            throw BootFailure(text: "there is nothing to run in it")
        }
    }

    private func placeLinux(
        _ description: GuestDescription, kernelName: [UInt8], in guest: Guest
    ) throws(BootFailure) {
        let kernel = try file(kernelName)
        let header: RISCVLinuxImage
        do throws(RISCVLinuxImageError) {
            header = try RISCVLinuxImage(kernel)
        } catch {
            throw BootFailure(text: "\(text(kernelName)) is no Linux kernel for RISC-V: its header has no magic number")
        }
        let base = description.memoryBase
        let end = base + description.memory
        let (kernelOffset, over) = header.textOffset.addingReportingOverflow(header.imageSize)
        guard !over, kernelOffset <= description.memory else {
            throw BootFailure(
                text: "\(text(kernelName)) needs \(header.imageSize >> 20) MiB, and it has \(description.memory >> 20)")
        }
        try copy(kernel, to: base + header.textOffset, of: guest, what: text(kernelName))
        // The device tree in the last 2 MiB, the initial RAM disk below it.
        let treeAddress = (end - 1) & ~((2 << 20) - 1)
        var ramDisk: (start: UInt64, end: UInt64)?
        if let name = description.initialRAMDisk {
            let image = try file(name)
            let room = treeAddress - base
            guard UInt64(image.count) <= room, (room - UInt64(image.count)) & ~(pageSize - 1) >= kernelOffset else {
                throw BootFailure(
                    text:
                        "\(text(name)) has \(image.count >> 20) MiB, which do not fit beside the kernel into \(description.memory >> 20) MiB"
                )
            }
            let start = (treeAddress - UInt64(image.count)) & ~(pageSize - 1)
            try copy(image, to: start, of: guest, what: text(name))
            ramDisk = (start, start + UInt64(image.count))
        }
        let tree = GuestDeviceTree(
            memory: (base, description.memory), harts: description.harts,
            isa: GuestISA.extensions(host: hypervisor.platform.isa, hasSstc: hypervisor.hasSstc),
            timebaseFrequency: hypervisor.platform.timebaseFrequency, commandLine: description.commandLine,
            ramDisk: ramDisk, virtioSlots: guest.virtio.count)
        do throws(GuestMemoryError) {
            try guest.memory.write(tree.bytes(), at: treeAddress)
        } catch {
            throw BootFailure(text: "its memory is too small for the device tree")
        }
        guest.cpus[0].start(at: base + header.textOffset, argument: treeAddress)
    }
}

/// Bytes of a bundle as text: what is not ASCII is shown as a question mark.
func text(_ bytes: [UInt8]) -> String {
    var text = ""
    for byte in bytes {
        text.unicodeScalars.append(UnicodeScalar((32..<127).contains(byte) ? byte : UInt8(ascii: "?")))
    }
    return text
}
