import Glibc
import SwBPFPackets
import Testing

@testable import SwBPFPFKey

@Suite struct MessageTests {
  @Test(
    "what was decoded is encoded to the same bytes",
    arguments: [GoldenBytes.a, GoldenBytes.a0, GoldenBytes.b, GoldenBytes.b0, GoldenBytes.c])
  func roundTrip(bytes: [UInt8]) throws {
    #expect(try SecurityPolicy(Message(bytes)).addMessage() == bytes)
  }

  @Test("a policy is read as its bytes say")
  func decodes() throws {
    let policy = try SecurityPolicy(Message(GoldenBytes.b0))
    let ends = PolicyRequest.Ends(from: Endpoint(.six2, port: 4500), to: Endpoint(.six1, port: 4501))
    #expect(policy.requests == [PolicyRequest(.esp, .transport, .require, reqid: 0x4001, ends: ends)])
    #expect(policy.selector.source == AddressRange(.six2))
    #expect(policy.selector.upper == 4)
  }

  /// An ESP association, byte by byte.
  private let association = GoldenBytes.bytes(
    """
    02 03 00 03 20 00 00 00 07 00 00 00 09 00 00 00
    02 00 01 00 00 00 27 10 04 01 05 0c 40 00 00 00
    02 00 13 00 01 00 00 00 00 00 00 00 04 40 00 00
    04 00 03 00 00 00 00 00 00 00 00 00 00 00 00 00
    0a 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    04 00 04 00 00 00 00 00 00 00 00 00 00 00 00 00
    05 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    03 00 05 00 ff 20 00 00 10 02 00 00 0a 00 00 01
    00 00 00 00 00 00 00 00 03 00 06 00 ff 20 00 00
    10 02 00 00 0a 00 00 02 00 00 00 00 00 00 00 00
    05 00 08 00 00 01 00 00 a5 a5 a5 a5 a5 a5 a5 a5
    a5 a5 a5 a5 a5 a5 a5 a5 a5 a5 a5 a5 a5 a5 a5 a5
    a5 a5 a5 a5 a5 a5 a5 a5 03 00 09 00 80 00 00 00
    5e 5e 5e 5e 5e 5e 5e 5e 5e 5e 5e 5e 5e 5e 5e 5e
    01 00 14 00 02 00 00 00 01 00 15 00 11 94 00 00
    01 00 16 00 11 95 00 00 01 00 19 00 00 05 00 00
    """)

  @Test("an association's message has NetBSD's layout")
  func associationLayout() throws {
    var expected = SecurityAssociation.cbc(10000, reqid: 0x4004)
    expected.encryptionKey = [UInt8](repeating: 0x5e, count: 16)
    expected.replay = 4
    expected.flags = .cyclicSequence
    expected.hard = Lifetime(addTime: 10)
    expected.soft = Lifetime(addTime: 5)
    expected.natTraversal = NATTraversal(sourcePort: 4500, destinationPort: 4501, fragment: 1280)
    expected.messageSequence = 7
    expected.pid = 9
    #expect(try SecurityAssociation(Message(association)) == expected)
    #expect(expected.message(.add, sequence: 7, pid: 9, withKeys: true) == association)
  }

  @Test("T-149: a wrong length is an error of write, and nothing is answered")
  func lengths() throws {
    let asker = Asker()
    #expect(asker.writeErrno([]) == EINVAL)
    #expect(asker.writeErrno(Array(GoldenBytes.a[..<15])) == EINVAL)
    #expect(asker.writeErrno(Array(GoldenBytes.a.dropLast())) == EINVAL)
    #expect(asker.writeErrno(GoldenBytes.a + [0]) == EINVAL)
    var other = GoldenBytes.a
    other[4] = 10
    #expect(asker.writeErrno(other) == EINVAL)
    #expect(asker.socket.receive() == nil)
    #expect(asker.listener.receive() == nil)
  }

  @Test("T-149: extensions that are there twice, unknown or ill-sized are errors of write")
  func extensions() throws {
    let asker = Asker()
    func with(_ extra: [UInt8]) -> [UInt8] {
      var bytes = GoldenBytes.a + extra
      bytes[4] = UInt8(bytes.count / 8)
      return bytes
    }
    // Twice: the source's address.
    #expect(asker.writeErrno(with(Array(GoldenBytes.a[16..<40]))) == EINVAL)
    // Unknown numbers.
    #expect(asker.writeErrno(with([1, 0, 26, 0, 0, 0, 0, 0])) == EINVAL)
    #expect(asker.writeErrno(with([1, 0, 0, 0, 0, 0, 0, 0])) == EINVAL)
    // No length, a length beyond the end, too short and too long for its kind.
    #expect(asker.writeErrno(with([0, 0, 17, 0, 0, 0, 0, 0])) == EINVAL)
    #expect(asker.writeErrno(with([2, 0, 17, 0, 0, 0, 0, 0])) == EINVAL)
    #expect(asker.writeErrno(with([1, 0, 1, 0, 0, 0, 0, 0])) == EINVAL)
    #expect(asker.writeErrno(with([2, 0, 20, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])) == EINVAL)
    // An address that is shorter or longer than its extension.
    for size in [0, 1, 8, 17, 28, 255] as [UInt8] {
      var bytes = GoldenBytes.a
      bytes[24] = size
      #expect(asker.writeErrno(bytes) == EINVAL)
    }
    #expect(asker.socket.receive() == nil)
    // One that nobody reads is no error.
    #expect(try asker.errno(with([1, 0, 17, 0, 0, 0, 0, 0])) == 0)
  }

  @Test("no cut or changed byte of a message makes it trap")
  func hostile() throws {
    let asker = Asker()
    for original in [
      GoldenBytes.a, GoldenBytes.a0, GoldenBytes.b, GoldenBytes.b0, GoldenBytes.c, GoldenBytes.d, association,
    ] {
      for index in original.indices {
        for value in [0, 1, 7, 0x7f, 0x80, 0xff] as [UInt8] {
          var bytes = original
          bytes[index] = value
          _ = asker.writeErrno(bytes)
          _ = try? SecurityPolicy(Message(bytes))
          _ = try? SecurityAssociation(Message(bytes))
          var cut = Array(bytes[..<(index / 8 * 8)])
          if cut.count >= 16 {
            cut[4] = UInt8(cut.count / 8)
            _ = asker.writeErrno(cut)
          }
          while asker.socket.receive() != nil {}
          while asker.listener.receive() != nil {}
        }
      }
    }
    #expect(asker.socket.dropped == 0)
  }
}
