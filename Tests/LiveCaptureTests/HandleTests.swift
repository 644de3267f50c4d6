import Glibc
import SwBPFBPF
import Testing

@testable import SwBPFLiveCapture
@testable import TestSupport

/// nflog stands for the devices that libpcap has beside interfaces: the one that can be had in a namespace.
@Suite("Devices beside interfaces", .needsNamespaces, .needsTool("nft"))
struct HandleTests {
  let wire: Wire
  let sender: UDPSender
  let receiver: UDPReceiver

  init() throws {
    wire = try Wire()
    sender = try UDPSender(in: wire.near, to: wire.farEnd.ipv4, port: 9)
    receiver = try UDPReceiver(in: wire.far, port: 9)
    try wire.far.logUDP(group: 5)
  }

  private func engine(_ events: Events? = nil) throws -> CaptureEngine {
    let engine = try wire.far.engine(events: events)
    try wire.far.inside { _ = try engine.prepareDevice("nflog:5") }
    return engine
  }

  /// The number of a datagram behind nflog's attributes: its last bytes but the padding of the number's datagram.
  private func numbers(_ seen: [Seen], size: Int = 64) -> [UInt64] {
    seen.compactMap { one in
      // The payload attribute is the last, padded to four bytes; 28 bytes of IP and UDP, then the number.
      let place = one.bytes.count - ((28 + size + 3) & ~3)
      guard place >= 4, one.bytes[place] == 0x45, one.bytes[place + 9] == 17 else { return nil }
      return UDPSender.number(in: one.bytes[(place + 28)...])
    }
  }

  @Test("the list of devices has nflog, and interfaces are none of the others")
  func list() throws {
    let (all, others) = try wire.far.inside { (try CaptureDevice.all(), try CaptureDevice.others()) }
    #expect(all.contains { $0.name == "vb" && $0.flagWords.hasPrefix("Up, Running") })
    let nflog = others.first { $0.name == "nflog" }
    #expect(nflog?.description == "Linux netfilter log (NFLOG) interface" && nflog?.flagWords == "none")
    #expect(!others.contains { ["vb", "lo", "any"].contains($0.name) })
    let asked = wire.far.inside {
      ["nflog", "nflog:7", "vb", "lo", "any", "nowhere0"].map { CaptureDevice.isDevice($0) }
    }
    #expect(asked == [true, true, false, false, false, false])
  }

  @Test("every packet of the group comes, once to each reader, and the counts add up", .timeLimit(.minutes(1)))
  func capture() throws {
    let engine = try engine()
    let readers = try (0..<3).map { _ in try wire.far.reader(engine, "nflog:5") }
    for _ in 0..<20 {
      try sender.send(100)
      pause(0.002)
    }
    for reader in readers {
      let seen = try reader.collect(2000)
      #expect(numbers(seen) == Array(0..<2000))
      #expect(seen.allSatisfy { $0.bytes[0] == 2 && $0.bytes[3] == 5 })
      let counts = reader.statistics
      #expect(counts.captured == 2000 && counts.delivered == 2000 && counts.dropped == 0)
    }
    engine.drain()
    let device = engine.statistics(of: "nflog:5")
    #expect(device.processed == 2000 && device.accepted == 2000 && device.dropped == 0)
    engine.close()
  }

  @Test("frames count as received; what came before a reader is not his", .timeLimit(.minutes(1)))
  func direction() throws {
    let engine = try engine()
    let first = try wire.far.reader(engine, "nflog:5", .in)
    let sent = try wire.far.reader(engine, "nflog:5", .out)
    try sender.send(10)
    #expect(try first.collect(10).count == 10)
    let late = try wire.far.reader(engine, "nflog:5")
    try sender.send(5)
    #expect(try numbers(late.collect(5)) == [10, 11, 12, 13, 14])
    #expect(try sent.collect(0, within: 0.1).isEmpty && sent.statistics.hidden == 15)
    engine.close()
  }

  @Test("what waits in the device is read before the end", .timeLimit(.minutes(1)))
  func drain() throws {
    for round in 1...(Requirement.short ? 5 : 20) {
      let engine = try engine()
      let reader = try wire.far.reader(engine, "nflog:5")
      try sender.send(50)
      engine.drain()
      #expect(reader.statistics.captured == 50, "round \(round)")
      reader.detach()
      engine.close()
    }
  }

  @Test("readers come and go while packets flow", .timeLimit(.minutes(1)))
  func churn() throws {
    let engine = try engine()
    let steady = try wire.far.reader(engine, "nflog:5")
    for _ in 0..<(Requirement.short ? 20 : 100) {
      let passing = try wire.far.reader(engine, "nflog:5")
      try sender.send(3)
      passing.detach()
    }
    let count = Int(sender.next)
    #expect(try numbers(steady.collect(count)) == (0..<UInt64(count)).map { $0 })
    engine.close()
  }

  @Test("link types: the device's own, another that it has, one that it has not", .timeLimit(.minutes(1)))
  func linkTypes() throws {
    let host = wire.far
    let engine = try engine()
    #expect(engine.linkTypes(ofDevice: "nflog:5").contains(239))
    let other = try host.engine()
    #expect(throws: BPF.Failure.self) { try host.inside { try other.prepareDevice("nflog:6", linkType: 1) } }
    #expect(try host.inside { try other.prepareDevice("nflog:6", linkType: 228) } == 228)
    #expect(throws: (any Error).self) { try host.inside { try other.prepareDevice("nflog:x") } }
    engine.close()
    other.close()
  }
}

extension Host {
  /// Every UDP packet that comes in or goes out is logged to a group of netfilter.
  func logUDP(group: Int) throws {
    let rules = """
      table inet swbpf {
        chain in {
          type filter hook input priority 0;
          meta l4proto udp log group \(group)
        }
      }
      """
    let output = try run(["nft", "-f", "-"], input: rules + "\n")
    guard output.status == .exited(0) else { throw SupportError.command(["nft"], output) }
  }
}
