// Written frames on real interfaces. A packet socket at each end judges what was on the wire.
import Glibc
import SwBPFBPF
import SwBPFLiveCapture
import Testing

@testable import TestSupport

@Suite("Injection over a cable", .needsNamespaces, .timeLimit(.minutes(1)))
struct InjectionTests {
  private let foreign: [UInt8] = [2, 7, 7, 7, 7, 7]

  private func errno(_ one: BPF.Descriptor, _ frame: [UInt8]) -> CInt {
    do throws(BPF.Failure) { try one.write(frame) } catch { return error.errno }
    return 0
  }

  @Test(
    "C-266: frames up to header and MTU arrive intact, longer ones are EMSGSIZE",
    arguments: [
      (1500, [14, 60, 1024, 1514], [1515, 2048, 65482]), (4096, [2048, 4110], [4111]),
      (9000, [4096, 8192, 9000, 9014], [9015, 9018, 16370]),
    ])
  func sizes(mtu: Int, good: [Int], bad: [Int]) throws {
    let wire = try Wire()
    try wire.near.ip("link set va mtu \(mtu)")
    try wire.far.ip("link set vb mtu \(mtu)")
    let engine = try wire.near.engine()
    let one = try wire.near.device(engine, "va")
    one.setHeaderComplete(true)
    let judges = [try Judge(in: wire.near, interface: "va"), try Judge(in: wire.far, interface: "vb")]
    let frames = good.map { framed($0, from: foreign, to: wire.farEnd.mac) }
    for size in bad { #expect(errno(one, framed(size, from: foreign, to: wire.farEnd.mac)) == EMSGSIZE) }
    for frame in frames { #expect(try one.write(frame) == frame.count) }
    #expect(judges[0].hear(frames.count) == frames.map { .init(isOutgoing: true, bytes: $0) })
    #expect(judges[1].hear(frames.count) == frames.map { .init(isOutgoing: false, bytes: $0) })
    #expect(one.writeStatistics.sent == UInt64(good.count) && one.writeStatistics.failed == UInt64(bad.count))
    engine.close()
  }

  @Test("an interface that is down is ENETDOWN, on its own or by its name, and works when it is up again")
  func down() throws {
    let wire = try Wire()
    let engine = try wire.near.engine()
    let one = try wire.near.device(engine, "va")
    let judge = try Judge(in: wire.far, interface: "vb")
    try wire.near.ip("link set va down")
    #expect(errno(one, framed(60, from: foreign, to: wire.farEnd.mac)) == ENETDOWN)
    #expect(errno(one, []) == ENETDOWN)
    try wire.near.ip("link set va up")
    #expect(try wire.near.isUp("va"))
    #expect(errno(one, framed(61, from: foreign, to: wire.farEnd.mac)) == 0)
    #expect(judge.hear(1).map(\.bytes.count) == [61])
    try wire.near.ip("link del va")
    #expect(eventually { errno(one, framed(60, from: foreign, to: wire.farEnd.mac)) == ENXIO })
    engine.close()
  }

  @Test("on the wire the source is the interface's, of now, unless the header is complete")
  func source() throws {
    let wire = try Wire()
    let engine = try wire.near.engine()
    let one = try wire.near.device(engine, "va")
    let judge = try Judge(in: wire.far, interface: "vb")
    try one.write(framed(60, from: foreign, to: wire.farEnd.mac))
    try wire.near.ip("link set va address 02:00:00:00:00:44")
    try one.write(framed(60, from: foreign, to: wire.farEnd.mac))
    one.setHeaderComplete(true)
    try one.write(framed(60, from: foreign, to: wire.farEnd.mac))
    let sources = [wire.nearEnd.mac, [2, 0, 0, 0, 0, 0x44], foreign]
    #expect(judge.hear(3).map(\.bytes) == sources.map { framed(60, from: $0, to: wire.farEnd.mac) })
    engine.close()
  }

  @Test("C-177: a sent frame is seen once, as outgoing, by the writer and by others")
  func once() throws {
    let wire = try Wire()
    let engine = try wire.near.engine()
    let readers = try BPF.Direction.allCases.map { try wire.near.reader(engine, "va", $0) }
    let one = try wire.near.device(engine, "va")
    for size in 60..<80 { try one.write(framed(size, from: wire.nearEnd.mac, to: wire.farEnd.mac)) }
    let all = (60..<80).map { framed($0, from: wire.nearEnd.mac, to: wire.farEnd.mac) }
    // In, in and out, out.
    #expect(try readers[1].collect(20).map(\.bytes) == all)
    #expect(try readers[2].collect(20).map(\.bytes) == all)
    #expect(readers[0].statistics.captured == 0)
    #expect(one.statistics.captured == 20)
    engine.close()
  }

  @Test("C-178: with feedback and both directions it goes out once, and readers see it once, as incoming")
  func feedback() throws {
    let wire = try Wire()
    let engine = try wire.near.engine()
    let readers = try BPF.Direction.allCases.map { try wire.near.reader(engine, "va", $0) }
    let judge = try Judge(in: wire.far, interface: "vb")
    let one = try wire.near.device(engine, "va")
    one.setFeedback(1)
    let all = (60..<80).map { framed($0, from: wire.nearEnd.mac, to: wire.farEnd.mac) }
    for frame in all { try one.write(frame) }
    #expect(judge.hear(20).map(\.bytes) == all)
    #expect(try readers[0].collect(20).map(\.bytes) == all)
    #expect(try readers[1].collect(20).map(\.bytes) == all)
    #expect(readers[2].statistics.captured == 0)
    #expect(one.statistics.captured == 20)
    engine.close()
  }

  @Test("C-180: with feedback and one direction the outgoing record is seen, too", arguments: [BPF.Direction.in, .out])
  func oneDirection(direction: BPF.Direction) throws {
    let wire = try Wire()
    let engine = try wire.near.engine()
    let readers = try BPF.Direction.allCases.map { try wire.near.reader(engine, "va", $0) }
    let judge = try Judge(in: wire.far, interface: "vb")
    let one = try wire.near.device(engine, "va", direction)
    one.setFeedback(1)
    let all = (60..<80).map { framed($0, from: wire.nearEnd.mac, to: wire.farEnd.mac) }
    for frame in all { try one.write(frame) }
    #expect(judge.hear(20).map(\.bytes) == all)
    #expect(try readers[0].collect(20).map(\.bytes) == all)
    #expect(try readers[2].collect(20).map(\.bytes) == all)
    let both = try readers[1].collect(40).map(\.bytes)
    #expect(both.count == 40 && all.allSatisfy { frame in both.count { $0 == frame } == 2 })
    #expect(eventually { one.statistics.captured == 20 })
    engine.close()
  }

  @Test("C-182: captured frames, VLAN-tagged ones too, written back unchanged arrive byte-identical")
  func writtenBack() throws {
    let wire = try Wire()
    // Room for the tags of the longest one.
    try wire.near.ip("link set va mtu 1508")
    try wire.far.ip("link set vb mtu 1508")
    var frames = [60, 61, 64, 333, 1514].map { framed($0, from: foreign, to: wire.farEnd.mac) }
    for vlans: [UInt16] in [[5], [0x6005], [7, 0x2009]] {
      frames += [64, 100, 1514].map {
        framed($0 + 4 * vlans.count, from: foreign, to: [1, 2, 3, 4, 5, 6], vlans: vlans)
      }
    }
    let far = try wire.far.engine()
    let capture = try wire.far.reader(far, "vb", .in)
    let sender = try FrameSender(in: wire.near, interface: "va")
    for frame in frames { try sender.send(frame) }
    let captured = try capture.collect(frames.count).map(\.bytes)
    #expect(captured == frames)

    let judge = try Judge(in: wire.near, interface: "va")
    let one = try wire.far.device(far, "vb")
    one.setHeaderComplete(true)
    for frame in captured { try one.write(frame) }
    #expect(judge.hear(frames.count).map(\.bytes) == frames)
    #expect(try capture.collect(0).isEmpty)
    far.close()
  }

  @Test("a frame written to lo is seen once, as incoming, with feedback, too", arguments: [UInt32(0), 1])
  func loopback(feedback: UInt32) throws {
    let host = try Host()
    let engine = try host.engine()
    let reader = try host.reader(engine, "lo")
    let judge = try Judge(in: host, interface: "lo")
    let one = try host.device(engine, "lo")
    one.setFeedback(feedback)
    let zero: [UInt8] = [0, 0, 0, 0, 0, 0]
    let frames = (60..<70).map { framed($0, from: zero, to: zero) }
    for frame in frames { try one.write(frame) }
    #expect(judge.hear(20).filter { !$0.isOutgoing }.map(\.bytes) == frames)
    #expect(try reader.collect(10).map(\.bytes) == frames)
    engine.close()
  }

  @Test("a raw packet written to a tunnel comes out of it")
  func tunnel() throws {
    let host = try Host()
    // IFF_TUN and IFF_NO_PI; the device lives as long as the descriptor.
    let tunnel = try host.inside {
      let file = try check("/dev/net/tun") { open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK) }
      var request = Array("tu0".utf8) + [UInt8](repeating: 0, count: 37)
      request[16] = 0x01
      request[17] = 0x10
      try check("TUNSETIFF") { request.withUnsafeMutableBytes { ioctl(file, 0x4004_54ca, $0.baseAddress!) } }
      return file
    }
    defer { close(tunnel) }
    try host.write("1", to: "/proc/sys/net/ipv6/conf/tu0/disable_ipv6")
    try host.ip("link set tu0 up")
    let engine = try host.engine()
    let reader = try host.reader(engine, "tu0", .out)
    let one = try host.device(engine, "tu0")
    let packets = [20, 100, 1500].map { [0x45] + [UInt8](repeating: UInt8(truncatingIfNeeded: $0), count: $0 - 1) }
    for packet in packets { #expect(try one.write(packet) == packet.count) }
    #expect(errno(one, [UInt8](repeating: 0x45, count: 1501)) == EMSGSIZE)
    var buffer = [UInt8](repeating: 0, count: 2000)
    for packet in packets {
      let count = read(tunnel, &buffer, buffer.count)
      #expect(count == packet.count && Array(buffer.prefix(max(0, count))) == packet)
    }
    #expect(try reader.collect(3).map(\.bytes) == packets)
    engine.close()
  }
}
