import SwBPF
import Testing

@testable import TestSupport

@Suite("The library product", .needsNamespaces)
struct LibraryTests {
  @Test("one import captures: engine, descriptor, filter, slots, counters", .timeLimit(.minutes(1)))
  func example() throws {
    let (a, b) = (try Host("a"), try Host("b"))
    let (_, end) = try Host.link(a, "va", b, "vb")
    let receiver = try UDPReceiver(in: b, port: 9)
    let descriptor = try BPF.Descriptor()
    try descriptor.setFilter("inbound and udp port 9")
    descriptor.setImmediate(true)
    let engine = try b.inside { () throws -> CaptureEngine in
      let engine = try CaptureEngine()
      try engine.attach(descriptor, to: "vb")
      return engine
    }
    try UDPSender(in: a, to: end.ipv4, port: 9).send(10)
    #expect(try receiver.receive(10).count == 10)
    var numbers: [UInt64] = []
    while numbers.count < 10, let slot = try descriptor.nextSlot(timeout: .seconds(5)) {
      // swift-format-ignore: ReplaceForEachWithForLoop
      slot.eachRecord { record in
        let payload = record.frame.withUnsafeBytes { Array($0.dropFirst(42)) }
        numbers.append(UDPSender.number(in: payload) ?? .max)
      }
    }
    #expect(numbers == Array(0..<10))
    #expect(descriptor.statistics.captured == 10 && descriptor.statistics.delivered == 10)
    descriptor.detach()
    #expect(throws: BPF.Failure.notAttached) { _ = try descriptor.nextSlot(timeout: .zero) == nil }
    engine.close()
  }

  @Test("an expression that libpcap refuses leaves the old program in place", .timeLimit(.minutes(1)))
  func refused() throws {
    let host = try Host()
    let descriptor = try BPF.Descriptor()
    try descriptor.setFilter("udp port 9")
    let engine = try host.inside { () throws -> CaptureEngine in
      let engine = try CaptureEngine()
      try engine.attach(descriptor, to: "lo")
      return engine
    }
    #expect(throws: FilterExpression.Failure.self) { try descriptor.setFilter("udp port port") }
    let receiver = try UDPReceiver(in: host, port: 9)
    try UDPSender(in: host, to: "127.0.0.1", port: 9).send(3)
    try UDPSender(in: host, to: "127.0.0.1", port: 10).send(1)
    #expect(try receiver.receive(3).count == 3)
    #expect(eventually { descriptor.statistics.captured >= 3 })
    #expect(descriptor.statistics.captured == 3)
    engine.close()
  }
}
