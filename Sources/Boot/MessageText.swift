/// An address or a register's value as the manuals print it.
func hexadecimal(_ value: UInt64) -> String { "0x" + String(value, radix: 16, uppercase: true) }

/// A size for people: in the largest of GiB, MiB, KiB and bytes that divides it, or rounded up to MiB or KiB.
func bytes(_ size: UInt64) -> String {
    let kibibyte: UInt64 = 1 << 10
    let mebibyte: UInt64 = 1 << 20
    if size > 0, size % (1 << 30) == 0 { return "\(size >> 30) GiB" }
    if size >= mebibyte { return "\(size / mebibyte + (size % mebibyte == 0 ? 0 : 1)) MiB" }
    if size >= kibibyte { return "\(size / kibibyte + (size % kibibyte == 0 ? 0 : 1)) KiB" }
    return size == 1 ? "1 byte" : "\(size) bytes"
}

/// What a file seems to be, as a sentence; nil when its first bytes tell nothing.
func guessedFormat(_ image: ImageBytes) -> String? {
    if image.has([0x7F, 0x45, 0x4C, 0x46]) { return "it is an ELF file" }
    if image.has([0x48, 0x64, 0x72, 0x53], at: 0x202) { return "it is a Linux bzImage" }
    if let format = CompressedKernel.Format(magicOf: image) { return "it is \(format.name)-compressed data" }
    if image.has([0x30, 0x37, 0x30, 0x37, 0x30]) { return "it is a cpio archive, as an initrd is" }
    if image.has([0x55, 0xAA], at: 510) { return "it has a boot sector's signature" }
    return nil
}
