import SwBPFPackets
import Testing

@testable import SwBPFInterfaces

@Suite("Operations and statuses as bytes")
struct InterfaceFieldsTests {
  static let four = IPAddress(v4: 0x0a00_0001)
  static let six = IPAddress(v6: 0xfc00_1001_0000_0000, 1)
  static let link = IPAddress(v6: 0xfe80 << 48, 2, scope: 7)

  static let operations: [InterfaceOperation] = [
    .up, .down, .mtu(1280), .mtu(.max), .link(0, true), .link(2, false), .unnumbered(true), .unnumbered(false),
    .tunnel(TunnelEnds(source: Endpoint(four), destination: Endpoint(IPAddress(v4: 0x0a00_0002)))!),
    .tunnel(TunnelEnds(source: Endpoint(six, port: 4500), destination: Endpoint(link, port: 65535))!),
    .deleteTunnel,
    .addAddress(InterfaceAddress(four, prefix: 32, destination: IPAddress(v4: 1))!, replaces: true),
    .addAddress(InterfaceAddress(link, prefix: 64)!, replaces: false),
    .deleteAddress(four), .deleteAddress(link), .session(L2TPSession(local: 1234, remote: .max)), .deleteSession,
    .cookie(L2TPCookies(localLength: 4, local: .max, remoteLength: 8, remote: 5)), .deleteCookie,
  ]

  static var status: InterfaceStatus {
    var status = InterfaceStatus(name: "l2tp0", flags: [.up, .running, .simplex], mtu: 8192)
    status.metric = 3
    status.linkState = .up
    status.tunnel = TunnelEnds(source: Endpoint(six, port: 1), destination: Endpoint(link))
    status.addresses = [
      InterfaceAddress(four, prefix: 24)!, InterfaceAddress(six, prefix: 128, destination: six)!,
    ]
    status.counters.inputPackets = 1
    status.counters.outputMulticasts = .max
    status.session = L2TPSession(local: 1, remote: 2)
    status.cookies = L2TPCookies(localLength: 4, local: 1, remoteLength: 8, remote: 2)
    status.lastError = "no route"
    return status
  }

  @Test("every operation is read back as it was", arguments: operations)
  func operation(_ operation: InterfaceOperation) {
    #expect(InterfaceOperation(bytes: operation.bytes) == operation)
    #expect(InterfaceOperation(bytes: operation.bytes + [0]) == nil)
    #expect(InterfaceOperation(bytes: operation.bytes + operation.bytes) == nil)
    for count in 0..<operation.bytes.count {
      #expect(InterfaceOperation(bytes: Array(operation.bytes.prefix(count))) == nil)
    }
  }

  @Test("an operation that cannot be is none")
  func refused() {
    func decoded(_ tag: UInt16, _ value: [UInt8]) -> InterfaceOperation? {
      var writer = FieldWriter()
      writer.put(tag, value)
      return InterfaceOperation(bytes: writer.bytes)
    }
    #expect(decoded(4, [3, 1]) == nil && decoded(4, [2, 2]) == nil && decoded(4, [2, 1]) == .link(2, true))
    #expect(decoded(0, []) == nil && decoded(15, []) == nil && decoded(1, [0]) == nil && decoded(3, [0, 5]) == nil)
    var families = FieldWriter()
    families.put(1, Endpoint(Self.four).fieldValue)
    families.put(2, Endpoint(Self.six).fieldValue)
    #expect(decoded(6, families.bytes) == nil)
    var prefix = FieldWriter()
    prefix.put(1, Self.four.fieldValue)
    prefix.put(2, UInt8(33))
    #expect(decoded(8, prefix.bytes) == nil)
  }

  @Test("a status is read back as it was, with and without what it need not have")
  func wholeStatus() {
    let full = Self.status
    #expect(InterfaceStatus(bytes: full.bytes) == full)
    let bare = InterfaceStatus(name: "gif0", flags: [.pointToPoint, .multicast], mtu: 1280)
    #expect(InterfaceStatus(bytes: bare.bytes) == bare)
    #expect(InterfaceStatus(bytes: []) == nil)
    #expect(InterfaceStatus(bytes: bare.bytes + bare.bytes) == nil)
    #expect(InterfaceStatus(bytes: Array(full.bytes.dropLast())) == nil)
  }

  @Test("a status with more addresses than a message holds is cut, one that says so is refused")
  func manyAddresses() throws {
    var status = InterfaceStatus(name: "gif0", flags: [], mtu: 1280)
    let address = try #require(InterfaceAddress(Self.link, prefix: 128, destination: Self.link))
    status.addresses = Array(repeating: address, count: 300)
    let bytes = status.bytes
    #expect(bytes.count < 24 << 10)
    #expect(InterfaceStatus(bytes: bytes)?.addresses.count == InterfaceStatus.mostAddresses)
    var more = FieldWriter()
    more.put(11) { address.write(to: &$0) }
    #expect(InterfaceStatus(bytes: bytes + more.bytes) == nil)
  }

  @Test("bytes that were changed anywhere are read or refused, and what is read is written the same")
  func changed() {
    var random = SystemRandomNumberGenerator()
    let seeds = Self.operations.map(\.bytes) + [Self.status.bytes]
    for _ in 0..<20000 {
      var bytes = seeds[Int(random.next(upperBound: UInt(seeds.count)))]
      for _ in 0..<Int(random.next(upperBound: UInt(4))) + 1 {
        bytes[Int(random.next(upperBound: UInt(bytes.count)))] = UInt8(truncatingIfNeeded: random.next())
      }
      if let operation = InterfaceOperation(bytes: bytes) { #expect(operation.bytes == bytes) }
      if let status = InterfaceStatus(bytes: bytes) { #expect(InterfaceStatus(bytes: status.bytes) == status) }
    }
  }

  @Test("flags are printed with BSD's bits and names (T-166)")
  func flags() {
    #expect(
      InterfaceFlags(rawValue: 0x8051).description == "8051<UP,POINTOPOINT,RUNNING,MULTICAST>")
    #expect(
      InterfaceFlags(rawValue: 0xd051).description == "d051<UP,POINTOPOINT,RUNNING,LINK0,LINK2,MULTICAST>")
    #expect(InterfaceFlags.link(2) == .link2 && InterfaceFlags.link(3) == nil && InterfaceFlags.link(-1) == nil)
    #expect(Set(InterfaceFlags.names.map(\.flag.rawValue)) == Set((0..<16).map { 1 << $0 }))
  }
}
