extension MachineConfiguration {
    /// A file that a machine is made of.
    public struct InputFile: Equatable, Sendable {
        /// What it is to the machine: "kernel", "disk".
        public let purpose: String
        /// Its path.
        public let path: String
    }

    /// The files that a machine is made of, which nothing else may be written to.
    public var inputFiles: [InputFile] {
        var files = disks.filter { $0.contents == nil }.map { InputFile(purpose: "disk", path: $0.path) }
        func add(_ purpose: String, _ path: String?) {
            if let path { files.append(InputFile(purpose: purpose, path: path)) }
        }
        switch guest {
        case .program, .disk: break
        case .flat(let path, _, _): add("flat binary", path)
        case .bootSector(let path): add("boot sector", path)
        case .linux(let kernel, let initrd, _, _):
            add("kernel", kernel)
            add("initrd", initrd)
        }
        add("firmware", firmware?.path)
        add("video BIOS", firmware?.videoBIOS)
        return files
    }
}
