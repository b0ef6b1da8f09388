public import Devices
internal import Firmware
internal import GuestMemory
public import Host

/// What outlives a machine that the guest has reset, besides its disks: what the next one is made with
/// (``MachineEnvironment/remains``).
public struct MachineRemains: Sendable {
    /// The real-time clock and its CMOS memory, which have a battery.
    public let clock: RTC.State
    /// The guest's memory, where only the processors were reset.
    public let memory: HostMemory?

    /// The address at which a machine without firmware goes on: the warm reset vector, when the shutdown status byte says
    /// that it counts; nil when the machine boots.
    func resumeAddress(in memory: GuestMemory) -> (segment: UInt16, offset: UInt16)? {
        guard clock.shutdownStatus != nil,
            let offset = try? memory.read(UInt16.self, at: BoardLayout.warmResetVector),
            let segment = try? memory.read(UInt16.self, at: BoardLayout.warmResetVector + 2)
        else { return nil }
        return (segment, offset)
    }

    /// The memory with which a machine begins; nil for memory that is empty.
    ///
    /// Firmware gets it each time: it finds itself in it, and looks at the shutdown status byte. Without firmware, the
    /// monitor does that: what it boots is loaded anew, as by a PC's firmware, which clears memory.
    func memory(for configuration: MachineConfiguration) -> HostMemory? {
        guard configuration.board == .pc, let memory, memory.size == configuration.memoryBytes else { return nil }
        return configuration.firmware != nil || clock.shutdownStatus != nil ? memory : nil
    }
}
