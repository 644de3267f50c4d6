// One end of a tunnel for the benchmarks: an engine in the network namespace that it was started in, until it is told to end.
// Usage: GifEnd OUTER-OWN OUTER-OTHER INNER-OWN INNER-OTHER MTU TUNNELS [--no-coalescing] [--l2tp|--ipsec|--ipsec-udp]
import Glibc
import SwBPFInterfaces
import SwBPFPFKey
import SwBPFPackets
import SwBPFTunnels

@main
struct GifEnd {
  static func main() {
    // Each tunnel has a descriptor for each queue.
    var limit = rlimit(rlim_cur: 65536, rlim_max: 65536)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    do {
      let engine = try start(Array(CommandLine.arguments.dropFirst()))
      print("ready")
      fflush(nil)
      var signal: CInt = 0
      sigwait(&signals, &signal)
      engine.shutdown()
    } catch {
      print(error)
      exit(1)
    }
  }

  /// The tunnel that carries the traffic is the last of those that there are; the others lead to neighbours that do not exist.
  static func start(_ words: [String]) throws -> TunnelEngine {
    guard words.count >= 6, let mtu = UInt32(words[4]), let count = Int(words[5]), 1...60000 ~= count else {
      throw Misuse()
    }
    let addresses = try words[..<4].map { word in
      guard let address = IPAddress(word) else { throw Misuse() }
      return address
    }
    var options = TunnelEngine.Options()
    options.keys = KeyEngine(now: UInt64(time(nil)))
    let engine = try TunnelEngine(options)
    if words.contains("--no-coalescing") {
      for kind in ["gif", "l2tp", "ipsecif"] { try engine.set("net.\(kind).coalesce", to: 0) }
      try engine.set("net.ipsecif.segment", to: 0)
    }
    if let way = ["--ipsec", "--ipsec-udp"].first(where: words.contains) {
      let port: UInt16 = way == "--ipsec" ? 0 : 4500
      try associate(options.keys, addresses[0], addresses[1], port)
      try addIPsec("ipsec0", engine, addresses, mtu, port)
      return engine
    }
    if words.contains("--l2tp") {
      try add("l2tp0", engine, addresses[0], addresses[1], mtu)
      try engine.perform(.session(L2TPSession(local: 7, remote: 7)), on: "l2tp0")
      guard let inner = InterfaceAddress(addresses[2], prefix: 24) else { throw Misuse() }
      try engine.perform(.addAddress(inner, replaces: false), on: "l2tp0")
      return engine
    }
    for number in 1..<max(count, 1) {
      let neighbour = IPAddress(v4: 0x0a4d_8000 + UInt32(number))
      try add("gif\(number)", engine, addresses[0], neighbour, mtu)
    }
    try add("gif0", engine, addresses[0], addresses[1], mtu)
    guard let inner = InterfaceAddress(addresses[2], prefix: 32, destination: addresses[3]) else { throw Misuse() }
    try engine.perform(.addAddress(inner, replaces: false), on: "gif0")
    return engine
  }

  private static func add(
    _ name: String, _ engine: TunnelEngine, _ source: IPAddress, _ destination: IPAddress, _ mtu: UInt32
  ) throws {
    guard let ends = TunnelEnds(source: Endpoint(source), destination: Endpoint(destination)) else { throw Misuse() }
    try engine.create(name)
    try engine.perform(.mtu(mtu), on: name)
    try engine.perform(.tunnel(ends), on: name)
    try engine.perform(.up, on: name)
  }

  /// AES-128-GCM in both directions, the same at both ends.
  /// - Parameter port: of both ends; 0 is ESP without UDP.
  private static func associate(
    _ keys: KeyEngine, _ own: IPAddress, _ other: IPAddress, _ port: UInt16
  ) throws {
    for (source, destination) in [(own, other), (other, own)] {
      let number = UInt32(destination.v4 & 0xff)
      var new = SecurityAssociation(.esp, spi: 0x1000 + number, from: source, to: destination)
      new.mode = .transport
      new.encryption = .aesGCM16
      new.encryptionKey = [UInt8](repeating: UInt8(number), count: 20)
      new.replay = 8
      if port == 0 {
        new.reqid = fixedReqid
      } else {
        new.natTraversal = NATTraversal(sourcePort: port, destinationPort: port)
      }
      let socket = keys.open()
      defer { keys.close(socket) }
      try keys.send(new.message(.add, withKeys: true) ?? [], from: socket)
    }
  }

  /// Of ipsec0's policies for IPv4.
  private static let fixedReqid: UInt16 = 8192

  private static func addIPsec(
    _ name: String, _ engine: TunnelEngine, _ addresses: [IPAddress], _ mtu: UInt32, _ port: UInt16
  ) throws {
    let ends = TunnelEnds(
      source: Endpoint(addresses[0], port: port), destination: Endpoint(addresses[1], port: port))
    guard let ends, let inner = InterfaceAddress(addresses[2], prefix: 32, destination: addresses[3]) else {
      throw Misuse()
    }
    try engine.set("net.ipsecif.use_fixed_reqid", to: 1)
    try engine.create(name)
    try engine.perform(.mtu(mtu), on: name)
    if port != 0 { try engine.perform(.link(0, true), on: name) }
    try engine.perform(.tunnel(ends), on: name)
    try engine.perform(.up, on: name)
    try engine.perform(.addAddress(inner, replaces: false), on: name)
  }

  struct Misuse: Error {}
}
