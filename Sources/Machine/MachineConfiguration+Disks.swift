public import Devices
internal import Host

extension MachineConfiguration {
    /// Opens and locks the images of all disks.
    /// - Returns: what the drives keep their sectors in, for ``MachineEnvironment/disks``.
    public func openDisks() throws(MachineError) -> [any BlockStore] {
        try refuseSharedDisks()
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

    /// Two drives with one image: a system that caches what it reads of one would not see what it writes to the other.
    private func refuseSharedDisks() throws(MachineError) {
        var seen: [FileIdentity: Disk] = [:]
        for disk in disks where disk.contents == nil {
            guard let identity = FileIdentity(path: disk.path) else { continue }
            if let other = seen[identity], other.access == .readWrite || disk.access == .readWrite {
                throw .configuration(
                    ConfigurationError(
                        description:
                            "disk '\(disk.path)' is the same file as disk '\(other.path)' of this machine, and the "
                            + "guest could write it; add ,ro or ,snapshot to both"))
            }
            seen[identity] = disk
        }
    }
}
