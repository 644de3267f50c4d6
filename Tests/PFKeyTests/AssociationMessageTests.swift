import Glibc
import SwBPFPackets
import Testing

@testable import SwBPFPFKey

@Suite struct AssociationMessageTests {
  private let asker = Asker()

  @Test("T-156: SPI 255 is EINVAL, 256 is taken; the same again is EEXIST")
  func spis() throws {
    #expect(try asker.add(.cbc(0)) == EINVAL)
    #expect(try asker.add(.cbc(255)) == EINVAL)
    #expect(try asker.add(.cbc(256)) == 0)
    #expect(try asker.add(.cbc(256)) == EEXIST)
    // Another head may have it.
    #expect(try asker.add(.cbc(256, reqid: 5)) == 0)
    #expect(try asker.dump().map(\.reqid) == [0, 5])
  }

  @Test("T-157: a key of another length is EINVAL", arguments: EncryptionAlgorithm.allCases.filter(\.isOffered))
  func encryptionKeys(algorithm: EncryptionAlgorithm) throws {
    asker.engine[.chacha20Poly1305] = true
    for bits in algorithm.keyBits {
      for difference in [-1, 0, 1] where bits / 8 + difference >= 0 {
        var new = SecurityAssociation.cbc(1000)
        new.encryption = algorithm
        new.encryptionKey = [UInt8](repeating: 3, count: bits / 8 + difference)
        if algorithm.isAuthenticated {
          new.authentication = .none
          new.authenticationKey = []
        }
        #expect(try asker.add(new) == (difference == 0 ? 0 : EINVAL))
        _ = try asker.ask(MessageHeader(.flush).complete)
      }
    }
  }

  @Test(
    "T-157: so is one for authentication",
    arguments: AuthenticationAlgorithm.allCases.filter { $0.isOffered && $0 != .null })
  func authenticationKeys(algorithm: AuthenticationAlgorithm) throws {
    for difference in [-1, 0, 1] {
      var new = SecurityAssociation.cbc(1000)
      new.authentication = algorithm
      new.authenticationKey = [UInt8](repeating: 3, count: algorithm.keyBits[0] / 8 + difference)
      #expect(try asker.add(new) == (difference == 0 ? 0 : EINVAL))
    }
  }

  @Test("algorithms that are not offered are EINVAL", arguments: EncryptionAlgorithm.allCases.filter { !$0.isOffered })
  func refused(algorithm: EncryptionAlgorithm) throws {
    var new = SecurityAssociation.cbc(1000)
    new.encryption = algorithm
    new.encryptionKey = [UInt8](repeating: 3, count: algorithm.keyBits[0] / 8)
    #expect(try asker.add(new) == EINVAL)
  }

  @Test("a number that is no algorithm, a missing key, and one lifetime without the other are EINVAL")
  func malformed() throws {
    var message = try #require(SecurityAssociation.cbc(1000).message(.add, withKeys: true))
    message[27] = 99
    #expect(try asker.errno(message) == EINVAL)
    #expect(try asker.errno(SecurityAssociation.cbc(1000).message(.add, withKeys: false)) == EINVAL)
    var new = SecurityAssociation.cbc(1000)
    new.hard = Lifetime(addTime: 5)
    #expect(try asker.add(new) == EINVAL)
    new.hard = nil
    new.soft = Lifetime(addTime: 5)
    #expect(try asker.add(new) == EINVAL)
    // A key that is longer than its extension.
    message = try #require(SecurityAssociation.gcm(1000).message(.add, withKeys: true))
    message[message.count - 28] = 0xff
    #expect(try asker.errno(message) == EINVAL)
  }

  @Test(
    "without integrity an association is EINVAL, unless that is allowed",
    arguments: [EncryptionAlgorithm.null, .aesCBC, .aesCTR])
  func integrity(algorithm: EncryptionAlgorithm) throws {
    var new = SecurityAssociation.cbc(1000)
    new.encryption = algorithm
    new.encryptionKey = [UInt8](repeating: 3, count: algorithm.keyBits[0] / 8)
    new.authentication = .none
    new.authenticationKey = []
    #expect(try asker.add(new) == EINVAL)
    new.authentication = .null
    #expect(try asker.add(new) == EINVAL)
    asker.engine.permitsNoAuth = true
    #expect(try asker.add(new) == 0)
  }

  @Test("ChaCha20-Poly1305 is EINVAL until it is asked for")
  func chacha() throws {
    var new = SecurityAssociation.gcm(1000)
    new.encryption = .chacha20Poly1305
    new.encryptionKey = [UInt8](repeating: 7, count: 36)
    #expect(try asker.add(new) == EINVAL)
    for other in KeySetting.allCases where other != .chacha20Poly1305 { asker.engine[other] = true }
    #expect(try asker.add(new) == EINVAL)
    asker.engine[try #require(KeySetting(rawValue: "net.ipsec.chacha"))] = true
    #expect(try asker.add(new) == 0)
    // What is there stays, and cannot be made anew.
    asker.engine[.chacha20Poly1305] = false
    #expect(try asker.errno(new.message(.update, withKeys: true)) == EINVAL)
    #expect(try asker.dump().map(\.encryption) == [.chacha20Poly1305])
  }

  @Test("extended sequence numbers are EINVAL until they are asked for", arguments: [true, false])
  func extendedSequence(isESP: Bool) throws {
    var new = isESP ? SecurityAssociation.gcm(1000) : .ah(1000)
    new.flags.insert(.extendedSequence)
    #expect(try asker.add(new) == EINVAL)
    for other in KeySetting.allCases where other != .extendedSequence { asker.engine[other] = true }
    #expect(try asker.add(new) == EINVAL)
    asker.engine[try #require(KeySetting(rawValue: "net.ipsec.esn"))] = true
    #expect(try asker.add(new) == 0)
    #expect(try asker.dump().map { $0.flags.contains(.extendedSequence) } == [true])
  }

  @Test("a key that counts may serve one association only, whatever the transform")
  func keyReuse() throws {
    #expect(try asker.add(.gcm(1000)) == 0)
    #expect(try asker.add(.gcm(1001)) == EEXIST)
    var counter = SecurityAssociation.gcm(1002)
    counter.encryption = .aesCTR
    counter.authentication = .hmacSHA256
    counter.authenticationKey = [UInt8](repeating: 1, count: 32)
    #expect(try asker.add(counter) == EEXIST)
    #expect(try asker.add(.gcm(1001, key: 2)) == 0)
    // Those of CBC and HMAC may repeat.
    #expect(try asker.add(.cbc(1003)) == 0)
    #expect(try asker.add(.cbc(1004)) == 0)
    // It is free again when the association is gone.
    #expect(try asker.errno(SecurityAssociation.gcm(1000).nameMessage(.delete)) == 0)
    #expect(try asker.add(.gcm(1005)) == 0)
    #expect(try asker.errno(SecurityAssociation.gcm(1005).message(.update, withKeys: true)) == 0)
    #expect(try asker.errno(SecurityAssociation.gcm(1005, key: 2).message(.update, withKeys: true)) == EEXIST)
    #expect(try asker.errno(MessageHeader(.flush).complete) == 0)
    #expect(try asker.add(.gcm(1006)) == 0)
  }

  @Test("T-158: neither the answers to ADD and UPDATE nor those to failures have keys in them")
  func keysStayInside() throws {
    for (type, errno) in [(MessageType.add, 0), (.add, EEXIST), (.update, 0)] {
      try asker.engine.send(
        try #require(SecurityAssociation.cbc(1000).message(type, withKeys: true)), from: asker.socket)
      var all: [[UInt8]] = []
      while let message = asker.socket.receive() { all.append(message) }
      while let message = asker.listener.receive() { all.append(message) }
      #expect(all.count == (errno == 0 ? 2 : 1))
      for bytes in all {
        let message = try Message(bytes)
        #expect(CInt(message.header.errno) == errno)
        #expect(!message.has(.keyAuth) && !message.has(.keyEncrypt))
        #expect(!bytes.contains(0x5e) && !bytes.contains(0xa5))
      }
    }
    // The dump has them.
    #expect(try asker.dump().first?.encryptionKey == SecurityAssociation.cbc(0).encryptionKey)
    #expect(try asker.heard().isEmpty)
  }

  @Test("T-159: a flush of one protocol leaves the other's associations")
  func flush() throws {
    for spi in [1000, 1001] as [UInt32] {
      #expect(try asker.add(.cbc(spi)) == 0)
      #expect(try asker.add(.ah(spi)) == 0)
    }
    #expect(try asker.dump(.esp).map(\.spi) == [1000, 1001])
    #expect(try asker.errno(MessageHeader(.flush, .esp).complete) == 0)
    #expect(try asker.dump().map(\.proto) == [.ah, .ah])
    #expect(asker.spi(PolicyRequest(.esp, .transport, .require), Endpoint(.one), Endpoint(.two)) == nil)
    #expect(try asker.errno(GoldenBytes.a) == 0)
    #expect(try asker.errno(MessageHeader(.flush).complete) == 0)
    #expect(try asker.dump().isEmpty)
    #expect(try asker.policies().count == 1)
    #expect(try asker.errno(MessageHeader(.spdFlush).complete) == 0)
    #expect(try asker.policies().isEmpty)
  }

  @Test("GET and DELETE of what is not there, and UPDATE of it, are ENOENT")
  func absent() throws {
    #expect(try asker.errno(SecurityAssociation.cbc(1000).nameMessage(.get)) == ENOENT)
    #expect(try asker.errno(SecurityAssociation.cbc(1000).nameMessage(.delete)) == ENOENT)
    #expect(try asker.errno(SecurityAssociation.cbc(1000).message(.update, withKeys: true)) == ENOENT)
    #expect(try asker.add(.cbc(1000)) == 0)
    let found = try asker.ask(SecurityAssociation.cbc(1000).nameMessage(.get))
    #expect(try found.map { try SecurityAssociation($0).authenticationKey.count } == [32])
    #expect(try asker.errno(SecurityAssociation.cbc(1000).nameMessage(.delete)) == 0)
    #expect(try asker.dump().isEmpty)
  }

  @Test("DELETE without an SPI removes all between two addresses")
  func deleteAll() throws {
    for spi in 1000..<1010 as Range<UInt32> { #expect(try asker.add(.cbc(spi)) == 0) }
    var other = SecurityAssociation.cbc(1010)
    other.source = .two
    other.destination = .one
    #expect(try asker.add(other) == 0)
    var writer = MessageWriter(MessageHeader(.delete, .esp))
    writer.add(.addressSource, .one)
    writer.add(.addressDestination, .two)
    let message = writer.finish()
    #expect(try asker.errno(message) == 0)
    #expect(try asker.dump().map(\.spi) == [1010])
  }

  @Test("a dump counts down to 0")
  func dump() throws {
    for spi in 1000..<1003 as Range<UInt32> { #expect(try asker.add(.cbc(spi)) == 0) }
    let answers = try asker.ask(MessageHeader(.dump, sequence: 77, pid: 9).complete)
    #expect(answers.map(\.header.sequence) == [2, 1, 0])
    #expect(answers.allSatisfy { $0.header.pid == 9 && $0.header.type == 10 })
    #expect(answers.map { $0.sa?.spi } == [1000, 1001, 1002])
  }

  @Test("keys are overwritten when their association goes, once nobody looks at it")
  func zeroed() throws {
    #expect(try asker.add(.cbc(1000)) == 0)
    let keys = try #require(
      asker.inside { () -> KeyMaterial? in
        asker.engine.association(to: .two, spi: 1000, proto: .esp)?.takeUnretainedValue().encryptionKey
      })
    #expect(keys.copy() == [UInt8](repeating: 0x5e, count: 32))
    #expect(try asker.errno(MessageHeader(.flush).complete) == 0)
    for _ in 0..<2000 where !keys.isErased { usleep(1000) }
    #expect(keys.isErased)
    #expect(keys.copy() == [UInt8](repeating: 0, count: 32))
  }

  @Test("GETSPI reserves a number, UPDATE gives it keys; without them it goes after half a minute")
  func larval() throws {
    func getSPI(_ range: ClosedRange<UInt32>) throws -> [UInt8]? {
      var writer = MessageWriter(MessageHeader(.getSPI, .esp, sequence: 3, pid: 4))
      writer.addSA2(mode: .transport, sequence: 0, reqid: 0)
      writer.add(.addressSource, .one)
      writer.add(.addressDestination, .two)
      writer.add(range)
      return writer.finish()
    }
    #expect(try asker.ask(getSPI(5000...5000)).map { $0.sa?.spi } == [5000])
    #expect(try asker.errno(getSPI(5000...5000)) == EEXIST)
    #expect(try asker.errno(getSPI(0...200)) == EINVAL)
    let spi = try #require(try asker.ask(getSPI(0...UInt32.max)).first?.sa?.spi)
    #expect(spi > 255)
    #expect(asker.spi(PolicyRequest(.esp, .transport, .require), Endpoint(.one), Endpoint(.two)) == nil)
    #expect(try asker.errno(SecurityAssociation.cbc(5000).message(.update, withKeys: true)) == 0)
    #expect(asker.spi(PolicyRequest(.esp, .transport, .require), Endpoint(.one), Endpoint(.two)) == 5000)
    asker.engine.tick(now: 1029)
    #expect(try asker.dump().map(\.state) == [.larval, .mature])
    asker.engine.tick(now: 1030)
    #expect(try asker.dump().map(\.spi) == [5000])
    #expect(try asker.heard().map(\.header.type) == [2])
  }
}
