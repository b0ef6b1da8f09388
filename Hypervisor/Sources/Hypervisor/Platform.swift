import Architecture
import Firmware
import RISCV

/// What the machine has, as its device tree tells.
struct Platform {
    /// Memory.
    var memory: [(address: UInt64, size: UInt64)] = []
    /// Memory that belongs to the firmware.
    var reserved: [(address: UInt64, size: UInt64)] = []
    /// The hart IDs.
    var harts: [UInt64] = []
    /// How often a second `time` counts.
    var timebaseFrequency: UInt64 = 10_000_000
    /// The first hart's "riscv,isa".
    var isa: [UInt8] = []
    /// The boot bundle, QEMU's -initrd.
    var bundle: (start: UInt64, end: UInt64)?
    /// QEMU's -append.
    var arguments: [UInt8] = []
    /// The registers of all devices that the hypervisor may use.
    var devices: [(address: UInt64, size: UInt64)] = []
    /// The register that ends the machine with a status.
    var finisher: UInt64?
    /// The UART's registers and its interrupt source.
    var uart: (address: UInt64, source: UInt32)?
    /// The slots for virtio devices: their registers and interrupt sources.
    var virtio: [(address: UInt64, source: UInt32)] = []
    /// The PLIC's registers, and of each hart the context that interrupts it in S-mode.
    var plic: (address: UInt64, contexts: [(hart: UInt64, context: UInt64)])?

    /// Reads the device tree.
    /// - Throws: when it is none; what lacks in it is left at its default.
    init(_ tree: DeviceTree) throws(PlatformError) {
        for node in tree.nodes.indices {
            if let type = tree.property("device_type", of: node), type.text.isText("memory") {
                memory.append(contentsOf: tree.ranges(of: node))
            }
        }
        guard !memory.isEmpty else { throw .noMemory }
        reserved = tree.reservations.map { ($0.address, $0.size) }
        if let node = tree.child("reserved-memory") {
            for child in tree.children(of: node) { reserved.append(contentsOf: tree.ranges(of: child)) }
        }
        guard let cpus = tree.child("cpus") else { throw .noHarts }
        timebaseFrequency = tree.property("timebase-frequency", of: cpus)?.number ?? timebaseFrequency
        var controllers: [(phandle: UInt32, hart: UInt64)] = []
        for cpu in tree.children(of: cpus) where tree.nodes[cpu].baseName.isText("cpu") && tree.isEnabled(cpu) {
            guard let id = tree.property("reg", of: cpu)?.number, id < 64 else { continue }
            harts.append(id)
            if isa.isEmpty { isa = tree.property("riscv,isa", of: cpu)?.text ?? [] }
            if let controller = tree.child("interrupt-controller", of: cpu),
                let phandle = tree.property("phandle", of: controller)?.cell(0)
            {
                controllers.append((phandle, id))
            }
        }
        guard !harts.isEmpty else { throw .noHarts }
        readChosen(tree)
        readDevices(tree, controllers)
    }

    private mutating func readChosen(_ tree: DeviceTree) {
        guard let chosen = tree.child("chosen") else { return }
        arguments = tree.property("bootargs", of: chosen)?.text ?? []
        if let start = tree.property("linux,initrd-start", of: chosen)?.number,
            let end = tree.property("linux,initrd-end", of: chosen)?.number, start < end
        {
            bundle = (start, end)
        }
    }

    private mutating func readDevices(_ tree: DeviceTree, _ controllers: [(phandle: UInt32, hart: UInt64)]) {
        for node in tree.nodes(compatibleWith: "ns16550a") { devices += tree.ranges(of: node) }
        for node in tree.nodes(compatibleWith: "riscv,plic0") { devices += tree.ranges(of: node) }
        for node in tree.nodes(compatibleWith: "virtio,mmio") { devices += tree.ranges(of: node) }
        for node in tree.nodes(compatibleWith: "sifive,test0") { devices += tree.ranges(of: node) }
        finisher = tree.nodes(compatibleWith: "sifive,test0").first.flatMap { tree.ranges(of: $0).first?.address }
        for node in tree.nodes(compatibleWith: "ns16550a") where uart == nil {
            if let range = tree.ranges(of: node).first {
                uart = (range.address, tree.property("interrupts", of: node)?.cell(0) ?? 0)
            }
        }
        for node in tree.nodes(compatibleWith: "virtio,mmio") where tree.isEnabled(node) {
            if let range = tree.ranges(of: node).first,
                let source = tree.property("interrupts", of: node)?.cell(0), source > 0
            {
                virtio.append((range.address, source))
            }
        }
        for node in tree.nodes(compatibleWith: "riscv,plic0") where plic == nil {
            guard let range = tree.ranges(of: node).first,
                let extended = tree.property("interrupts-extended", of: node)
            else { continue }
            var contexts: [(hart: UInt64, context: UInt64)] = []
            var context = 0
            while let phandle = extended.cell(2 * context), let interrupt = extended.cell(2 * context + 1) {
                // 9: the supervisor external interrupt.
                if interrupt == 9, let controller = controllers.first(where: { $0.phandle == phandle }) {
                    contexts.append((controller.hart, UInt64(context)))
                }
                context += 1
            }
            plic = (range.address, contexts)
        }
    }

    /// The value of a word NAME=VALUE of the arguments.
    func argument(_ name: StaticString) -> [UInt8]? {
        for word in arguments.split(separator: UInt8(ascii: " ")) {
            let word = [UInt8](word)
            let length = name.utf8CodeUnitCount
            if word.count > length, word[length] == UInt8(ascii: "="), word.hasPrefix(name) {
                return [UInt8](word.dropFirst(length + 1))
            }
        }
        return nil
    }
}

/// What a device tree must have and this one lacks.
enum PlatformError: Error {
    case noMemory
    case noHarts

    var text: String {
        switch self {
        case .noMemory: "the firmware's device tree tells of no memory"
        case .noHarts: "the firmware's device tree tells of no harts"
        }
    }
}
