import Glibc
import SwBPFInterfaces
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// What an engine does when it is asked, and what it tells.
@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct GifStateTests {
  private let host: TunnelHost

  init() throws { host = try TunnelHost(Host()) }

  private func refusal(_ operation: InterfaceOperation, on name: String = "gif0") -> String? {
    host.refusal { try host.perform(name, operation) }
  }

  @Test("T-074, T-103 a new gif: MTU 1280, point to point and multicast, neither up nor running, without a tunnel")
  func new() throws {
    try host.create("gif0")
    let status = try host.status("gif0")
    #expect(status.flags == [.pointToPoint, .multicast] && status.mtu == 1280 && status.tunnel == nil)
    #expect(status.addresses == [] && status.counters == InterfaceCounters() && status.lastError == nil)
    #expect(try host.host.ip("link show gif0").contains("mtu 1280"))
  }

  @Test("T-075 the MTU is from 1280 to 8192, on the device, too")
  func mtu() throws {
    try host.create("gif0")
    for (mtu, isAllowed) in [(1279, false), (1280, true), (8192, true), (8193, false), (0, false)] as [(UInt32, Bool)] {
      #expect(refusal(.mtu(mtu)) == (isAllowed ? nil : "SIOCSIFMTU: \(EINVAL)"))
    }
    #expect(try host.status("gif0").mtu == 8192)
    #expect(try host.host.ip("link show gif0").contains("mtu 8192"))
  }

  @Test("T-076, T-077, T-078, T-166 a tunnel makes it run, an inner address brings it up; without one it runs no more")
  func flags() throws {
    try host.create("gif0")
    try host.perform("gif0", .deleteTunnel)
    try host.perform("gif0", .tunnel("10.0.0.1", "10.0.0.2"))
    #expect(try host.status("gif0").flags == [.pointToPoint, .multicast, .running])
    #expect(try host.status("gif0").tunnel?.source.address == IPAddress("10.0.0.1"))
    try host.perform("gif0", .address("172.16.1.1", 32, to: "172.16.2.1"))
    #expect(try host.status("gif0").flags.description == "8051<UP,POINTOPOINT,RUNNING,MULTICAST>")
    #expect(try host.host.ip("addr show gif0").contains("172.16.1.1 peer 172.16.2.1/32"))
    try host.perform("gif0", .down)
    #expect(try host.status("gif0").flags == [.pointToPoint, .multicast, .running])
    #expect(try host.status("gif0").tunnel != nil)
    try host.perform("gif0", .deleteTunnel, .deleteTunnel)
    #expect(try host.status("gif0").flags == [.pointToPoint, .multicast])
    #expect(try host.status("gif0").tunnel == nil)
  }

  @Test("link0 to link2 and unnumbered are flags that come and go")
  func links() throws {
    try host.create("gif0")
    try host.perform("gif0", .link(0, true), .link(1, true), .link(2, true), .unnumbered(true))
    #expect(try host.status("gif0").flags == [.pointToPoint, .multicast, .link0, .link1, .link2, .unnumbered])
    try host.perform("gif0", .link(1, false), .unnumbered(false))
    #expect(try host.status("gif0").flags == [.pointToPoint, .multicast, .link0, .link2])
  }

  @Test("inner addresses are the device's: added, replaced, deleted, and one that is not there is refused")
  func addresses() throws {
    try host.create("gif0")
    try host.perform("gif0", .address("172.16.1.1", 32, to: "172.16.2.1"), .address("fc00:3::1", 64))
    let both = try host.status("gif0").addresses.filter { !$0.address.isLinkLocal }
    #expect(both.map(\.address.description) == ["172.16.1.1", "fc00:3::1"])
    #expect(both.map(\.prefix) == [32, 64] && both[0].destination == IPAddress("172.16.2.1"))
    let nine = try #require(IPAddress("172.16.9.1"))
    let new = try #require(InterfaceAddress(nine, prefix: 24))
    try host.perform("gif0", .addAddress(new, replaces: true))
    // The same address once more is no other address.
    try host.perform("gif0", .address("172.16.9.1", 28))
    let text = try host.host.ip("-4 addr show gif0")
    #expect(text.contains("inet 172.16.9.1/28") && !text.contains("172.16.1.1") && !text.contains("/24"))
    try host.perform("gif0", .deleteAddress(nine))
    #expect(refusal(.deleteAddress(IPAddress(v4: 0x0102_0304))) == "SIOCDIFADDR: \(EADDRNOTAVAIL)")
    #expect(try host.host.ip("-4 addr show gif0").contains("inet ") == false)
  }

  @Test("names: a kind and a number; twice is EEXIST, one of the system's is EBUSY and stays, unknown ones are ENXIO")
  func names() throws {
    func create(_ name: String) -> String? { host.refusal { try host.create(name) } }
    for name in ["gif", "gif01", "gif-1", "gif0x", "eth0", "", "gif99999999999", "gif4294967296"] {
      #expect(create(name) == "SIOCIFCREATE: \(EINVAL)", "\(name)")
    }
    try host.host.ip("link add gif7 type veth peer name other")
    #expect(create("gif7") == "SIOCIFCREATE: \(EBUSY)")
    #expect(try host.host.ip("link show gif7").contains("gif7"))
    #expect(create("gif0") == nil && create("gif12") == nil && create("gif1") == nil)
    #expect(create("gif0") == "SIOCIFCREATE: \(EEXIST)")
    #expect(host.engine.names == ["gif0", "gif12", "gif1"])
    #expect(refusal(.up, on: "gif3") == "SIOCSIFFLAGS: \(ENXIO)")
    #expect(refusal(.up, on: "other") == "SIOCSIFFLAGS: \(EOPNOTSUPP)")
    #expect(host.refusal { try host.destroy("gif3") } == "SIOCIFDESTROY: \(ENXIO)")
    #expect(host.refusal { try host.destroy("gif7") } == "SIOCIFDESTROY: \(EINVAL)")
    #expect(throws: InterfaceFailure.self) { try host.status("gif3") }
    #expect(refusal(.session(L2TPSession(local: 1, remote: 2))) == "SIOCSL2TPSESSION: \(ENOTTY)")
  }

  @Test("a source that is no address of this system is taken with a warning; any destination is")
  func source() throws {
    try host.create("gif0")
    try host.perform("gif0", .tunnel("127.0.0.1", "10.0.0.2"))
    #expect(host.log.lines == [])
    try host.perform("gif0", .tunnel("10.9.9.9", "0.0.0.0"))
    #expect(host.log.lines == ["gif0: the tunnel's source 10.9.9.9 is no address of this system"])
  }

  @Test("T-101 ends of two families are no tunnel")
  func families() throws {
    let (four, six) = (try #require(IPAddress("10.0.0.1")), try #require(IPAddress("fc00::1")))
    for (source, destination) in [(four, six), (six, four)] {
      #expect(TunnelEnds(source: Endpoint(source), destination: Endpoint(destination)) == nil)
      #expect(TunnelPair(source: source, destination: destination) == nil)
    }
  }

  @Test("settings have names and ranges")
  func settings() throws {
    let engine = host.engine
    #expect(TunnelSettings.all.count == Set(TunnelSettings.all.map(\.name)).count)
    for setting in TunnelSettings.all {
      #expect(try engine.settings.value(of: setting.name) == setting.initial)
      for value in [setting.range.lowerBound, setting.range.upperBound] {
        try engine.set(setting.name, to: value)
        #expect(try engine.settings.value(of: setting.name) == value)
      }
      for value in [setting.range.lowerBound - 1, setting.range.upperBound + 1] {
        #expect(host.refusal { try engine.set(setting.name, to: value) } == "sysctl: \(EINVAL)")
      }
    }
    #expect(host.refusal { try engine.set("net.inet.ip.ttl", to: 1) } == "sysctl: \(ENOENT)")
  }

  @Test("what others change on the device is the interface's state, too; a device that somebody takes away is gone")
  func followed() throws {
    try host.create("gif0")
    try host.host.ip("link set gif0 up mtu 1400")
    #expect(try eventually { try host.status("gif0").flags.contains(.up) && host.status("gif0").mtu == 1400 })
    try host.host.ip("link set gif0 down")
    #expect(try eventually { try !host.status("gif0").flags.contains(.up) })
    try host.host.ip("link del gif0")
    #expect(eventually { host.engine.names == [] })
    try host.create("gif0")
  }

  @Test("when the engine ends nothing is left, and it makes nothing any more")
  func end() throws {
    for name in ["gif0", "gif1"] { try host.create(name) }
    try host.perform("gif0", .up)
    host.engine.shutdown()
    host.engine.shutdown()
    #expect(try !host.host.ip("link show").contains("gif"))
    #expect(host.refusal { try host.create("gif0") } == "SIOCIFCREATE: \(ENXIO)")
    #expect(host.taps.names == [])
  }

  @Test("T-173 without /dev/net/tun the refusal says so, and nothing is half made; it may come later")
  func noDevices() throws {
    let refusal = try host.host.inside { () throws -> InterfaceFailure? in
      try onThreadWithoutTUN {
        do throws(InterfaceFailure) {
          try host.engine.create("gif0")
          return nil
        } catch {
          return error
        }
      }
    }
    #expect(refusal?.errno == ENOENT && refusal?.request == "SIOCIFCREATE")
    #expect(refusal?.text == "there is no /dev/net/tun")
    #expect(host.engine.names == [] && host.taps.names == [])
    #expect(try !host.host.ip("link show").contains("gif0"))
    try host.create("gif0")
  }

  @Test("T-173 without the rights that it needs the engine says which, and makes nothing")
  func rights() throws {
    let text = try host.host.inside { () throws -> [String] in
      try [capNetAdmin, capNetRaw].map { capability in
        try onThreadWithout(capability) {
          do {
            _ = try TunnelEngine()
            return "no refusal"
          } catch let failure as InterfaceFailure {
            return "\(failure.errno) \(failure.text)"
          }
        }
      }
    }
    #expect(
      text == [
        "\(EPERM) tunnels need the capability CAP_NET_ADMIN", "\(EPERM) tunnels need the capability CAP_NET_RAW",
      ])
  }
}
