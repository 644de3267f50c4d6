// swift-tools-version: 6.2
import PackageDescription

/// `make explore` sets SWBPF_EXPLORE=1: the steps of the lockless algorithms have a scheduler then.
let explores = Context.environment["SWBPF_EXPLORE"] == "1"
let exploring: [SwiftSetting] = explores ? [.define("SWBPF_EXPLORE")] : []

/// Settings of every Swift target that is no test.
let strict: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableExperimentalFeature("Lifetimes"),
  ] + exploring

/// Settings of tests: warnings are errors there too.
let testing: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableExperimentalFeature("Lifetimes"),
]

/// Settings of every C target.
let strictC: [CSetting] = [
  .define("_GNU_SOURCE"),
  .enableWarning("all"),
  .enableWarning("extra"),
  .treatAllWarnings(as: .error),
]

/// One layer: `Sources/NAME`, module `SwBPFNAME`.
func layer(_ name: String, imports dependencies: [Target.Dependency]) -> Target {
  .target(
    name: "SwBPF" + name, dependencies: dependencies, path: "Sources/" + name,
    swiftSettings: strict)
}

func tests(_ name: String, of dependencies: [Target.Dependency], without exclude: [String] = []) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: dependencies + ["TestSupport"], path: "Tests/\(name)Tests",
    exclude: exclude, swiftSettings: testing)
}

var targets: [Target] = [
  .target(
    name: "CPcapShim", path: "CPcapShim", cSettings: strictC,
    linkerSettings: [.linkedLibrary("pcap")]),
  layer("Packets", imports: []),
  .target(name: "CKern", path: "Sources/CKern", cSettings: strictC),
  layer("Kern", imports: ["CKern"]),
  layer("FilterMachine", imports: ["SwBPFPackets", "SwBPFKern"]),
  layer("BPF", imports: ["SwBPFPackets", "SwBPFKern", "SwBPFFilterMachine"]),
  layer("LiveCapture", imports: ["SwBPFBPF", "CPcapShim"]),
  layer("Tunnels", imports: ["SwBPFBPF", "SwBPFInterfaces", "SwBPFESP", "SwBPFPFKey", "CPcapShim"]),
  layer("CaptureFile", imports: ["SwBPFPackets", "CPcapShim"]),
  layer("PacketText", imports: ["SwBPFPackets"]),
  layer("PFKey", imports: ["SwBPFPackets", "SwBPFKern"]),
  .target(
    name: "CCrypto", path: "Sources/CCrypto", cSettings: strictC, linkerSettings: [.linkedLibrary("crypto")]),
  layer("ESP", imports: ["SwBPFPFKey", "SwBPFPackets", "SwBPFKern", "CCrypto"]),
  layer("Interfaces", imports: ["SwBPFPackets"]),
  layer(
    "Daemon",
    imports: [
      "SwBPFDaemonClient", "SwBPFInterfaces", "SwBPFTunnels", "SwBPFLiveCapture", "SwBPFPFKey", "SwBPFKern",
      "CPcapShim",
      .product(name: "Logging", package: "swift-log"),
    ]),
  layer("DaemonClient", imports: ["SwBPFInterfaces", "SwBPFBPF", "SwBPFKern", "CPcapShim"]),
  .target(
    name: "SwBPF",
    dependencies: ["SwBPFLiveCapture", "SwBPFCaptureFile", "SwBPFPacketText", "SwBPFDaemonClient"],
    path: "Sources/SwBPF", swiftSettings: strict),
  .target(
    name: "CSwBPF", dependencies: ["SwBPFLiveCapture"], path: "Sources/CSwBPF",
    exclude: ["include", "libswbpf.map", "swbpf.pc.in"], swiftSettings: strict),
  layer("Stress", imports: ["SwBPFLiveCapture", "CPcapShim"]),
  layer(
    "Commands",
    imports: [
      "SwBPF", "SwBPFStress", "SwBPFCaptureFile", "SwBPFPacketText", "SwBPFPFKey", "SwBPFInterfaces", "SwBPFDaemon",
      "SwBPFDaemonClient", "SwBPFKern", "CPcapShim",
      .product(name: "ArgumentParser", package: "swift-argument-parser"),
    ]),
  .executableTarget(
    name: "swbpf", dependencies: ["SwBPFCommands"], path: "Sources/Main", swiftSettings: strict),
  .target(
    name: "TestSupport", dependencies: ["CPcapShim"], path: "Tests/TestSupport",
    swiftSettings: testing),
  .target(
    name: "RequestModel", dependencies: ["SwBPFBPF", "SwBPFFilterMachine", "SwBPFDaemonClient"],
    path: "Tests/RequestModel",
    swiftSettings: testing),
  .target(
    name: "PFKeyModel", dependencies: ["SwBPFPFKey", "SwBPFPackets", "SwBPFKern"], path: "Tests/PFKeyModel",
    swiftSettings: testing),
  tests("TestSupport", of: []),
  tests("RequestModel", of: ["RequestModel"]),
  tests("Packets", of: ["SwBPFPackets"]),
  tests("Kern", of: ["SwBPFKern"]),
  // `make test-arm64` sets SWBPF_ARM64=1.
  tests(
    "FilterMachine", of: ["SwBPFFilterMachine", "CPcapShim"],
    without: Context.environment["SWBPF_ARM64"] == "1" ? ["Arm64/runner.c"] : ["Arm64"]),
  tests("BPF", of: ["SwBPFBPF"]),
  tests("LiveCapture", of: ["SwBPFLiveCapture"]),
  tests("Tunnels", of: ["SwBPFTunnels", "SwBPFLiveCapture", "SwBPFPFKey", "SwBPFESP"]),
  tests("CaptureFile", of: ["SwBPFCaptureFile"]),
  tests("PacketText", of: ["SwBPFPacketText", "SwBPFCaptureFile"], without: ["Corpus"]),
  tests("PFKey", of: ["SwBPFPFKey", "SwBPFPackets", "SwBPFKern", "PFKeyModel"]),
  tests("ESP", of: ["SwBPFESP", "SwBPFPFKey", "SwBPFKern", "CCrypto"]),
  tests("Interfaces", of: ["SwBPFInterfaces"]),
  tests("Daemon", of: ["SwBPFDaemon", "SwBPFDaemonClient", "RequestModel", "CPcapShim"]),
  tests("DaemonClient", of: ["SwBPFDaemonClient", "CPcapShim"]),
  tests("SwBPF", of: ["SwBPF"]),
  tests("CInterface", of: []),
  tests("Stress", of: ["SwBPFStress"]),
  tests(
    "Commands",
    of: ["SwBPFCommands", "SwBPFDaemon", "RequestModel", "CPcapShim", .product(name: "Logging", package: "swift-log")],
    without: ["Expressions"]),
]

// Fuzz targets have no main function of their own, so they are built only when asked for
// (`make fuzz` sets SWBPF_FUZZ=1 and `--sanitize=fuzzer`).
if Context.environment["SWBPF_FUZZ"] == "1" {
  for (name, imports) in [
    ("FuzzSavefile", ["SwBPFCaptureFile", "SwBPFPacketText", "CPcapShim"]),
    ("FuzzText", ["SwBPFPacketText"]),
    ("FuzzFilter", ["SwBPFFilterMachine", "CPcapShim"]),
    ("FuzzRequests", ["RequestModel"]),
    ("FuzzNative", ["SwBPFFilterMachine"]),
    ("FuzzTunnel", ["SwBPFTunnels"]),
    ("FuzzNATT", ["SwBPFTunnels"]),
    ("FuzzL2TP", ["SwBPFTunnels", "SwBPFInterfaces"]),
    ("FuzzPFKey", ["SwBPFPFKey"]),
    ("FuzzESP", ["SwBPFESP"]),
    ("FuzzKeyDatabase", ["PFKeyModel"]),
    ("FuzzSetkey", ["SwBPFPFKey"]),
    ("FuzzDaemon", ["SwBPFDaemon", "SwBPFDaemonClient", "SwBPFInterfaces"]),
    ("FuzzConfig", ["SwBPFDaemon"]),
    ("FuzzInterfaces", ["SwBPFInterfaces"]),
  ] as [(String, [Target.Dependency])] {
    targets.append(
      .executableTarget(
        name: name, dependencies: imports, path: "Fuzz/" + name,
        swiftSettings: testing + [.unsafeFlags(["-parse-as-library", "-sanitize=fuzzer"])],
        linkerSettings: [.unsafeFlags(["-sanitize=fuzzer"])]))
  }
}

// Benchmarks that need our modules; `Benchmarks/run` sets SWBPF_BENCH=1.
if Context.environment["SWBPF_BENCH"] == "1" {
  targets.append(
    .executableTarget(
      name: "DeviceBench", dependencies: ["SwBPFLiveCapture"], path: "Benchmarks/Device", swiftSettings: testing))
  targets.append(
    .executableTarget(
      name: "RingBench", dependencies: ["SwBPFLiveCapture", "CPcapShim"], path: "Benchmarks/Ring",
      swiftSettings: testing + [.unsafeFlags(["-parse-as-library"])]))
  targets.append(
    .executableTarget(
      name: "StressBench", dependencies: ["SwBPFStress", "CPcapShim"], path: "Benchmarks/Stress", swiftSettings: testing
    ))
  targets.append(
    .executableTarget(
      name: "FilterBench", dependencies: ["SwBPFFilterMachine", "CPcapShim"], path: "Benchmarks/Filter",
      swiftSettings: testing + [.unsafeFlags(["-parse-as-library"])]))
  targets.append(
    .executableTarget(
      name: "KernBench", dependencies: ["SwBPFKern", "SwBPFTunnels", "SwBPFPackets", "SwBPFPFKey"],
      path: "Benchmarks/Kern",
      swiftSettings: testing + [.unsafeFlags(["-parse-as-library"])]))
  targets.append(
    .executableTarget(
      name: "ESPBench", dependencies: ["SwBPFESP"], path: "Benchmarks/ESP",
      swiftSettings: testing + [.unsafeFlags(["-parse-as-library"])]))
  targets.append(
    .executableTarget(
      name: "InstructionBench",
      dependencies: [
        "SwBPFLiveCapture", "SwBPFCaptureFile", "SwBPFPacketText", "SwBPFTunnels", "SwBPFESP", "CPcapShim",
      ],
      path: "Benchmarks/Instructions", swiftSettings: testing + [.unsafeFlags(["-parse-as-library"])]))
  targets.append(
    .executableTarget(
      name: "GifEnd", dependencies: ["SwBPFTunnels", "SwBPFPFKey"], path: "Benchmarks/Gif",
      swiftSettings: testing + [.unsafeFlags(["-parse-as-library"])]))
}

var products: [Product] = [
  .library(name: "SwBPF", targets: ["SwBPF"]),
  .executable(name: "swbpf", targets: ["swbpf"]),
]
var dependencies: [Package.Dependency] = [
  .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
  .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
]

// The shared library for C programs is a build of its own (`make library` sets SWBPF_LIBRARY=1): without the command, so
// nothing is fetched for it.
if Context.environment["SWBPF_LIBRARY"] == "1" {
  let needed = [
    "CSwBPF", "SwBPFLiveCapture", "CPcapShim", "SwBPFBPF", "SwBPFFilterMachine", "SwBPFKern", "CKern", "SwBPFPackets",
  ]
  targets.removeAll { !needed.contains($0.name) }
  products = [.library(name: "SwBPFDevice", type: .dynamic, targets: ["CSwBPF"])]
  dependencies = []
}

// Explorations are a build of their own too, of the layers that they run.
if explores {
  let needed = ["SwBPFBPF", "SwBPFFilterMachine", "SwBPFKern", "CKern", "SwBPFPackets"]
  targets.removeAll { !needed.contains($0.name) }
  targets.append(
    .testTarget(
      name: "ExploreTests", dependencies: ["SwBPFBPF"], path: "Tests/ExploreTests", swiftSettings: testing))
  products = []
  dependencies = []
}

let package = Package(name: "swbpf", products: products, dependencies: dependencies, targets: targets)
