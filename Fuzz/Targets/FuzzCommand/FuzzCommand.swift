// The command line of `minikvm run`: words from the flags' own vocabulary, mixed with arbitrary ones. Parsing ends in a
// machine or in errors of one line each, none of them empty.
internal import Commands
internal import FuzzInput

private let vocabulary = [
    "--kernel", "--initrd", "--append", "--entry", "auto", "bzimage", "pvh", "--flat", "--at", "0x8000", "--mode",
    "real", "protected", "long", "--boot-sector", "--memory", "-m", "256M", "1G", "--cpus", "-c", "4", "--irqchip",
    "kernel", "none", "--no-reboot", "--verbose", "--trace", "--trace-format", "json", "--stats", "--kvm", "hello",
    "smp", "--", "=", "-", "0xC0000000", "18446744073709551615", "-1",
]

/// libFuzzer's entry point.
@c(LLVMFuzzerTestOneInput)
public func fuzzOne(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = unsafe FuzzInput(data, count)
    var words: [String] = []
    while !input.isEmpty, words.count < 24 {
        let choice = Int(input.byte())
        if choice < 3 * vocabulary.count {
            words.append(vocabulary[choice % vocabulary.count])
        } else {
            words.append(String(decoding: input.bytes(choice & 15), as: UTF8.self))
        }
    }
    for error in MiniKVM.errors(inRun: words) {
        check(!error.isEmpty, "an error has words")
    }
    return 0
}
