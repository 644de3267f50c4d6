import Glibc
import Testing

@testable import SwBPFCommands
@testable import TestSupport

@Suite("swbpf ifconfig makes l2tp interfaces of a daemon", .needsNamespaces)
struct IfconfigL2TPTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  @Test(
    "what is refused has the request's name and a reason; ids and cookies are shown (T-106, T-108, T-109, T-111, T-112, T-116, T-127)",
    .timeLimit(.minutes(1)))
  func words() throws {
    let daemon = try RunningDaemon(in: Host(), scratch)
    func ifconfig(_ words: String) throws -> Child.Output {
      let words = ["ifconfig", "--socket", daemon.socket] + words.split(separator: " ").map(String.init)
      return try daemon.host.swbpf(words)
    }
    #expect(try ifconfig("-C").out.split(whereSeparator: \.isWhitespace).contains("l2tp"))
    #expect(try ifconfig("l2tp0 create").status == .exited(0))
    let new = "l2tp0: flags=8810<POINTOPOINT,SIMPLEX,MULTICAST> mtu 1280\n\tlinkstate: down\n"
    #expect(try ifconfig("l2tp0").out == new)
    for (words, text) in [
      ("session 0 1", "SIOCSL2TPSESSION: Invalid argument"), ("session 1 0", "SIOCSL2TPSESSION: Invalid argument"),
      ("cookie 4 0 4 1", "SIOCSL2TPCOOKIE: Invalid argument"), ("cookie 4 1 5 1", "SIOCSL2TPCOOKIE: Invalid argument"),
    ] {
      let refused = try ifconfig("l2tp0 " + words)
      #expect(refused.status == .exited(1) && refused.out.isEmpty)
      #expect(refused.err.hasPrefix("ifconfig: " + text + " ("), "\(refused.err)")
    }
    #expect(try ifconfig("l2tp0").out == new)
    #expect(
      try ifconfig("l2tp0 tunnel 127.0.0.1 10.0.0.2 session 1234 4321 cookie 4 5 8 6 up").status == .exited(0))
    #expect(
      try ifconfig("l2tp0").out.hasPrefix(
        """
        l2tp0: flags=8851<UP,POINTOPOINT,RUNNING,SIMPLEX,MULTICAST> mtu 1280
        \ttunnel inet 127.0.0.1 --> 10.0.0.2
        \tlocal-session-id: 1234
        \tremote-session-id: 4321
        \tlocal-cookie: 5
        \tremote-cookie: 6
        \tlinkstate: up

        """))
    let twice = try ifconfig("l2tp1 create session 1234 1")
    #expect(twice.status == .exited(1) && twice.err.contains("duplicate session id"), "\(twice.err)")
    #expect(daemon.child.err.waitForText("l2tp1: duplicate session id 1234"))
    #expect(try ifconfig("l2tp0 deletesession deletecookie").status == .exited(0))
    #expect(try !ifconfig("l2tp0").out.contains("-id"))
    #expect(try ifconfig("l2tp1 session 1234 1").status == .exited(0))
    #expect(try daemon.end().status == .exited(0))
  }

  @Test(
    "two daemons carry frames as their files say; swbpf -i l2tp0 shows the Ethernet frames inside (T-069)",
    .timeLimit(.minutes(1)))
  func files() throws {
    let (a, b) = (try Host("a"), try Host("b"))
    let wan = try Host.link(a, "wan0", b, "wan0")
    let near = try RunningDaemon(
      in: a, scratch,
      config: """
        sysctl net.l2tp.anysource=0
        ifconfig l2tp0 create tunnel \(wan.0.ipv4) \(wan.1.ipv4) session 1 2
        ifconfig l2tp0 cookie 8 11 4 12 mtu 1500
        ifconfig l2tp0 inet 172.16.0.1/24 up
        """)
    let other = try Scratch()
    let far = try RunningDaemon(
      in: b, other,
      config: """
        ifconfig l2tp0 create tunnel \(wan.1.ipv4) \(wan.0.ipv4) session 2 1 cookie 4 12 8 11 mtu 1500
        ifconfig l2tp0 inet 172.16.0.2/24 up
        """)
    let capture = try a.start(
      [Tool.swbpf, "-i", "l2tp0", "-e", "-c", "2", "icmp"], environment: ["SWBPF_SOCKET": near.socket])
    #expect(capture.err.waitForText("link-type EN10MB", timeout: 20), "\(capture.err.text)")
    #expect(
      try a.run(["ping", "-n", "-c", "3", "-W", "5", "-I", "172.16.0.1", "172.16.0.2"], timeout: 30).status
        == .exited(0))
    let text = try capture.finish().out
    #expect(text.contains("172.16.0.1 > 172.16.0.2: ICMP echo request"), "\(text)")
    #expect(text.contains("172.16.0.2 > 172.16.0.1: ICMP echo reply"), "\(text)")
    #expect(try near.end().status == .exited(0) && far.end().status == .exited(0))
  }
}
