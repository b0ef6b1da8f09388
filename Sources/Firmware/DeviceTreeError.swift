/// What is wrong with a flattened device tree.
public enum DeviceTreeError: Error, Equatable {
    /// The first four bytes are not 0xD00DFEED.
    case badMagic
    /// It is of a version that this reader does not know.
    case unknownVersion(UInt32)
    /// A part lies outside of it, or it ends in the middle of one.
    case truncated
    /// A token that is none, a node outside of the root, a node that is not ended.
    case badStructure
    /// More nodes within nodes than any real tree has.
    case tooDeep
}
