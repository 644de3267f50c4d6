import Testing

@testable import SwBPFPackets

struct ViewTests {
  @Test("a view needs its fixed part and nothing more")
  func lengths() {
    let bytes = [UInt8](repeating: 0, count: 40)
    func opens(_ length: Int) -> [Bool] {
      let span = bytes.span.bytes.extracting(first: length)
      var answers: [Bool] = []
      if EthernetView(span) != nil { answers.append(true) } else { answers.append(false) }
      if ARPView(span) != nil { answers.append(true) } else { answers.append(false) }
      if IPv4View(span) != nil { answers.append(true) } else { answers.append(false) }
      if IPv6View(span) != nil { answers.append(true) } else { answers.append(false) }
      if TCPView(span) != nil { answers.append(true) } else { answers.append(false) }
      if UDPView(span) != nil { answers.append(true) } else { answers.append(false) }
      return answers
    }
    #expect(opens(7) == [false, false, false, false, false, false])
    #expect(opens(8) == [false, true, false, false, false, true])
    #expect(opens(14) == [true, true, false, false, false, true])
    #expect(opens(20) == [true, true, true, false, true, true])
    #expect(opens(40) == [true, true, true, true, true, true])
  }

  @Test("reads the fields of IPv4 and TCP")
  func fields() {
    let packet: [UInt8] = [
      0x46, 0, 0, 64, 0x12, 0x34, 0x60, 0x07, 63, 6, 0xab, 0xcd, 10, 0, 0, 1, 10, 0, 0, 2,
      0x9c, 0x41, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x80, 0x12, 2, 0, 0x11, 0x22, 0, 3,
    ]
    guard let header = IPv4View(packet.span.bytes),
      let tcp = TCPView(packet.span.bytes.extracting(droppingFirst: 20))
    else {
      Issue.record("the headers are whole")
      return
    }
    let small = [Int(header.version), header.headerLength, Int(header.totalLength), Int(header.fragmentOffset)]
    #expect(small == [4, 24, 64, 7])
    let rest = [Int(header.timeToLive), Int(header.transport), Int(header.checksum), Int(header.source)]
    #expect(rest == [63, 6, 0xabcd, 0x0a00_0001])
    let more = header.moreFragments
    #expect(more)
    let ports = [Int(tcp.sourcePort), Int(tcp.destinationPort), tcp.headerLength, Int(tcp.flags)]
    #expect(ports == [40001, 80, 32, 0x12])
    let numbers = [Int(tcp.sequence), Int(tcp.acknowledgement), Int(tcp.window), Int(tcp.urgent)]
    #expect(numbers == [1, 2, 512, 3])
  }
}
