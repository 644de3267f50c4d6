import Glibc
import Testing

@testable import TestSupport

@Suite("-i nflog: devices beside interfaces", .needsNamespaces, .needsTool("nft"))
struct DeviceTests {
  let wire: Wire
  let scratch: Scratch
  let sender: UDPSender
  let receiver: UDPReceiver

  init() throws {
    wire = try Wire()
    scratch = try Scratch()
    sender = try UDPSender(in: wire.near, to: wire.farEnd.ipv4, port: 9, sourcePort: 40000)
    receiver = try UDPReceiver(in: wire.far, port: 9)
    let rules = """
      table inet swbpf {
        chain in {
          type filter hook input priority 0;
          meta l4proto udp log group 5 prefix "seen"
        }
      }
      """
    let output = try wire.far.run(["nft", "-f", "-"], input: rules + "\n")
    guard output.status == .exited(0) else { throw SupportError.command(["nft"], output) }
  }

  @Test("lines and savefiles of a group", .timeLimit(.minutes(1)))
  func capture() throws {
    let lines = try wire.far.capture(["-i", "nflog:5", "-c", "3"])
    try sender.send(3)
    let text = try lines.finish()
    #expect(text.status == .exited(0))
    #expect(text.lines.count == 3)
    #expect(text.lines.allSatisfy { $0.hasSuffix(" IP 10.1.0.1.40000 > 10.1.0.2.9: UDP, length 64") }, "\(text.out)")
    #expect(
      text.err
        == "listening on nflog:5, link-type NFLOG (Linux netfilter log messages), snapshot length 262144 bytes\n"
        + counts(3))
    let file = try wire.far.capture(["-i", "nflog:5", "-w", scratch.file("a.pcap")])
    try sender.send(5)
    #expect(try file.stop().err.hasSuffix(counts(5)))
    let seen = try packets(in: scratch.file("a.pcap"))
    #expect(seen.count == 5 && seen.allSatisfy { Array($0.bytes[..<4]) == [2, 0, 0, 5] })
    #expect(seen.compactMap { UDPSender.number(in: $0.bytes.suffix(64)) } == [3, 4, 5, 6, 7])
  }

  @Test(
    "lines are tcpdump's", .timeLimit(.minutes(1)), .needsTool("tcpdump"), arguments: [[], ["-e"]])
  func asTcpdump(words: [String]) throws {
    let child = try wire.far.capture(["-i", "nflog:5", "-w", scratch.file("a.pcap")])
    try sender.send(3)
    try child.stop()
    var files = [scratch.file("a.pcap")]
    // Cut everywhere, and with families and versions that are none.
    let whole = try scratch.bytes("a.pcap")
    try #require(whole.count > 40 + 3)
    let header = Array(whole[..<24])
    let length = Int(whole[32]) | Int(whole[33]) << 8
    let record = Array(whole[40..<(40 + length)])
    var bytes = header
    func add(_ frame: [UInt8], of length: Int) {
      for value in [1, 0, frame.count, length] { bytes += (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
      bytes += frame
    }
    for cut in 1..<record.count { add(Array(record[..<cut]), of: record.count) }
    for cut in 1..<record.count { add(Array(record[..<cut]), of: cut) }
    for (place, value) in [(0, 10), (0, 7), (0, 0), (1, 1), (4, 0), (4, 3), (4, 255), (5, 255)] as [(Int, UInt8)] {
      var broken = record
      broken[place] = value
      add(broken, of: broken.count)
    }
    files.append(try scratch.file("cut.pcap", holding: bytes))
    for file in files {
      let ours = try wire.far.swbpf(["-n"] + words + ["-r", file])
      let theirs = try wire.far.run(["tcpdump", "-n"] + words + ["-r", file])
      #expect(ours.lines.count == theirs.lines.count && ours.lines.count >= 3)
      for (one, other) in zip(ours.lines, theirs.lines) where one != other {
        Issue.record("swbpf:   \(one)\ntcpdump: \(other)")
      }
    }
  }

  @Test("capabilities are gone while it captures", .timeLimit(.minutes(1)))
  func capabilities() throws {
    let child = try wire.far.capture(["-i", "nflog:5", "-w", scratch.file("a.pcap")])
    let status = try wire.far.run(["sh", "-c", "cat /proc/\(child.pid)/task/*/status"]).out
    try sender.send(2)
    #expect(try child.stop().status == .exited(0))
    #expect(try packets(in: scratch.file("a.pcap")).count == 2)
    let sets = status.split(separator: "\n").filter { $0.hasPrefix("CapEff") || $0.hasPrefix("CapPrm") }
    #expect(sets.count >= 4 && sets.allSatisfy { $0.hasSuffix("\t0000000000000000") }, "\(sets)")
  }

  @Test("-D has tcpdump's other devices, -L their link types", .timeLimit(.minutes(1)), .needsTool("tcpdump"))
  func listings() throws {
    let ours = try wire.far.swbpf(["-D"]).lines.map { $0.drop { $0 != "." } }
    let theirs = try wire.far.run(["tcpdump", "-D"]).lines.map { $0.drop { $0 != "." } }
    #expect(Set(ours) == Set(theirs), "\(ours)")
    #expect(ours.contains(".nflog (Linux netfilter log (NFLOG) interface) [none]"))
    let number = try #require(ours.firstIndex { $0.hasPrefix(".nflog ") }) + 1
    let child = try wire.far.capture(["-i", "\(number)", "-w", scratch.file("a.pcap")], saying: "listening on nflog,")
    #expect(try child.stop().status == .exited(0))
    for device in ["nflog", "nflog:3"] {
      #expect(try wire.far.swbpf(["-L", "-i", device]).out == wire.far.run(["tcpdump", "-L", "-i", device]).err)
    }
    #expect(try wire.far.swbpf(["-d", "-i", "nflog"]).out == "(000) ret      #262144\n")
  }

  @Test(
    "what cannot be had of such a device is said", .timeLimit(.minutes(1)),
    arguments: [
      (["-i", "nflog", "-Qin"], "nflog: direction is not known on this device (leave -Q and --see-sent away)"),
      (["-i", "nflog:5", "--see-sent", "off"], "nflog:5: direction is not known on this device"),
      (["-i", "nflog", "-i", "vb"], "nflog: cannot be captured together with devices of another link type"),
      (["-i", "nflog", "-i", "any"], "nflog: cannot be captured together with devices of another link type"),
      (["-i", "nfqueue"], "nfqueue: each packet waits for an answer there"),
      (["-i", "nflog", "tcp"], "NFLOG link-layer type filtering not implemented"),
      (["-i", "nflog", "-y", "EN10MB"], "nflog: EN10MB is not one of the DLTs supported by this device"),
      (["-i", "nflog:x"], "nflog:x: "),
    ])
  func refused(words: [String], message: String) throws {
    let output = try wire.far.swbpf(words)
    #expect(output.status == .exited(1) && output.out.isEmpty)
    #expect(output.errorLines.count == 1 && output.err.contains(message), "\(output.err)")
  }

  @Test("without CAP_NET_ADMIN the message is the command that has it", .timeLimit(.minutes(1)), .needsTool("setpriv"))
  func rights() throws {
    let output = try wire.far.run([
      "setpriv", "--bounding-set", "-all", "--inh-caps", "-all", Tool.swbpf, "-i", "nflog:5",
    ])
    #expect(output.status == .exited(1) && output.errorLines.count == 1)
    #expect(output.err.contains("nflog:5: no permission") && output.err.contains("try: sudo "), "\(output.err)")
  }
}
