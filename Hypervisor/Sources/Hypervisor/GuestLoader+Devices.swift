import Boot
import Devices
import Virtio

extension GuestLoader {
    /// Gives a guest its virtio devices: the disks first; a Linux guest then gets the console, and a source of entropy if
    /// the machine has one. A flat image, which no device tree tells of them, has what its manifest names.
    func attachDevices(_ description: GuestDescription, to guest: Guest) throws(BootFailure) {
        for (number, disk) in description.disks.enumerated() {
            let backend = try backend(of: disk)
            let identifier = [UInt8]("mini-kvm-disk-".utf8) + [UInt8(ascii: "0") + UInt8(number)]
            guest.add(BlockDevice(backend: backend, identifier: identifier))
        }
        var isLinux = false
        if case .linux = description.payload { isLinux = true }
        if isLinux { guest.finisher = TestFinisher(board: guest) }
        if isLinux || description.console == .virtio {
            let console = ConsoleDevice(port: GuestConsole(guest: guest))
            guest.add(console)
            if description.console == .virtio { guest.input = console }
        }
        if isLinux, let entropy = hypervisor.devices.entropy { guest.add(EntropyDevice(source: entropy)) }
    }

    private func backend(of disk: DiskDescription) throws(BootFailure) -> any BlockBackend {
        switch disk.contents {
        case .image(let name):
            let image = try file(name)
            guard let store = RAMDisk(copyOf: image, isReadOnly: disk.isReadOnly, pages: hypervisor.pages) else {
                throw BootFailure(text: "there is no memory for its disk \(text(name)), \(image.count) bytes")
            }
            return StoreBackend(store)
        case .host(let number):
            let disks = hypervisor.devices.disks
            guard number < disks.count else {
                throw BootFailure(
                    text: "its disk host:\(number) is not there: the machine has \(disks.count) that can be used")
            }
            guard let backend = HostDiskBackend(disks[number], isReadOnly: disk.isReadOnly) else {
                throw BootFailure(
                    text: "its disk host:\(number) is another guest's, and one of the two would write to it")
            }
            return backend
        }
    }
}
