internal import GuestImages
internal import Machine

/// A guest that is part of the program: the lessons of the tour.
struct BuiltInGuest {
    /// As typed after `minikvm run`.
    let name: String
    /// One line.
    let summary: String
    /// The flat binary.
    let bytes: [UInt8]
    /// Guest-physical address of its first byte, which real mode enters.
    let address: UInt64
    /// How many CPUs it wants when the user does not say.
    let cpus: Int
    /// Whether it needs interrupt controllers.
    let needsInterruptController: Bool
    /// Whether it needs protected mode with paging but without long mode, which kvm-pvm lacks.
    let needs32BitPaging: Bool

    /// Whether the bytes are a disk to boot, and not a program in memory.
    let isDisk: Bool

    /// The disks of a guest that is one: its own, and one with nothing on it for the guest to write. Nothing of either
    /// outlasts the run.
    var disks: [MachineConfiguration.Disk] {
        guard isDisk else { return [] }
        return [
            MachineConfiguration.Disk(name: name, contents: bytes),
            MachineConfiguration.Disk(name: name, contents: [UInt8](repeating: 0, count: 1 << 20)),
        ]
    }

    /// All of them, in the order of the tour.
    static var all: [BuiltInGuest] {
        (0..<guest_image_count).compactMap { guest_image_at($0).map { BuiltInGuest($0.pointee) } }
    }

    /// The one of that name.
    static func named(_ name: String) -> BuiltInGuest? { all.first { $0.name == name } }

    private init(_ image: guest_image) {
        name = String(cString: image.name)
        summary = String(cString: image.summary)
        bytes = Array(UnsafeBufferPointer(start: image.bytes, count: image.end - image.bytes))
        address = UInt64(image.load_address)
        cpus = Int(image.cpus)
        let needs = guest_need(image.needs)
        needsInterruptController = needs.rawValue & GUEST_NEEDS_IRQCHIP.rawValue != 0
        isDisk = needs.rawValue & GUEST_IS_DISK.rawValue != 0
        needs32BitPaging =
            needs.rawValue & (GUEST_NEEDS_32BIT_PAGING.rawValue | GUEST_NEEDS_PAE_PAGING.rawValue) != 0
    }
}
