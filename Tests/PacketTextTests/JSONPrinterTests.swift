import Foundation
import TestSupport
import Testing

@testable import SwBPFPacketText

struct JSONPrinterTests {
  /// One object without the fields before `"captured"`'s end, which the test of the prelude covers.
  private func body(_ hex: String, _ linkType: Int32 = 101, wireLength: Int? = nil) throws -> String {
    let line = json([Record(bytes(hex), wireLength: wireLength)], plain(linkType))[0]
    let captured = try #require(line.range(of: #""captured":[0-9]+"#, options: .regularExpression))
    let rest = line[captured.upperBound...]
    #expect(rest.hasSuffix("}\n"))
    return String(rest.dropFirst().dropLast(2))
  }

  private static let ipv4 = "45000030 0007 4000 40 11 0000 0a000001 0a000002"

  @Test("begins with time, link type and lengths")
  func prelude() throws {
    let record = Record([0x45], wireLength: 60)
    let line = json([record], plain(101), seconds: 1_700_000_000, nanoseconds: 123_456_789)[0]
    #expect(
      line == #"{"time":"1700000000.123456","link":"raw","length":60,"captured":1,"truncated":"ip"}"# + "\n")
    #expect(json([record], plain(147))[0].contains(#""link":147,"length":60,"captured":1}"#))
    #expect(json([record], plain(-1))[0].contains(#""link":-1,"#))
  }

  @Test(
    "writes times exactly, whatever a file holds",
    arguments: [
      (0, 0, "0.000000", "0.000000000"), (1, 999_999_999, "1.999999", "1.999999999"),
      (4_294_967_295, 1, "4294967295.000000", "4294967295.000000001"),
      (5, 3_000_000_001, "8.000000", "8.000000001"), (-1, 500_000_000, "-0.500000", "-0.500000000"),
      (-2, 0, "-2.000000", "-2.000000000"), (1 << 40, 7000, "1099511627776.000007", "1099511627776.000007000"),
    ] as [(Int64, UInt32, String, String)])
  func times(_ seconds: Int64, _ nanoseconds: UInt32, _ micro: String, _ nano: String) throws {
    var options = plain(1)
    for expected in [micro, nano] {
      options.nanoseconds = expected == nano && nano != micro
      let line = json([Record([0])], options, seconds: seconds, nanoseconds: nanoseconds)[0]
      #expect(try Object(line).text("time") == expected)
    }
  }

  @Test("names the interface of a capture, and those of cooked frames by their index, once each")
  func interfaces() throws {
    #expect(try Object(json([Record([0])], plain(1), interface: "eth0")[0]).text("interface") == "eth0")
    var asked: [UInt32] = []
    let frames = [7, 8, 7, 9, 8].map { index in
      Record(bytes("0800 0000 00000000 0001 04 06 020000000001 0000").enumerated().map { $0 == 7 ? index : $1 })
    }
    let lines = json(frames, plain(276), interface: "any") { index in
      asked.append(index)
      return index == 9 ? nil : "if\(index)"
    }
    let objects = try lines.map { try Object($0) }
    #expect(objects.map { $0.text("interface") } == ["if7", "if8", "if7", nil, "if8"])
    #expect(objects.map { $0["cooked"]?.number("interface_index") } == [7, 8, 7, 9, 8])
    #expect(asked == [7, 8, 9])
  }

  @Test("more interfaces than are remembered keep their names")
  func manyInterfaces() throws {
    let frames = (0..<900).map { place -> Record in
      let index = place * 7 % 600
      return Record([8, 0, 0, 0, 0, 0, UInt8(index >> 8), UInt8(index & 255), 0, 1] + [UInt8](repeating: 0, count: 10))
    }
    let lines = json(frames, plain(276)) { "if\($0)" }
    for (place, line) in lines.enumerated() {
      #expect(try Object(line).text("interface") == "if\(place * 7 % 600)")
    }
  }

  @Test("escapes what a name may hold", .needsTool("python3"))
  func escapes() throws {
    let name = "a\"b\\c\u{1b}[31m\n\t\u{7f}\u{9b}é\u{1f980}\u{0}"
    let line = json([Record([0])], plain(1), interface: name)[0]
    #expect(try Object(line).text("interface") == name)
    #expect(line.unicodeScalars.dropLast().allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) })
    #expect(line.contains(#""interface":"a\"b\\c\u001b[31m\u000a\u0009\u007f\u009bé"#))
  }

  @Test(
    "says what the kernel knew of the direction", arguments: [(0, "in"), (1, "in"), (3, "in"), (4, "out"), (5, nil)])
  func direction(_ packetType: UInt8, _ expected: String?) throws {
    let cooked = [0, packetType] + bytes("0001 0006 020000000001 0000 0800")
    #expect(try Object(json([Record(cooked)], plain(113))[0]).text("direction") == expected)
    let cooked2 = bytes("0800 0000 00000003 0001") + [packetType, 6] + bytes("020000000001 0000")
    #expect(try Object(json([Record(cooked2)], plain(276))[0]).text("direction") == expected)
  }

  @Test("Ethernet with two tags")
  func tags() throws {
    #expect(
      try body("0a0000000001 0a0000000002 88a8 6005 8100 1009 88b5 0102", 1) == #"""
        "ethernet":{"source":"0a:00:00:00:00:02","destination":"0a:00:00:00:00:01","type":34984},\#
        "vlan":[{"id":5,"priority":3,"dei":false,"type":33024},{"id":9,"priority":0,"dei":true,"type":34997}],"payload":2
        """#)
    #expect(
      try body("0a0000000001 0a0000000002 8100 6005 8100 10", 1, wireLength: 64).hasSuffix(
        #""vlan":[{"id":5,"priority":3,"dei":false,"type":33024}],"truncated":"vlan""#))
  }

  @Test("802.3 with LLC and SNAP")
  func llc() throws {
    #expect(
      try body("0a0000000001 0a0000000002 0009 aaaa03 00000c 2000 ff", 1).hasSuffix(
        #""length":9},"llc":{"dsap":170,"ssap":170,"control":3,"oui":12,"type":8192},"payload":1"#))
    #expect(
      try body("0a0000000001 0a0000000002 0003 424203 000000", 1).hasSuffix(
        #""llc":{"dsap":66,"ssap":66,"control":3},"payload":0"#))
  }

  @Test("ARP")
  func arp() throws {
    #expect(
      try body("ffffffffffff 0a0000000002 0806 0001 0800 06 04 0001 0a0000000002 c0000202 000000000000 c0000201", 1)
        .hasSuffix(
          #"""
          "arp":{"operation":1,"hardware_type":1,"protocol_type":2048,"sender_hardware":"0a:00:00:00:00:02",\#
          "sender":"192.0.2.2","target_hardware":"00:00:00:00:00:00","target":"192.0.2.1"}
          """#))
  }

  @Test("UDP over IPv4")
  func udp() throws {
    #expect(
      try body(Self.ipv4 + "9c410009 001c 1234" + String(repeating: "00", count: 20)) == #"""
        "ip":{"version":4,"source":"10.0.0.1","destination":"10.0.0.2","protocol":17,"ttl":64,"tos":0,"id":7,"length":48,\#
        "header_length":20,"checksum":0,"dont_fragment":true},\#
        "udp":{"source":40001,"destination":9,"length":28,"checksum":4660},"payload":20
        """#)
  }

  @Test("TCP with options")
  func tcp() throws {
    #expect(
      try body(
        "4500003c 0001 0000 40 06 0000 0a000001 0a000002 1234 0050 00000001 ffffffff a0 12 faf0 0000 0000"
          + "020405b4 0402 080a 00000005 00000006 01 030307"
      ).hasSuffix(
        #"""
        "tcp":{"source":4660,"destination":80,"flags":"S.","seq":1,"ack":4294967295,"window":64240,"checksum":0,\#
        "header_length":40,"options":[{"kind":2,"mss":1460},{"kind":4,"sack_permitted":true},\#
        {"kind":8,"value":5,"echo":6},{"kind":3,"scale":7}]},"payload":0
        """#))
    #expect(
      try body(
        "4500003c 0001 0000 40 06 0000 0a000001 0a000002 1234 0050 00000001 00000000 a0 20 faf0 0000 0009"
          + "0512 00000001 00000002 00000003 00000004 1e00"
      ).hasSuffix(
        #"""
        "flags":"U","seq":1,"window":64240,"checksum":0,"urgent":9,"header_length":40,\#
        "options":[{"kind":5,"sack":[[1,2],[3,4]]}]},"malformed":"tcp"
        """#))
  }

  @Test("IPv6 with extension headers and a first fragment")
  func ipv6() throws {
    #expect(
      try body(
        "60012345 0020 00 40 fe800000000000000000000000000001 00000000000000000000000000000001"
          + "2c00 050200000100 3a00 0001 00000007 8000 1234 0005 0006 0000000000000000"
      ) == #"""
        "ip":{"version":6,"source":"fe80::1","destination":"::1","ttl":64,"tos":0,"flow":74565,"length":72,\#
        "extensions":[0,44],"fragment":{"offset":0,"more":true,"id":7},"protocol":58},\#
        "icmp6":{"type":128,"code":0,"checksum":4660,"id":5,"sequence":6},"payload":8
        """#)
  }

  @Test("packets inside packets are the field inner")
  func tunnels() throws {
    let inner = "60000000 0008 11 40" + String(repeating: "00", count: 32) + "0001 0002 0008 0000"
    let object = try Object(
      json([Record(bytes("45000044 0000 0000 40 29 0000 01010101 02020202" + inner))], plain(101))[0])
    #expect(object["inner"]?.number("length") == 48)
    #expect(object["inner"]?["udp"]?.number("destination") == 2)
    let gre = "3000 0800 0000002a 00000009 4500001c 0000 0000 40 11 0000 03030303 04040404 0001 0002 0008 0000"
    let tunnel = try Object(
      json([Record(bytes("45000040 0000 0000 40 2f 0000 01010101 02020202" + gre))], plain(101))[0])
    #expect(tunnel["gre"]?.number("key") == 42 && tunnel["gre"]?.number("sequence") == 9)
    #expect(tunnel["inner"]?["ip"]?.text("source") == "3.3.3.3")
  }

  @Test("packets inside packets end at a limit")
  func nested() throws {
    var frame: [UInt8] = []
    for level in 0..<3000 {
      let length = 65000 - level * 20
      frame += [0x45, 0, UInt8(length >> 8), UInt8(length & 255), 0, 0, 0, 0, 64, 4, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    }
    let object = try Object(json([Record(frame, wireLength: 65000)], plain(101))[0])
    #expect(object.levels.count == 17)
    #expect(object.levels.last?.number("payload") == 65000 - 17 * 20)
  }

  @Test("a packet cut at any byte names the header that was cut, and keeps the others")
  func cuts() throws {
    let frame = bytes(
      "ffffffffffff 0a0000000002 8100 0005 0800 45000030 0007 4000 40 06 0000 0a000001 0a000002"
        + "1234 0050 00000001 00000002 60 10 faf0 0000 0000 020405b4 0102030405060708")
    for length in 1...frame.count {
      let object = try Object(json([Record(Array(frame.prefix(length)), wireLength: frame.count)], plain(1))[0])
      let expected =
        length < 14
        ? "ethernet" : length < 18 ? "vlan" : length < 38 ? "ip" : length < 62 ? "tcp" : nil
      #expect(object.text("truncated") == expected)
      #expect(object.has("ethernet") == (length >= 14) && object.has("ip") == (length >= 38))
      #expect(object.has("tcp") == (length >= 58) && object.number("payload") == (length >= 62 ? 4 : nil))
      #expect(!object.has("malformed"))
    }
  }

  @Test(
    "headers that contradict themselves are called malformed",
    arguments: [
      ("44000030 0007 4000 40 11 0000 0a000001 0a000002", "ip"),
      ("45000010 0007 4000 40 11 0000 0a000001 0a000002", "ip"), ("60", "ip"),
      ("45000018 0007 4000 40 11 0000 0a000001 0a000002 00000000", "udp"),
      ("4500001c 0007 4000 40 11 0000 0a000001 0a000002 00010002 0007 0000", "udp"),
      ("45000028 0007 4000 40 06 0000 0a000001 0a000002 00010002 00000000 00000000 40000000 00000000", "tcp"),
    ])
  func malformed(_ hex: String, _ layer: String) throws {
    // DLT_NULL, so that the family says IPv4.
    let object = try Object(json([Record(bytes("02000000" + hex), wireLength: 100)], plain(0))[0])
    #expect(object.text("malformed") == layer)
  }
}
