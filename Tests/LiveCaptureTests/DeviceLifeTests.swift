import Glibc
import SwBPFBPF
import SwBPFLiveCapture
import Testing

@testable import TestSupport

@Suite("Open devices on interfaces of the world", .needsNamespaces)
struct DeviceLifeTests {
  @Test(
    "C-005, C-011, C-012: interfaces are found by their exact names, and no socket is kept for others",
    .timeLimit(.minutes(1)))
  func names() throws {
    let wire = try Wire()
    try wire.near.ip("link add vbcdefghijklmno type veth peer name vother")
    let engine = try wire.near.engine()
    let device = try engine.openDevice()
    func sockets() -> Int {
      wire.near.inside { readText("/proc/thread-self/net/packet") }.split(separator: "\n").count
    }
    let before = sockets()
    for wrong in ["nope", "LO", "l", "lo0", "lo ", " lo", "va0", "v", "", "vbcdefghijklmnop", "lo/../lo"] {
      #expect(wire.near.refusal { try device.bind(to: wrong) } == ENXIO, "\(wrong)")
    }
    #expect(sockets() == before)
    for name in ["lo", "va", "vbcdefghijklmno"] {
      #expect(wire.near.refusal { try device.bind(to: name) } == 0)
      #expect(try device.boundName() == name)
    }
    device.detach()
    engine.close()
  }

  @Test(
    "C-006: an interface of a kind that cannot be tapped is ENXIO",
    .timeLimit(.minutes(1)), .enabled(if: access("/dev/net/tun", R_OK | W_OK) == 0, "needs /dev/net/tun"))
  func noTapPoint() throws {
    let host = try Host()
    // A TUN interface may say that it is of any kind; 280 is a CAN bus.
    let tun = try host.inside { try openTun("can0", kind: 280) }
    try #require(tun >= 0)
    defer { close(tun) }
    let engine = try host.engine()
    let device = try engine.openDevice()
    #expect(host.refusal { try device.bind(to: "can0") } == ENXIO)
    #expect(host.refusal { try device.bind(to: "lo") } == 0)
    #expect(host.refusal { try device.bind(to: "can0") } == ENXIO)
    #expect(try device.boundName() == "lo")
    device.detach()
    engine.close()
  }

  @Test(
    "C-016: an attach opens one ring on one interface, with 2 others and with 200",
    .timeLimit(.minutes(1)))
  func cost() throws {
    let host = try Host()
    let engine = try host.engine()
    for (attaches, pairs) in [1: 1, 2: 100].sorted(by: { $0.key < $1.key }) {
      let lines = (0..<pairs).map { "link add va\(pairs)x\($0) type veth peer name vb\(pairs)x\($0)" }
      #expect(try host.run(["ip", "-batch", "-"], input: lines.joined(separator: "\n") + "\n").status == .exited(0))
      let device = try engine.openDevice()
      #expect(host.refusal { try device.bind(to: "va\(pairs)x0") } == 0)
      let sockets = host.inside { readText("/proc/thread-self/net/packet") }.split(separator: "\n").count - 1
      // Two to receive and one to send for each interface that was ever attached to, whatever others there are.
      #expect(try host.mappedRings() == 1 && sockets <= 3 * attaches)
      device.detach()
      #expect(try eventually { try host.mappedRings() == 0 })
    }
    engine.close()
  }

  @Test(
    "C-064: a forwarded packet is in on the interface it came by and out on the one it left by",
    .timeLimit(.minutes(1)))
  func forwarded() throws {
    let (left, router, right) = (try Host("left"), try Host("router"), try Host("right"))
    let (leftEnd, a) = try Host.link(left, "vl", router, "va", net: 1)
    let (b, rightEnd) = try Host.link(router, "vb", right, "vr", net: 2)
    try left.ip("route add 10.2.0.0/24 via \(a.ipv4)")
    try right.ip("route add 10.1.0.0/24 via \(b.ipv4)")
    try router.write("1", to: "/proc/sys/net/ipv4/ip_forward")
    let engine = try router.engine()
    let filter = "udp port 9"
    let readers = try ["va", "vb"].map { name in
      try [BPF.Direction.in, .out].map { try router.reader(engine, name, $0, filter: filter) }
    }
    let receiver = try UDPReceiver(in: right, port: 9)
    try UDPSender(in: left, to: rightEnd.ipv4, port: 9).send(20)
    #expect(try receiver.receive(20).count == 20)
    #expect(try readers[0][0].collect(20).count == 20, "in on a")
    #expect(try readers[1][1].collect(20).count == 20, "out on b")
    #expect(readers[0][1].statistics.captured == 0 && readers[1][0].statistics.captured == 0)
    #expect(leftEnd.ipv4 == "10.1.0.1")
    engine.close()
  }

  @Test(
    "C-068: a packet on lo is seen once, as received",
    .timeLimit(.minutes(1)))
  func loopback() throws {
    let host = try Host()
    let engine = try host.engine()
    let all = try host.reader(engine, "lo", .inOut, filter: "udp port 9")
    let received = try host.reader(engine, "lo", .in, filter: "udp port 9")
    let sent = try host.reader(engine, "lo", .out, filter: "udp port 9")
    let receiver = try UDPReceiver(in: host, port: 9)
    try UDPSender(in: host, to: "127.0.0.1", port: 9).send(20)
    #expect(try receiver.receive(20).count == 20)
    #expect(try all.collect(20).count == 20 && received.collect(20).count == 20)
    pause(0.05)
    #expect(all.statistics.captured == 20 && received.statistics.captured == 20 && sent.statistics.captured == 0)
    #expect(sent.statistics.hidden == 20)
    engine.close()
  }

  @Test(
    "C-077: a frame that is written with feedback is seen once here, as received, and once at the other end",
    .timeLimit(.minutes(1)))
  func feedback() throws {
    let wire = try Wire()
    let (near, far) = (try wire.near.engine(), try wire.far.engine())
    let writer = try wire.near.reader(near, "va")
    let sees = try [BPF.Direction.in, .out].map { try wire.near.reader(near, "va", $0) }
    let other = try wire.far.reader(far, "vb")
    writer.setFeedback(1)
    for number in 0..<10 as Range<UInt64> { try writer.write(wire.numbered(number)) }
    #expect(try other.collect(10).compactMap(\.number) == Array(0..<10))
    pause(0.05)
    #expect(try writer.collect(10).compactMap(\.number) == Array(0..<10))
    #expect(try sees[0].collect(10).count == 10)
    #expect(writer.statistics.offered == 10 && sees[1].statistics.captured == 0 && sees[1].statistics.hidden == 10)
    near.close()
    far.close()
  }
}

/// Makes a TUN interface of a kind (ARPHRD_*); -1 where this machine has none.
private func openTun(_ name: String, kind: UInt16) throws -> CInt {
  let tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC)
  if tun < 0 { return -1 }
  // struct ifreq: name, flags IFF_TUN | IFF_NO_PI.
  var request = [UInt8](repeating: 0, count: 40)
  for (index, byte) in name.utf8.enumerated() { request[index] = byte }
  (request[16], request[17]) = (0x01, 0x10)
  let made = request.withUnsafeMutableBytes { ioctl(tun, 0x4004_54ca, $0.baseAddress!) }  // TUNSETIFF
  if made < 0 {
    close(tun)
    return -1
  }
  try check("TUNSETLINK") { ioctl(tun, 0x4004_54cd, UnsafeMutableRawPointer(bitPattern: UInt(kind))!) }
  return tun
}

extension Host {
  /// The errno of something done in this host, 0 when it works.
  func refusal(_ body: () throws -> Void) -> CInt {
    inside {
      do { try body() } catch let error as BPF.Failure { return error.errno } catch { return -1 }
      return 0
    }
  }
}

extension BPF.Descriptor {
  /// BIOCSETIF, by FreeBSD's number.
  func bind(to name: String) throws(BPF.Failure) {
    var bytes = [UInt8](repeating: 0, count: 32)
    for (index, byte) in name.utf8.prefix(16).enumerated() { bytes[index] = byte }
    try ioctl(request: 0x8020_426c, argument: &bytes)
  }

  /// BIOCGETIF
  func boundName() throws(BPF.Failure) -> String {
    var bytes = [UInt8](repeating: 0, count: 32)
    try ioctl(request: 0x4020_426b, argument: &bytes)
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}
