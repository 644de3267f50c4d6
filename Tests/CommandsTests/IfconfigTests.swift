import Glibc
import SwBPFInterfaces
import SwBPFPackets
import Testing

@testable import SwBPFCommands
@testable import TestSupport

/// A keeper of interfaces that keeps them in an array: what ifconfig asks for is seen in it.
private final class Keeper: InterfaceControl {
  var interfaces: [InterfaceStatus] = []
  /// Every request that changes something, in its order.
  var asked: [String] = []
  /// What a name's status is refused with, once.
  var refusals: [String: CInt] = [:]

  func names() throws -> [String] { interfaces.map(\.name) + refusals.keys.sorted() }

  func status(of name: String) throws -> InterfaceStatus { interfaces[try index(name, "SIOCGIFFLAGS")] }

  func create(_ name: String) throws {
    asked.append("create \(name)")
    if interfaces.contains(where: { $0.name == name }) {
      throw InterfaceFailure(errno: EEXIST, request: "SIOCIFCREATE")
    }
    interfaces.append(InterfaceStatus(name: name, flags: [.pointToPoint, .multicast], mtu: 1280))
  }

  func destroy(_ name: String) throws {
    asked.append("destroy \(name)")
    interfaces.remove(at: try index(name, "SIOCIFDESTROY"))
  }

  func perform(_ operation: InterfaceOperation, on name: String) throws {
    asked.append("\(operation.request) \(name)")
    let one = try index(name, operation.request)
    func refuse(_ errno: CInt, _ text: String = "") -> InterfaceFailure {
      InterfaceFailure(errno: errno, request: operation.request, text: text)
    }
    switch operation {
    case .up: interfaces[one].flags.insert(.up)
    case .down: interfaces[one].flags.remove(.up)
    case .mtu(let bytes):
      guard (1280...8192).contains(bytes) else { throw refuse(EINVAL, "1280 to 8192") }
      interfaces[one].mtu = bytes
    case .tunnel(let ends):
      if let other = interfaces.first(where: { $0.name != name && $0.tunnel == ends }) {
        throw refuse(EADDRNOTAVAIL, "\(other.name) has these")
      }
      interfaces[one].tunnel = ends
      interfaces[one].flags.insert(.running)
    case .addAddress(let address, _):
      interfaces[one].addresses = [address]
      interfaces[one].flags.insert(.up)
    case .deleteTunnel:
      if interfaces[one].name == "gif9" { throw refuse(EIO) }
      interfaces[one].tunnel = nil
    default: throw refuse(EOPNOTSUPP)
    }
  }

  private func index(_ name: String, _ request: String) throws -> Int {
    if let index = interfaces.firstIndex(where: { $0.name == name }) { return index }
    throw InterfaceFailure(errno: refusals[name] ?? ENXIO, request: request)
  }
}

@Suite("swbpf ifconfig")
struct IfconfigTests {
  private let keeper = Keeper()

  private func ifconfig(_ text: String) -> (status: CInt, out: String, err: String) {
    var (out, err) = ("", "")
    let words = text.split(separator: " ").map(String.init)
    let status = IfconfigCommand.run(
      words, links: .numbers, output: { out += $0 }, complain: { err += $0 + "\n" }, connect: { _ in keeper })
    return (status, out, err)
  }

  @Test("create, tunnel, address, up, and the status in BSD's shape (T-077, T-166)")
  func configured() {
    #expect(ifconfig("gif0 create") == (0, "", ""))
    #expect(ifconfig("gif0 tunnel 10.0.0.1 10.0.0.2") == (0, "", ""))
    #expect(ifconfig("gif0 inet 172.16.1.1/32 172.16.2.1") == (0, "", ""))
    let text = """
      gif0: flags=8051<UP,POINTOPOINT,RUNNING,MULTICAST> mtu 1280
      \ttunnel inet 10.0.0.1 --> 10.0.0.2
      \tinet 172.16.1.1 -> 172.16.2.1 netmask 0xffffffff

      """
    for words in ["gif0", "", "-a", "gif0 inet", "-a inet", "-u", "-- gif0"] {
      #expect(ifconfig(words) == (0, text, ""))
    }
    #expect(ifconfig("gif0 inet6").out.hasSuffix("--> 10.0.0.2\n"))
    #expect(ifconfig("-v gif0").out.contains("\n\tinput: 0 packets, 0 bytes\n\toutput: 0 packets, 0 bytes\n\tinet "))
    #expect(ifconfig("-v").out == ifconfig("-av").out && ifconfig("-v").out.contains("input: "))
    #expect(ifconfig("gif0 destroy") == (0, "", ""))
    #expect(ifconfig("") == (0, "", ""))
  }

  @Test("words are done from left to right, the address last (T-164)")
  func order() {
    #expect(ifconfig("gif0 create inet 10.1.0.1 10.1.0.2 mtu 1400 tunnel 10.0.0.1 10.0.0.2 down") == (0, "", ""))
    #expect(
      keeper.asked == [
        "create gif0", "SIOCSIFMTU gif0", "SIOCSLIFPHYADDR gif0", "SIOCSIFFLAGS gif0", "SIOCAIFADDR gif0",
      ])
    #expect(keeper.interfaces[0].mtu == 1400 && keeper.interfaces[0].flags.contains(.up))
  }

  @Test("a tunnel that is refused is a warning: exit status 0, and the other words are done (T-098, T-162)")
  func refusedTunnel() throws {
    #expect(ifconfig("gif0 create tunnel 10.0.0.1 10.0.0.2").status == 0)
    #expect(ifconfig("gif1 create").status == 0)
    let refused = ifconfig("gif1 tunnel 10.0.0.1 10.0.0.2 up")
    #expect(refused.status == 0 && refused.out.isEmpty)
    #expect(refused.err == "ifconfig: SIOCSLIFPHYADDR: Cannot assign requested address (gif0 has these)\n")
    #expect(keeper.interfaces[1].tunnel == nil && keeper.interfaces[1].flags.contains(.up))
    let mtu = ifconfig("gif1 mtu 1279")
    #expect(mtu == (0, "", "ifconfig: SIOCSIFMTU: Invalid argument (1280 to 8192)\n"))
  }

  @Test("other refusals end the call with exit status 1")
  func refused() {
    #expect(ifconfig("gif9 create up").status == 0)
    #expect(ifconfig("gif9 create up") == (1, "", "ifconfig: SIOCIFCREATE: File exists\n"))
    #expect(ifconfig("gif9 deletetunnel down") == (1, "", "ifconfig: SIOCDIFPHYADDR: Input/output error\n"))
    #expect(keeper.interfaces[0].flags.contains(.up))
    #expect(ifconfig("gif8") == (1, "", "ifconfig: SIOCGIFFLAGS gif8: No such device or address\n"))
    #expect(ifconfig("gif8 destroy") == (1, "", "ifconfig: SIOCIFDESTROY: No such device or address\n"))
    #expect(ifconfig("gif8 up") == (1, "", "ifconfig: SIOCSIFFLAGS: No such device or address\n"))
  }

  @Test("l2tp's words on another interface name the request and say why (T-165)")
  func l2tp() {
    _ = ifconfig("gif0 create")
    for (words, request) in [
      ("session 1 2", "SIOCSL2TPSESSION"), ("deletesession", "SIOCDL2TPSESSION"), ("cookie 4 1 4 1", "SIOCSL2TPCOOKIE"),
      ("deletecookie", "SIOCDL2TPCOOKIE"),
    ] {
      let refused = ifconfig("gif0 \(words) up")
      #expect(
        refused
          == (1, "", "ifconfig: \(request): Operation not supported (valid only with l2tp(4) interfaces)\n"))
    }
    #expect(!keeper.interfaces[0].flags.contains(.up))
  }

  @Test("addresses of two families are no tunnel, and nothing is done (T-101, T-102)")
  func families() {
    let words = "gif0 create up tunnel 10.0.0.1 fc00::1"
    #expect(ifconfig(words) == (1, "", "ifconfig: source and destination address families do not match\n"))
    #expect(ifconfig("gif0 tunnel ff02::1 fc00::1") == (1, "", "ifconfig: tunnel src/dst is multicast\n"))
    #expect(keeper.asked.isEmpty)
  }

  @Test("-l lists names, -d and -u some of them, -C the kinds")
  func lists() {
    _ = ifconfig("gif0 create up")
    _ = ifconfig("gif1 create")
    #expect(ifconfig("-l") == (0, "gif0 gif1\n", ""))
    #expect(ifconfig("-lu") == (0, "gif0\n", "") && ifconfig("-l -d") == (0, "gif1\n", ""))
    #expect(ifconfig("-ad").out.hasPrefix("gif1: ") && ifconfig("-au").out.hasPrefix("gif0: "))
    #expect(ifconfig("-C") == (0, InterfaceKind.cloners.map(\.rawValue).joined(separator: " ") + "\n", ""))
  }

  @Test("-N shows the names of hosts where there are any, as getent finds them (T-163)", .timeLimit(.minutes(1)))
  func hosts() throws {
    _ = ifconfig("gif0 create 127.0.0.1/32 192.0.2.77")
    #expect(ifconfig("gif0").out.contains("\tinet 127.0.0.1 -> 192.0.2.77 "))
    let found = try Child(["getent", "hosts", "127.0.0.1"]).finish().out.split(
      separator: " ", omittingEmptySubsequences: true)
    let name = found.count > 1 ? String(found[1].prefix { !$0.isNewline }) : "127.0.0.1"
    #expect(ifconfig("-N gif0").out.contains("\tinet \(name) -> 192.0.2.77 "))
  }

  @Test("an interface that goes while all are listed is left out; another refusal is told")
  func gone() {
    _ = ifconfig("gif0 create")
    keeper.refusals = ["gif1": ENXIO]
    #expect(ifconfig("-a") == (0, "gif0: flags=8010<POINTOPOINT,MULTICAST> mtu 1280\n", ""))
    keeper.refusals = ["gif1": EIO]
    #expect(ifconfig("-a").status == 1)
  }

  @Test("nothing in a status can command the terminal")
  func hostileStatus() {
    var status = InterfaceStatus(name: "gif\u{1b}[2J", flags: [], mtu: 1280)
    status.lastError = "\u{9b}31m\tx"
    keeper.interfaces = [status]
    let out = ifconfig("-av").out
    #expect(out.hasPrefix("gif\\x1b[2J: ") && out.contains("\tlast error: \\x9b31m\\x09x\n"))
    #expect(ifconfig("-l").out == "gif\\x1b[2J\n")
  }

  @Test(
    "a command line that cannot be: a line, then the usage",
    arguments: [
      ("-z", "unknown option '-z'"), ("-al", "-a -l do not go together"), ("-lC", "-C -l do not go together"),
      ("-lv", "-l -v do not go together"), ("-a gif0", "-a takes inet or inet6, or no word"),
      ("-l gif0", "-l takes no word"), ("-C inet", "-C takes no word"), ("--socket", "--socket needs a path"),
      ("--nothing", "unknown option '--nothing'"),
      ("gif0 upp", "'upp' is neither a keyword nor a numeric address"),
    ])
  func usage(_ words: String, _ text: String) {
    let refused = ifconfig(words)
    #expect(refused.status == 1 && refused.out.isEmpty)
    #expect(refused.err == "ifconfig: \(text)\n\(IfconfigCommand.usage)\n(swbpf ifconfig -h lists the words)\n")
  }

  @Test("--socket names the daemon")
  func socket() throws {
    for words in [["--socket", "/a", "-l"], ["--socket=/a", "-l"], ["-l", "--socket", "/a"]] {
      var asked: String?
      let status = IfconfigCommand.run(
        words, output: { _ in }, complain: { _ in },
        connect: {
          asked = $0
          return keeper
        })
      #expect(status == 0 && asked == "/a")
    }
  }

  @Test("without a daemon: a line, exit status 1", .timeLimit(.minutes(1)))
  func noDaemon() throws {
    for words in [["gif0"], [], ["-a"], ["-l"], ["gif0", "create"]] {
      let output = try Child([Tool.swbpf, "ifconfig", "--socket", "/nowhere/swbpf.sock"] + words).finish()
      #expect(output.status == .exited(1) && output.out.isEmpty)
      #expect(
        output.err
          == "ifconfig: no daemon listens at /nowhere/swbpf.sock (one is started with swbpf daemon, as root)\n")
    }
  }

  @Test("-h lists every word; completions and the manual know them", .timeLimit(.minutes(1)))
  func help() throws {
    let output = try Child([Tool.swbpf, "ifconfig", "-h"]).finish()
    #expect(output.status == .exited(0) && output.err.isEmpty && output.out == IfconfigCommand.help)
    #expect(output.lines.allSatisfy { $0.count <= 100 })
    let section = try manual("IFCONFIG")
    let known = try #require(CompletionScript.subcommands.first { $0.name == "ifconfig" })
    for option in IfconfigOption.all {
      #expect(output.out.contains("\n  -\(option.letter)"))
      #expect(known.words.contains("-\(option.letter)") && section.contains("Fl \(option.letter)"), "-\(option.letter)")
    }
    for word in IfconfigLine.keywords {
      #expect(output.out.contains(word) && known.words.contains(word), "\(word)")
      #expect(section.contains(word.replacing("-", with: "", maxReplacements: 1)), "\(word)")
    }
  }
}

/// A section of the manual.
func manual(_ section: String) throws -> Substring {
  let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
  let text = try Child(["cat", root + "/man/swbpf.1"]).finish().out
  let parts = text.split(separator: ".Sh \(section)\n")
  return try #require(parts.count == 2 ? parts[1].split(separator: "\n.Sh ").first : nil)
}
