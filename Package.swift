// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target: the upcoming language features the project writes for, and no warnings.
let everywhere: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// Settings of the modules that know no host: these are also compiled into the RISC-V hypervisor,
/// so each use of a raw pointer is marked `unsafe` and each one is looked at.
let hostFree: [SwiftSetting] = everywhere + [.strictMemorySafety()]

let package = Package(
    name: "mini-kvm",
    products: [
        .executable(name: "minikvm", targets: ["minikvm"]),
        .library(name: "KVM", targets: ["KVM"]),
        .library(name: "GuestMemory", targets: ["GuestMemory"]),
        .library(name: "Devices", targets: ["Devices"]),
        .library(name: "Firmware", targets: ["Firmware"]),
        .library(name: "Boot", targets: ["Boot"]),
        .library(name: "Virtio", targets: ["Virtio"]),
        .library(name: "RISCV", targets: ["RISCV"]),
        .library(name: "Machine", targets: ["Machine"]),
        .library(name: "Monitor", targets: ["Monitor"]),
        .library(name: "Commands", targets: ["Commands"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        // The KVM API.
        .target(name: "CKVM"),
        .target(name: "KVM", dependencies: ["CKVM"], swiftSettings: everywhere),
        // The module as others may use it, built and run by its tests.
        .executableTarget(
            name: "minimal-guest", dependencies: ["KVM"], path: "Examples/MinimalGuest", swiftSettings: everywhere),

        // Free of the host: no Glibc, no Foundation, no KVM.
        .target(name: "GuestMemory", swiftSettings: hostFree),
        .target(name: "Devices", dependencies: ["GuestMemory"], swiftSettings: hostFree),
        .target(name: "Firmware", dependencies: ["GuestMemory"], swiftSettings: hostFree),
        .target(name: "Boot", dependencies: ["GuestMemory", "Firmware"], swiftSettings: hostFree),
        .target(name: "Virtio", dependencies: ["GuestMemory", "Devices"], swiftSettings: hostFree),
        .target(name: "RISCV", dependencies: ["GuestMemory", "Devices"], swiftSettings: hostFree),

        // Decompression by the system's libraries: docs/adr/0002-libraries.md.
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CLZMA", pkgConfig: "liblzma", providers: [.apt(["liblzma-dev"])]),
        .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),

        // The host, the board, and what looks inside it.
        .target(name: "CHost"),
        .target(
            name: "Host",
            dependencies: ["CHost", "GuestMemory", "Devices", "CZlib", "CLZMA", "CLZ4", "CZstd"],
            swiftSettings: everywhere),
        .target(
            name: "Machine",
            dependencies: ["KVM", "GuestMemory", "Devices", "Firmware", "Boot", "Host"],
            swiftSettings: everywhere),
        .target(
            name: "Monitor", dependencies: ["Machine", "KVM", "GuestMemory", "Host"], swiftSettings: everywhere),

        // The built-in guests, one assembly file each, and the command line.
        .target(name: "GuestImages", path: "Guests/x86"),
        .target(
            name: "Commands",
            dependencies: [
                "Machine", "Monitor", "GuestImages", "Host", "Devices",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: everywhere),
        .executableTarget(name: "minikvm", dependencies: ["Commands"], swiftSettings: everywhere),

        // Programs that the tests run, one assembly file each, in the words of the built-in guests.
        .target(
            name: "TestGuests", path: "Tests/Guests",
            cSettings: [.headerSearchPath("../../Guests/x86"), .headerSearchPath("../../Guests/x86/include")]),

        .testTarget(name: "GuestMemoryTests", dependencies: ["GuestMemory"], swiftSettings: everywhere),
        .testTarget(name: "DevicesTests", dependencies: ["Devices", "GuestMemory"], swiftSettings: everywhere),
        .testTarget(
            name: "FirmwareTests", dependencies: ["Firmware", "GuestMemory"], swiftSettings: everywhere),
        .testTarget(
            name: "VirtioTests", dependencies: ["Virtio", "Devices", "GuestMemory"], swiftSettings: everywhere),
        .testTarget(name: "RISCVTests", dependencies: ["RISCV"], swiftSettings: everywhere),
        .testTarget(name: "BootTests", dependencies: ["Boot", "Firmware", "GuestMemory"], swiftSettings: everywhere),
        .testTarget(
            name: "HostTests", dependencies: ["Host", "CHost", "CZlib", "Devices", "GuestMemory"],
            swiftSettings: everywhere),
        .testTarget(name: "KVMTests", dependencies: ["KVM", "minimal-guest"], swiftSettings: everywhere),
        .testTarget(
            name: "MachineTests",
            dependencies: [
                "Machine", "GuestImages", "TestGuests", "KVM", "Devices", "Firmware", "GuestMemory", "Host",
            ],
            swiftSettings: everywhere),
        .testTarget(
            name: "CommandsTests",
            dependencies: [
                "Commands", "Machine", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: everywhere),
        .testTarget(
            name: "MonitorTests", dependencies: ["Monitor", "Machine", "KVM", "Host", "Devices"],
            swiftSettings: everywhere),
        // These run the program as a process; the dependency has it built before them.
        .testTarget(
            name: "IntegrationTests", dependencies: ["minikvm", "CZlib", "TestGuests"], path: "Tests/Integration",
            exclude: ["Expected"], swiftSettings: everywhere),
    ]
)
