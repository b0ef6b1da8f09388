import SBI

/// A guest in Swift: the primes below 50, told through the hypervisor.
@c(guest_main) func guestMain() {
    say("Hello from a guest in Swift:")
    for number in 2..<50 where isPrime(number) {
        say(" ")
        if number >= 10 { sbi_putchar(digit(number / 10)) }
        sbi_putchar(digit(number % 10))
    }
    say("\n")
}

private func isPrime(_ number: Int) -> Bool {
    var divisor = 2
    while divisor * divisor <= number {
        if number % divisor == 0 { return false }
        divisor += 1
    }
    return true
}

private func digit(_ value: Int) -> UInt8 { UInt8(ascii: "0") + UInt8(value) }

private func say(_ text: StaticString) {
    for index in 0..<text.utf8CodeUnitCount { unsafe sbi_putchar(text.utf8Start[index]) }
}
