import SwBPFBPF
import SwBPFInterfaces
import SwBPFKern
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// A host with an engine of its own.
final class TunnelHost: Sendable {
  let host: Host
  let engine: TunnelEngine
  let taps: BPF.InterfaceTable
  let log = Log()

  /// What an engine says.
  final class Log: @unchecked Sendable {
    private let lock = Lock(rank: .leaf)
    private var entries: [String] = []

    var lines: [String] { lock.withLock { entries } }
    func add(_ line: String) { lock.withLock { entries.append(line) } }
  }

  /// - Parameter change: of what the engine is made with.
  init(_ host: Host, queues: Int = 2, _ change: (inout TunnelEngine.Options) -> Void = { _ in }) throws {
    self.host = host
    let taps = BPF.InterfaceTable()
    let log = log
    engine = try host.inside { () throws(InterfaceFailure) in
      var options = TunnelEngine.Options()
      options.queues = queues
      options.taps = taps
      options.onLog = { log.add($1) }
      change(&options)
      return try TunnelEngine(options)
    }
    self.taps = taps
  }

  deinit { engine.shutdown() }

  func create(_ name: String) throws { try host.inside { () throws(InterfaceFailure) in try engine.create(name) } }
  func destroy(_ name: String) throws { try host.inside { () throws(InterfaceFailure) in try engine.destroy(name) } }

  func perform(_ name: String, _ operations: InterfaceOperation...) throws {
    for operation in operations {
      try host.inside { () throws(InterfaceFailure) in try engine.perform(operation, on: name) }
    }
  }

  func status(_ name: String) throws -> InterfaceStatus { try engine.status(of: name) }

  /// The errno and the request of a refusal; nil when there was none.
  func refusal(_ body: () throws -> Void) -> String? {
    do {
      try body()
      return nil
    } catch let failure as InterfaceFailure {
      return "\(failure.request): \(failure.errno)"
    } catch {
      return "\(error)"
    }
  }

  /// Whether an address answers.
  func pings(_ address: String, from source: String? = nil, wait: Double = 3, once: Bool = false) throws -> Bool {
    try Ping.isAnswered(in: host, address, from: source, wait: wait, once: once)
  }

  /// A descriptor that reads an interface of the engine at once.
  func reader(_ name: String) throws -> BPF.Descriptor {
    let descriptor = try BPF.Descriptor()
    descriptor.setImmediate(true)
    try descriptor.attach(to: try #require(taps.interface(named: name)))
    return descriptor
  }
}

extension BPF.Descriptor {
  /// Reads until so many frames came that a test asks for or the seconds are over, then what else is there. Words of the system's own
  /// (neighbours, routers, listeners) are left out.
  func frames(_ count: Int, within seconds: Double = 5, where isMeant: ([UInt8]) -> Bool = { _ in true }) throws
    -> [[UInt8]]
  {
    var frames: [[UInt8]] = []
    var isLast = false
    let deadline = Clock.monotonic() + Int64(seconds * 1e9)
    while true {
      if frames.count >= count || Clock.monotonic() > deadline {
        if isLast { return frames }
        isLast = true
      }
      guard let slot = try nextSlot(timeout: .milliseconds(30)) else { continue }
      // swift-format-ignore: ReplaceForEachWithForLoop
      slot.eachRecord { record in
        let frame = record.frame.withUnsafeBytes { Array($0) }
        if !Self.isChatter(frame), isMeant(frame) { frames.append(frame) }
      }
    }
  }

  private static func isChatter(_ frame: [UInt8]) -> Bool {
    guard frame.count >= 48, frame[4] >> 4 == 6 else { return false }
    // To a multicast address, or from an address of the link.
    return frame[28] == 0xff || frame[12] == 0xfe
  }
}

extension InterfaceOperation {
  static func tunnel(_ source: String, _ destination: String) throws -> InterfaceOperation {
    let source = Endpoint(try #require(IPAddress(source)))
    let destination = Endpoint(try #require(IPAddress(destination)))
    return .tunnel(try #require(TunnelEnds(source: source, destination: destination)))
  }

  static func address(_ address: String, _ prefix: UInt8, to destination: String? = nil) throws -> InterfaceOperation {
    let other = try destination.map { try #require(IPAddress($0)) }
    let value = InterfaceAddress(try #require(IPAddress(address)), prefix: prefix, destination: other)
    return .addAddress(try #require(value), replaces: false)
  }
}

/// Two routers with a cable between them, each with a LAN address of its own and a gif to the other. (net_common.sh)
struct GifHosts {
  let near: TunnelHost
  let far: TunnelHost
  let wan: (LinkEnd, LinkEnd)
  let outerIsIPv6: Bool

  static let lan4 = ("192.168.1.1", "192.168.2.1")
  static let lan6 = ("fc00:1::1", "fc00:2::1")
  static let inner4 = ("172.16.1.1", "172.16.2.1")
  static let inner6 = ("fc00:3::1", "fc00:4::1")

  /// Nothing but the cable and the LAN addresses.
  init(outerIsIPv6: Bool = false, queues: Int = 2) throws {
    self.outerIsIPv6 = outerIsIPv6
    let (a, b) = (try Host("near"), try Host("far"))
    wan = try Host.link(a, "wan0", b, "wan0", net: 1, ipv6: true)
    for (host, four, six) in [(a, Self.lan4.0, Self.lan6.0), (b, Self.lan4.1, Self.lan6.1)] {
      try host.ip("addr add \(four)/24 dev lo")
      try host.ip("addr add \(six)/64 dev lo nodad")
    }
    near = try TunnelHost(a, queues: queues)
    far = try TunnelHost(b, queues: queues)
  }

  var outer: (String, String) { outerIsIPv6 ? (wan.0.ipv6, wan.1.ipv6) : (wan.0.ipv4, wan.1.ipv4) }

  /// gif0 on both sides, with inner addresses of a family and routes to the other's LAN.
  func tunnel(innerIsIPv6: Bool = false) throws {
    for (host, outer, inner, lan, otherLAN) in [
      (
        near, outer, innerIsIPv6 ? Self.inner6 : Self.inner4, Self.lan4.0,
        innerIsIPv6 ? "fc00:2::/64" : "192.168.2.0/24"
      ),
      (
        far, (outer.1, outer.0), innerIsIPv6 ? (Self.inner6.1, Self.inner6.0) : (Self.inner4.1, Self.inner4.0),
        Self.lan4.1, innerIsIPv6 ? "fc00:1::/64" : "192.168.1.0/24"
      ),
    ] {
      _ = lan
      try host.create("gif0")
      try host.perform("gif0", .tunnel(outer.0, outer.1))
      try host.perform("gif0", .address(inner.0, innerIsIPv6 ? 128 : 32, to: inner.1))
      try host.host.ip("route add \(otherLAN) dev gif0")
    }
  }

  func lan(ipv6: Bool) -> (String, String) { ipv6 ? Self.lan6 : Self.lan4 }

  /// Whether a packet gets through and back, asked from both sides.
  func pings(innerIsIPv6: Bool, wait: Double = 3) throws -> [Bool] {
    let (a, b) = lan(ipv6: innerIsIPv6)
    return [try near.pings(b, from: a, wait: wait), try far.pings(a, from: b, wait: wait)]
  }
}
