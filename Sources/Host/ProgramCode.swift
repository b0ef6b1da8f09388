internal import CHost

/// The pages of this program's own code.
public enum ProgramCode {
    /// Gives them back to the host. Starting takes much code that running does not: the command line's parser, the
    /// loaders, the decompressors. What is still needed comes back from the file, a page fault for each few pages.
    ///
    /// A debugger's breakpoints are lost with the pages that they were written into, until it sets them again.
    public static func release() { chost_release_code() }
}
