import Glibc
import SwBPFInterfaces
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// What an engine does when an l2tp interface is asked, and what it tells.
@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct L2TPStateTests {
  private let host: TunnelHost

  init() throws {
    host = try TunnelHost(Host())
    try host.create("l2tp0")
    try host.hush("l2tp0")
  }

  private func refusal(_ operation: InterfaceOperation, on name: String = "l2tp0") -> String? {
    host.refusal { try host.perform(name, operation) }
  }

  private func session(_ local: UInt32, _ remote: UInt32, on name: String = "l2tp0") -> String? {
    refusal(.session(L2TPSession(local: local, remote: remote)), on: name)
  }

  private func cookie(_ localLength: UInt16, _ local: UInt64, _ remoteLength: UInt16, _ remote: UInt64) -> String? {
    refusal(
      .cookie(L2TPCookies(localLength: localLength, local: local, remoteLength: remoteLength, remote: remote)))
  }

  private let invalidSession = "SIOCSL2TPSESSION: \(EINVAL)"
  private let invalidCookie = "SIOCSL2TPCOOKIE: \(EINVAL)"

  @Test(
    "T-106, T-064, T-166 a new l2tp: MTU 1280, point to point, simplex, multicast, state down, without session; Ethernet"
  )
  func new() throws {
    let status = try host.status("l2tp0")
    #expect(status.flags.description == "8810<POINTOPOINT,SIMPLEX,MULTICAST>" && status.mtu == 1280)
    #expect(status.session == nil && status.cookies == nil && status.tunnel == nil && status.linkState == .down)
    #expect(status.counters == InterfaceCounters() && status.lastError == nil)
    #expect(try host.host.ip("link show l2tp0").contains("mtu 1280"))
    #expect(try #require(host.taps.interface(named: "l2tp0")).linkType == 1)
  }

  @Test("T-126 the MTU is from 1280 to 8192, on the device, too")
  func mtu() throws {
    for (mtu, isAllowed) in [(1279, false), (1280, true), (8192, true), (8193, false), (0, false)] as [(UInt32, Bool)] {
      #expect(refusal(.mtu(mtu)) == (isAllowed ? nil : "SIOCSIFMTU: \(EINVAL)"))
    }
    #expect(try host.status("l2tp0").mtu == 8192)
    #expect(try host.host.ip("link show l2tp0").contains("mtu 8192"))
  }

  @Test(
    "T-108, T-109 an id that is 0, and a local one that any l2tp has, its own included, is refused; remote ones may be the same"
  )
  func ids() throws {
    try host.create("l2tp1")
    for (local, remote) in [(0, 5), (5, 0), (0, 0)] as [(UInt32, UInt32)] {
      #expect(session(local, remote) == invalidSession)
    }
    #expect(try host.status("l2tp0").session == nil && host.log.lines == [])
    #expect(session(1234, 4321) == nil)
    #expect(session(1234, 4321) == invalidSession && session(1234, 1, on: "l2tp1") == invalidSession)
    #expect(host.log.lines == ["l2tp0: duplicate session id 1234", "l2tp1: duplicate session id 1234"])
    #expect(try host.status("l2tp1").session == nil)
    #expect(session(1235, 4321, on: "l2tp1") == nil)
    // Another id without a word between.
    #expect(session(.max, .max) == nil)
    #expect(try host.status("l2tp0").session == L2TPSession(local: .max, remote: .max))
  }

  @Test("T-111, T-112 cookies have 4 or 8 bytes on each side, and values that fit and are not 0")
  func cookies() throws {
    for (length, value) in [(0, 1), (5, 1), (16, 1), (3, 1), (4, 0), (8, 0), (4, 1 << 32)] as [(UInt16, UInt64)] {
      #expect(cookie(length, value, 4, 1) == invalidCookie && cookie(8, 1, length, value) == invalidCookie)
    }
    #expect(try host.status("l2tp0").cookies == nil)
    #expect(cookie(4, 0xffff_ffff, 8, .max) == nil)
    let wanted = L2TPCookies(localLength: 4, local: 0xffff_ffff, remoteLength: 8, remote: .max)
    #expect(try host.status("l2tp0").cookies == wanted)
    // A refusal changes nothing.
    #expect(cookie(4, 0, 4, 1) == invalidCookie)
    #expect(try host.status("l2tp0").cookies == wanted)
  }

  @Test(
    "T-116, T-115, T-127 a session brings the link up and shows the ids; without one it is down and they are gone, cookies likewise"
  )
  func sessions() throws {
    try host.perform("l2tp0", .tunnel("127.0.0.1", "10.0.0.2"))
    #expect(session(1234, 4321) == nil && cookie(4, 5, 8, 6) == nil)
    var status = try host.status("l2tp0")
    #expect(status.linkState == .up && status.flags == [.pointToPoint, .simplex, .multicast, .running])
    let text = status.text()
    #expect(text.contains("\tlocal-session-id: 1234\n\tremote-session-id: 4321\n"))
    #expect(text.contains("\tlocal-cookie: 5\n\tremote-cookie: 6\n\tlinkstate: up\n"))
    try host.perform("l2tp0", .deleteSession, .deleteCookie, .deleteSession, .deleteCookie)
    status = try host.status("l2tp0")
    #expect(status.session == nil && status.cookies == nil && status.linkState == .down)
    #expect(!status.text().contains("-id:") && !status.text().contains("-cookie:"))
    #expect(status.tunnel != nil)
  }

  @Test("T-125 a session's id is free when the session or its interface goes, not when the tunnel does")
  func free() throws {
    try host.create("l2tp1")
    try host.perform("l2tp0", .tunnel("127.0.0.1", "10.0.0.2"))
    #expect(session(7, 8) == nil)
    try host.perform("l2tp0", .deleteTunnel)
    #expect(session(7, 8, on: "l2tp1") == invalidSession)
    try host.perform("l2tp0", .deleteSession)
    #expect(session(7, 8, on: "l2tp1") == nil && session(7, 8) == invalidSession)
    try host.destroy("l2tp1")
    #expect(session(7, 8) == nil)
  }

  @Test("T-110 interfaces may share their addresses, with each other and with a gif; any family will do")
  func addresses() throws {
    for name in ["l2tp1", "gif0"] { try host.create(name) }
    for name in ["l2tp0", "l2tp1", "gif0"] { try host.perform(name, .tunnel("127.0.0.1", "10.0.0.2")) }
    #expect(try host.status("l2tp1").tunnel == host.status("gif0").tunnel)
    try host.perform("l2tp1", .tunnel("::1", "fc00::2"))
    #expect(try host.status("l2tp1").tunnel?.source.address == IPAddress("::1"))
  }

  @Test("T-165 what l2tp alone has is refused on a gif; twice the same name is EEXIST, l2tp without a number is none")
  func kinds() throws {
    try host.create("gif0")
    #expect(session(1, 2, on: "gif0") == "SIOCSL2TPSESSION: \(ENOTTY)")
    #expect(refusal(.deleteSession, on: "gif0") == "SIOCDL2TPSESSION: \(ENOTTY)")
    #expect(refusal(.deleteCookie, on: "gif0") == "SIOCDL2TPCOOKIE: \(ENOTTY)")
    #expect(host.refusal { try host.create("l2tp0") } == "SIOCIFCREATE: \(EEXIST)")
    for name in ["l2tp", "l2tp01", "l2tpx"] {
      #expect(host.refusal { try host.create(name) } == "SIOCIFCREATE: \(EINVAL)")
    }
    #expect(host.engine.names == ["l2tp0", "gif0"])
  }
}
