// swift-tools-version: 6.2
import PackageDescription

/// The fuzzers: one executable each, from the folder of the same name in Targets/, with the modules it is for.
/// scripts/fuzz runs every folder there is.
let fuzzers: [(name: String, modules: [String])] = [
    ("FuzzUART", ["Devices"]),
    ("FuzzDevices", ["Devices"]),
    ("FuzzATA", ["Devices"]),
    ("FuzzVirtio", ["Virtio", "Devices", "GuestMemory"]),
    ("FuzzPC", ["Devices", "Firmware", "GuestMemory"]),
    ("FuzzLinuxImage", ["Boot", "Firmware", "GuestMemory"]),
    ("FuzzELF", ["Boot", "Firmware", "GuestMemory"]),
    ("FuzzCommand", ["Commands"]),
    ("FuzzBundle", ["Boot", "Firmware"]),
    ("FuzzRISCV", ["Devices", "RISCV"]),
]

let everywhere: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
]

let package = Package(
    name: "mini-kvm-fuzz",
    // The name, so that it does not matter what the folder of a clone is called.
    dependencies: [.package(name: "mini-kvm", path: "..")],
    targets: [
        // Input as numbers, and what checks.
        .target(
            name: "FuzzInput", dependencies: [.product(name: "Devices", package: "mini-kvm")], path: "FuzzInput",
            swiftSettings: everywhere),
        // Guest RAM, for what loads into it.
        .target(
            name: "FuzzRAM",
            dependencies: ["Firmware", "GuestMemory"].map { .product(name: $0, package: "mini-kvm") },
            path: "FuzzRAM", swiftSettings: everywhere),
    ]
        + fuzzers.map { fuzzer in
            .executableTarget(
                name: fuzzer.name,
                dependencies: ["FuzzInput"] + (fuzzer.modules.contains("GuestMemory") ? ["FuzzRAM"] : [])
                    + fuzzer.modules.map { .product(name: $0, package: "mini-kvm") },
                path: "Targets/\(fuzzer.name)",
                // libFuzzer brings the main function.
                swiftSettings: everywhere + [.unsafeFlags(["-parse-as-library"])])
        }
)
