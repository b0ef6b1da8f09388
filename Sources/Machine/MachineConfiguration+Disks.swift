public import Devices
internal import Host

extension MachineConfiguration {
    /// Opens and locks the images of all disks.
    /// - Returns: what the drives keep their sectors in, for ``MachineEnvironment/disks``.
    public func openDisks() throws(MachineError) -> [any BlockStore] {
        var stores: [any BlockStore] = []
        for disk in disks {
            if let contents = disk.contents {
                stores.append(MemoryDisk(contents))
                continue
            }
            let store = try MachineError.catching { () throws(HostError) -> any BlockStore in
                let image = try DiskImage(path: disk.path, isReadOnly: disk.access != .readWrite)
                return disk.access == .snapshot ? try SnapshotDisk(over: image) : image
            }
            stores.append(store)
        }
        return stores
    }
}
