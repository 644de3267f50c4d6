import Glibc
import SwBPFBPF
import SwBPFLiveCapture
import Testing

@testable import TestSupport

@Suite("One device, several users", .needsNamespaces)
struct SharedDeviceTests {
  @Test(
    "C-217: two threads read one descriptor under a ping flood; every record goes to one of them, whole",
    .timeLimit(.minutes(1)))
  func multiRead() throws {
    let wire = try Wire()
    let engine = try wire.near.engine()
    let device = try engine.openDevice()
    // libpcap's snapshot length of 86 is a program that returns it.
    try device.setFilter(FilterExpression("icmp", snapLength: 86))
    try device.setReadTimeout(100_000_000)
    try wire.near.inside { try engine.attach(device, to: "va") }
    let stop = Box(false)
    let (records, bytes, problems) = (Box([0, 0]), Box([0, 0]), Box<[String]>([]))
    let readers = (0..<2).map { number in
      startThread {
        var buffer = [UInt8](repeating: 0, count: device.bufferSize)
        do {
          while !stop.value {
            let count = try device.read(into: &buffer)
            guard let found = whole(buffer.prefix(count)) else {
              problems.value.append("a read of \(count) bytes is not whole records")
              return
            }
            records.value[number] += found
            bytes.value[number] += count
          }
        } catch { problems.value.append("\(error)") }
      }
    }
    let seconds = Requirement.short ? 1.0 : 3.0
    let sender = try FrameSender(in: wire.near, interface: "va")
    let end = monotonicSeconds() + seconds
    var sequence: UInt16 = 0
    while monotonicSeconds() < end {
      for _ in 0..<10 {
        sequence &+= 1
        try sender.send(echo(from: wire.nearEnd, to: wire.farEnd, sequence))
      }
      usleep(500)
    }
    // The last of it, then both have nothing more to wait for.
    pause(0.3)
    stop.value = true
    for reader in readers { pthread_join(reader, nil) }
    let counts = device.statistics
    #expect(problems.value.isEmpty, "\(problems.value)")
    #expect(counts.captured > 100 && records.value.reduce(0, +) == Int(counts.delivered))
    #expect(counts.captured == counts.delivered + counts.dropped + counts.waiting)
    #expect(bytes.value.reduce(0, +) > 0)
    device.detach()
    engine.close()
  }

  @Test(
    "C-218: three echo requests, captured and injected again, give three captures that are equal",
    .timeLimit(.minutes(1)))
  func inject() throws {
    let wire = try Wire()
    let (near, far) = (try wire.near.engine(), try wire.far.engine())
    let first = try wire.far.reader(far, "vb", .in, filter: "icmp[icmptype] == icmp-echo")
    for sequence in 1...3 as ClosedRange<UInt16> {
      try wire.near.sendFrame("va", echo(from: wire.nearEnd, to: wire.farEnd, sequence))
    }
    let captured = try first.collect(3)
    #expect(captured.count == 3)
    first.detach()
    let out = try wire.near.reader(near, "va", .out, filter: "icmp[icmptype] == icmp-echo")
    let arriving = try wire.far.reader(far, "vb", .in, filter: "icmp[icmptype] == icmp-echo")
    let writer = try near.openDevice(reads: false)
    writer.setHeaderComplete(true)
    try wire.near.inside { try near.attach(writer, to: "va") }
    // The first write opens a socket, which belongs to the namespace of its thread.
    for one in captured { #expect(try wire.near.inside { try writer.write(one.bytes) } == one.length) }
    #expect(try out.collect(3) == captured)
    #expect(try arriving.collect(3) == captured)
    #expect(writer.writeStatistics.sent == 3 && writer.statistics.offered == 0)
    near.close()
    far.close()
  }
}

/// An echo request as ping(8) sends it: 56 bytes of data, checksums right, so that the other end answers.
private func echo(from source: LinkEnd, to destination: LinkEnd, _ sequence: UInt16) -> [UInt8] {
  var icmp: [UInt8] = [8, 0, 0, 0, 0x12, 0x34] + Frame.big(sequence) + (0..<56).map { UInt8($0) }
  icmp.replaceSubrange(2..<4, with: Frame.big(Frame.checksum(icmp)))
  var ip: [UInt8] = [0x45, 0] + Frame.big(84) + [0, 0, 0x40, 0, 64, 1, 0, 0]
  ip += Frame.ipv4(source.ipv4) + Frame.ipv4(destination.ipv4)
  ip.replaceSubrange(10..<12, with: Frame.big(Frame.checksum(ip)))
  return Frame.ethernet(from: source.mac, to: destination.mac, type: 0x0800, ip + icmp)
}

/// How many records a read of a device holds, by FreeBSD's header; nil when they do not fill it exactly.
private func whole(_ bytes: ArraySlice<UInt8>) -> Int? {
  func word(_ offset: Int, _ size: Int) -> Int {
    (0..<size).reversed().reduce(0) { $0 << 8 | Int(bytes[bytes.startIndex + offset + $1]) }
  }
  var count = 0
  var start = 0
  while start < bytes.count {
    guard start + 26 <= bytes.count else { return nil }
    let (kept, length, header) = (word(start + 16, 4), word(start + 20, 4), word(start + 24, 2))
    // An echo request or reply behind an Ethernet header, cut at 86 bytes.
    guard header == 26, kept == min(86, length), length == 98, start + header + kept <= bytes.count else { return nil }
    guard word(start + header + 12, 2) == 0x0008, word(start + header + 23, 1) == 1 else { return nil }
    count += 1
    let end = start + header + kept
    start = end == bytes.count ? end : (end + 7) & ~7
  }
  return count
}
