import Devices
import Firmware
import RISCV
import Virtio

/// What a guest is told of its machine (kernel documentation, Documentation/devicetree/bindings: riscv/cpus.yaml,
/// interrupt-controller/sifive,plic-1.0.0.yaml, serial/8250.yaml,
/// virtio/mmio.yaml).
struct GuestDeviceTree {
    let memory: (address: UInt64, size: UInt64)
    let harts: Int
    let isa: [String]
    let timebaseFrequency: UInt64
    let commandLine: [UInt8]
    let ramDisk: (start: UInt64, end: UInt64)?
    let virtioSlots: Int

    /// phandles: the PLIC's, and from this on those of the harts' own interrupt controllers.
    private static let plicHandle: UInt32 = 1
    private static let firstHartHandle: UInt32 = 2

    func bytes() -> [UInt8] {
        var builder = DeviceTreeBuilder()
        builder.node("") { root in
            root.property("#address-cells", cells: [2])
            root.property("#size-cells", cells: [2])
            root.property("compatible", text: "riscv-virtio")
            root.property("model", text: "mini-kvm")
            chosen(&root)
            root.node("memory@\(String(memory.address, radix: 16))") { node in
                node.property("device_type", text: "memory")
                node.property("reg", numbers: [memory.address, memory.size])
            }
            processors(&root)
            root.node("soc") { soc in
                soc.property("#address-cells", cells: [2])
                soc.property("#size-cells", cells: [2])
                soc.property("compatible", text: "simple-bus")
                soc.property("ranges")
                interruptController(&soc)
                serialPort(&soc)
                finisher(&soc)
                for slot in 0..<virtioSlots { virtioDevice(slot, &soc) }
            }
        }
        return builder.finished()
    }

    private func chosen(_ root: inout DeviceTreeBuilder) {
        root.node("chosen") { node in
            node.property("bootargs", textBytes: commandLine)
            node.property("stdout-path", text: "/soc/serial@\(String(GuestLayout.uart, radix: 16))")
            if let ramDisk {
                node.property("linux,initrd-start", numbers: [ramDisk.start])
                node.property("linux,initrd-end", numbers: [ramDisk.end])
            }
        }
    }

    private func processors(_ root: inout DeviceTreeBuilder) {
        root.node("cpus") { cpus in
            cpus.property("#address-cells", cells: [1])
            cpus.property("#size-cells", cells: [0])
            cpus.property("timebase-frequency", cells: [UInt32(truncatingIfNeeded: timebaseFrequency)])
            for hart in 0..<harts {
                cpus.node("cpu@\(String(hart, radix: 16))") { cpu in
                    cpu.property("device_type", text: "cpu")
                    cpu.property("reg", cells: [UInt32(hart)])
                    cpu.property("status", text: "okay")
                    cpu.property("compatible", text: "riscv")
                    cpu.property("riscv,isa", text: GuestISA.text(isa))
                    cpu.property("riscv,isa-base", text: "rv64i")
                    cpu.property("riscv,isa-extensions", texts: isa)
                    cpu.property("mmu-type", text: "riscv,sv57")
                    cpu.node("interrupt-controller") { controller in
                        controller.property("#interrupt-cells", cells: [1])
                        controller.property("interrupt-controller")
                        controller.property("compatible", text: "riscv,cpu-intc")
                        controller.property("phandle", cells: [Self.firstHartHandle + UInt32(hart)])
                    }
                }
            }
        }
    }

    private func interruptController(_ soc: inout DeviceTreeBuilder) {
        soc.node("plic@\(String(GuestLayout.plic, radix: 16))") { node in
            node.property("compatible", texts: ["sifive,plic-1.0.0", "riscv,plic0"])
            node.property("reg", numbers: [GuestLayout.plic, PLIC.size])
            node.property("#interrupt-cells", cells: [1])
            node.property("#address-cells", cells: [0])
            node.property("interrupt-controller")
            node.property("riscv,ndev", cells: [UInt32(GuestLayout.plicSources)])
            var contexts: [UInt32] = []
            for hart in 0..<harts { contexts += [Self.firstHartHandle + UInt32(hart), 9] }
            node.property("interrupts-extended", cells: contexts)
            node.property("phandle", cells: [Self.plicHandle])
        }
    }

    private func virtioDevice(_ slot: Int, _ soc: inout DeviceTreeBuilder) {
        let address = GuestLayout.virtioAddress(slot)
        soc.node("virtio_mmio@\(String(address, radix: 16))") { node in
            node.property("compatible", text: "virtio,mmio")
            node.property("reg", numbers: [address, MMIOTransport.size])
            node.property("interrupt-parent", cells: [Self.plicHandle])
            node.property("interrupts", cells: [UInt32(GuestLayout.virtioSource + slot)])
        }
    }

    private func finisher(_ soc: inout DeviceTreeBuilder) {
        soc.node("test@\(String(GuestLayout.finisher, radix: 16))") { node in
            node.property("compatible", texts: ["sifive,test1", "sifive,test0"])
            node.property("reg", numbers: [GuestLayout.finisher, TestFinisher.size])
        }
    }

    private func serialPort(_ soc: inout DeviceTreeBuilder) {
        soc.node("serial@\(String(GuestLayout.uart, radix: 16))") { node in
            node.property("compatible", text: "ns16550a")
            node.property("reg", numbers: [GuestLayout.uart, GuestLayout.uartSize])
            node.property("clock-frequency", cells: [3_686_400])
            node.property("interrupt-parent", cells: [Self.plicHandle])
            node.property("interrupts", cells: [UInt32(GuestLayout.uartSource)])
        }
    }
}
