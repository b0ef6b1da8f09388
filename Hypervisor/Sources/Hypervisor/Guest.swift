import Architecture
import Boot
import Devices
import Firmware
import GuestMemory
import RISCV
import Virtio

/// Addresses of a guest's board: those of QEMU's "virt", which every teaching kernel knows.
enum GuestLayout {
    static let plic: UInt64 = 0x0C00_0000
    static let uart: UInt64 = 0x1000_0000
    static let uartSize: UInt64 = 0x100
    static let uartSource = 10
    static let finisher: UInt64 = 0x10_0000
    /// As many as there are devices: a kernel asks three things of each when it starts.
    static let plicSources = max(uartSource, virtioSource + virtioSlots - 1)
}

/// A virtual machine.
final class Guest {
    let name: [UInt8]
    /// Its place in the list of guests.
    let index: Int
    let hypervisor: Hypervisor
    let memory: GuestMemory
    let pageTable: GStagePageTable
    let vmid: UInt64
    private(set) var cpus: [VirtualCPU] = []
    /// What is added to `time` for the guest: its own begins at 0.
    let timeDelta: UInt64
    /// What it is loaded from, at first and when it reboots.
    var description: GuestDescription?
    /// It has asked to be started anew, and its virtual harts leave their harts.
    var isRestarting = false
    /// Whether an access where it has nothing comes back to it as an access fault; else it is its end.
    var takesFaults = false
    private(set) var plic: PLIC!
    private(set) var uart: UART16550!
    /// Of guests that run Linux: others may have memory there.
    var finisher: TestFinisher?
    /// The virtio devices, each in the slot of its number.
    var virtio: [MMIOTransport] = []
    /// The virtio console, if what is typed goes there and not to the UART.
    var input: ConsoleDevice?
    /// Why it has ended; nil while it runs.
    var ended: GuestEnd?

    init(
        name: [UInt8], index: Int, hypervisor: Hypervisor, memory: GuestMemory, pageTable: GStagePageTable,
        harts: Int
    ) throws(BootFailure) {
        self.name = name
        self.index = index
        self.hypervisor = hypervisor
        self.memory = memory
        self.pageTable = pageTable
        // VMID 0 is for none. hgatp may keep fewer bits than this takes: HartLoop fences then at every switch.
        vmid = UInt64(index + 1)
        timeDelta = 0 &- read_time()
        for id in 0..<harts {
            guard let page = hypervisor.pages.allocatePages(1, alignment: pageSize),
                let cpu = VirtualCPU(id: id, guest: self, page: page)
            else {
                throw BootFailure(text: "there is no memory left for a virtual hart")
            }
            cpus.append(cpu)
        }
        makeDevices()
    }

    /// Its devices, as after power-on.
    private func makeDevices() {
        let lines = cpus.map { VirtualInterruptLine(cpu: $0, interrupt: .external) as any InterruptLine }
        plic = PLIC(sources: GuestLayout.plicSources, contexts: lines)
        uart = UART16550(
            port: GuestConsole(guest: self),
            interrupt: PLICSource(plic: plic, source: GuestLayout.uartSource))
    }

    var hgatp: UInt64 { pageTable.mode.hgatp(root: pageTable.root, vmid: vmid) }

    /// The device at a guest-physical address, with the address's offset in it.
    func device(at address: UInt64, width: Int) -> (device: any Device, offset: UInt64)? {
        if address >= GuestLayout.plic, address - GuestLayout.plic <= PLIC.size - UInt64(width) {
            return (plic, address - GuestLayout.plic)
        }
        if address >= GuestLayout.uart, address - GuestLayout.uart <= GuestLayout.uartSize - UInt64(width) {
            return (uart, address - GuestLayout.uart)
        }
        if let finisher, address >= GuestLayout.finisher,
            address - GuestLayout.finisher <= TestFinisher.size - UInt64(width)
        {
            return (finisher, address - GuestLayout.finisher)
        }
        if let device = virtioDevice(at: address) {
            let offset = (address - GuestLayout.virtio) % MMIOTransport.size
            return offset <= MMIOTransport.size - UInt64(width) ? (device, offset) : nil
        }
        return nil
    }

    /// Makes all as it was before it was loaded: memory, devices, what was typed.
    func clear() {
        for region in memory.regions { unsafe region.bytes.initializeMemory(as: UInt8.self, repeating: 0) }
        typed = []
        makeDevices()
        isRestarting = false
    }

    /// Takes its memory from the virtio devices, once no hart runs it any more: else a console would keep for ever the
    /// room that it was given for what will be typed.
    /// - Returns: whether nobody works on the memory now. A disk of the machine's may for a while.
    func comesToRest() -> Bool {
        guard cpus.allSatisfy({ $0.runningOn == nil }) else { return false }
        for device in virtio { device.reset() }
        return virtio.allSatisfy { $0.inFlight == 0 }
    }

    /// Gives its memory and its disks back, once it has ended, no hart runs it any more, and no disk of the machine's
    /// reads or writes it. The models of its board stay: they take little.
    func freeMemory() {
        guard ended != nil, !memoryIsFree, comesToRest() else { return }
        memoryIsFree = true
        // With the devices their disks go: memory, or what has been taken of the machine's.
        virtio = []
        input = nil
        pageTable.free()
        for region in memory.regions {
            hypervisor.pages.freePages(
                at: unsafe UInt64(UInt(bitPattern: region.bytes.baseAddress)), count: Int(region.size / pageSize))
        }
    }

    /// Whether the memory has been given back.
    private(set) var memoryIsFree = false

    /// What has been typed and not been read, where the guest takes it by the SBI instead of the UART.
    var typed: [UInt8] = []

    /// A character that was typed for this guest.
    func type(_ byte: UInt8) {
        guard typed.count < 4096 else { return }
        typed.append(byte)
        feed()
    }

    /// Gives the UART, or the virtio console, what it takes.
    func feed() {
        if let input {
            while !typed.isEmpty {
                let taken = input.receive(typed.span)
                guard taken > 0 else { return }
                typed.removeFirst(taken)
            }
            return
        }
        while !typed.isEmpty, uart.receiveCapacity > 0 {
            let taken = uart.receive(typed.span)
            guard taken > 0 else { return }
            typed.removeFirst(taken)
        }
    }
}

/// Where a guest's characters go.
final class GuestConsole: CharacterPort {
    private let guest: Guest

    init(guest: Guest) { self.guest = guest }

    func transmit(_ byte: UInt8) { guest.hypervisor.consoles.write(byte, from: guest) }
}

/// Why a guest has ended.
enum GuestEnd {
    case poweredOff
    /// With a status that is another than 0, where the guest has told one.
    case failed(status: UInt8 = 0)
}
