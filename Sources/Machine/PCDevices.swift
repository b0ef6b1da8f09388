internal import Devices
internal import Firmware

/// What a PC has besides the devices that every board has.
enum PCDevices {
    /// Puts them at their ports and addresses.
    static func attach(
        ports: inout Bus, memoryBus: inout Bus, configuration: MachineConfiguration, kernel: KernelObjects
    ) {
    }
}
