import SwBPFPackets
import Testing

@testable import SwBPFTunnels

struct PairTableTests {
  private func pair(_ number: UInt32, _ ipv6: Bool) -> TunnelPair? {
    ipv6
      ? TunnelPair(source: IPAddress(v6: 0xfc00 << 48, UInt64(number)), destination: IPAddress(v6: 0xfc00 << 48, 1))
      : TunnelPair(source: IPAddress(v4: 0x0a00_0001), destination: IPAddress(v4: 0x0b00_0000 + number))
  }

  @Test("T-093 each of many tunnels is found by its pair alone", arguments: [0, 1, 3, 4, 5, 1000])
  func finds(_ count: Int) throws {
    let pairs = (0..<count).map { pair(UInt32($0), $0 % 2 == 1) }
    let table = PairTable(pairs)
    #expect(pairs.map { table.number(of: $0!) } == Array(0..<count))
    for number in UInt32(count)..<UInt32(count + 1000) {
      let other = try #require(pair(number, number % 2 == 1))
      #expect(table.number(of: other) == nil)
    }
  }

  @Test(
    "T-098 a reversed pair is another one; of equal pairs the first counts, and tunnels without addresses are not found"
  )
  func kinds() throws {
    let one = TunnelPair.ipv4
    let reversed = try #require(TunnelPair(source: one.destination, destination: one.source))
    let table = PairTable([nil, one, nil, reversed, one])
    #expect(table.number(of: one) == 1)
    #expect(table.number(of: reversed) == 3)
    #expect(table.number(of: .ipv6) == nil)
    #expect(table.number(of: .none) == nil)
  }
}
