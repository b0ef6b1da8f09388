// swift-tools-version: 6.2
import PackageDescription

/// As in the package above, and with each use of a raw pointer marked.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
]

// What makes the code Embedded Swift for a bare RISC-V machine stands in toolset.json: scripts/riscv builds with it.
// The folders under Shared are links to the modules above that know no host; minikvm compiles the same files.
let package = Package(
    name: "Hypervisor",
    targets: [
        .target(name: "GuestMemory", path: "Shared/GuestMemory", swiftSettings: settings),
        .target(name: "Devices", dependencies: ["GuestMemory"], path: "Shared/Devices", swiftSettings: settings),
        .target(name: "Firmware", dependencies: ["GuestMemory"], path: "Shared/Firmware", swiftSettings: settings),
        .target(
            name: "Boot", dependencies: ["GuestMemory", "Firmware"], path: "Shared/Boot", swiftSettings: settings),
        .target(
            name: "Virtio", dependencies: ["GuestMemory", "Devices"], path: "Shared/Virtio", swiftSettings: settings),
        .target(
            name: "RISCV", dependencies: ["GuestMemory", "Devices"], path: "Shared/RISCV", swiftSettings: settings),
        .target(name: "Architecture"),
        .executableTarget(
            name: "Hypervisor",
            dependencies: ["Architecture", "RISCV", "Virtio", "Boot", "Firmware", "Devices", "GuestMemory"],
            swiftSettings: settings),
    ]
)
