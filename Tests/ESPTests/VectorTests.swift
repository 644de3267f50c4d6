// Published packets and blocks, by the numbers of those who published them.
import CCrypto
import Testing

/// One packet in both forms: a header of 8 bytes, the vector, the text, the check value.
struct Vector: CustomTestStringConvertible, Sendable {
  let source: String
  var cipher = CInt(SWCRYPTO_NULL)
  var key = ""
  var mac = CInt(SWCRYPTO_NO_MAC)
  var macKey: [UInt8] = []
  var header = "0000432100000001"
  /// The high half of an extended number.
  var high: UInt32?
  var vector = ""
  let plain: String
  let encrypted: String
  var check = ""
  var testDescription: String { source }
}

@Suite struct VectorTests {
  /// RFC 4868, 2.7.2, and RFC 2202: those of their vectors whose keys are these. Where there is no check value it is none of
  /// theirs. The packet is what is authenticated, from its first byte on.
  static func hmac(
    _ source: String, _ mac: Int, _ keyLength: Int, _ checks: [String]
  ) -> [Vector] {
    let jefe = (0..<keyLength).map { Array("Jefe".utf8)[$0 % 4] }
    let data: [([UInt8], [UInt8])] = [
      ([UInt8](repeating: 0x0b, count: keyLength), Array("Hi There".utf8)),
      (jefe, Array("what do ya want for nothing?".utf8)),
      ([UInt8](repeating: 0xaa, count: keyLength), [UInt8](repeating: 0xdd, count: 50)),
      ((1...keyLength).map { UInt8($0) }, [UInt8](repeating: 0xcd, count: 50)),
    ]
    return zip(data, checks).enumerated().filter { !$0.element.1.isEmpty }.map { index, one in
      let ((key, bytes), check) = one
      return Vector(
        source: "\(source), \(index + 1)", mac: CInt(mac), macKey: key, header: digits(bytes[..<8]),
        plain: digits(bytes[8...]), encrypted: digits(bytes[8...]), check: check)
    }
  }

  static func digits(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  static let hmacs =
    hmac(
      "RFC 2202", SWCRYPTO_HMAC_SHA1, 20,
      [
        "b617318655057264e28bc0b6",
        "",
        "125d7342b9ac11cd91a39af4",
        "",
      ])
    + hmac(
      "RFC 4868, 2.7.2.1", SWCRYPTO_HMAC_SHA256, 32,
      [
        "198a607eb44bfbc69903a0f1cf2bbdc5",
        "167f928588c5cc2eef8e3093caa0e87c",
        "cdcb1220d1ecccea91e53aba3092f962",
        "372efcf9b40b35c2115b1346903d2ef4",
      ])
    + hmac(
      "RFC 4868, 2.7.2.2", SWCRYPTO_HMAC_SHA384, 48,
      [
        "b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973",
        "2c7353974f1842fd66d53c452ca42122b28c0b594cfb184d",
        "809f439be00274321d4a538652164b53554a508184a0c316",
        "",
      ])
    + hmac(
      "RFC 4868, 2.7.2.3", SWCRYPTO_HMAC_SHA512, 64,
      [
        "637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8",
        "cb370917ae8a7ce28cfd1d8f4705d6141c173b2a9362c15df235dfb251b15454",
        "2ee7acd783624ca9398710f3ee05ae41b9f9b0510c87e49e586cc9bf961733d8",
        "",
      ])

  static let cbc = [
    Vector(
      source: "RFC 3602, 1", cipher: CInt(SWCRYPTO_AES_CBC),
      key: "06a9214036b8a15b512e03d534120006",
      vector: "3dafba429d9eb430b422da802c9fac41", plain: "53696e676c6520626c6f636b206d7367",
      encrypted: "e353779c1079aeb82708942dbe77181a"),
    Vector(
      source: "RFC 3602, 2", cipher: CInt(SWCRYPTO_AES_CBC),
      key: "c286696d887c9aa0611bbb3e2025a45a",
      vector: "562e17996d093d28ddb3ba695a2e6f58",
      plain: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
      encrypted: "d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1"),
    Vector(
      source: "RFC 3602, 5: an ESP packet", cipher: CInt(SWCRYPTO_AES_CBC),
      key: "90d382b410eeba7ad938c46cec1a82bf",
      vector: "e96e8c08ab465763fd098d45dd3ff893",
      plain:
        "08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
        + "28292a2b2c2d2e2f30313233343536370102030405060708090a0b0c0d0e0e01",
      encrypted:
        "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856a4699e523a55db080b59ec3a8e4b7e52"
        + "775b07d1db34ed9c538ab50c551b874aa269add047ad2d5913ac19b7cfbad4a6"),
    Vector(
      source: "SP 800-38A, F.2.1", cipher: CInt(SWCRYPTO_AES_CBC),
      key: "2b7e151628aed2a6abf7158809cf4f3c",
      vector: "000102030405060708090a0b0c0d0e0f", plain: "6bc1bee22e409f96e93d7e117393172a",
      encrypted: "7649abac8119b246cee98e9b12e9197d"),
    Vector(
      source: "SP 800-38A, F.2.3", cipher: CInt(SWCRYPTO_AES_CBC),
      key: "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
      vector: "000102030405060708090a0b0c0d0e0f", plain: "6bc1bee22e409f96e93d7e117393172a",
      encrypted: "4f021db243bc633d7178183a9fa071e8"),
    Vector(
      source: "SP 800-38A, F.2.5", cipher: CInt(SWCRYPTO_AES_CBC),
      key: "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
      vector: "000102030405060708090a0b0c0d0e0f", plain: "6bc1bee22e409f96e93d7e117393172a",
      encrypted: "f58c4c04d6e5f1ba779eabfb5f7bfbd6"),
  ]

  static let ctr = [
    Vector(
      source: "RFC 3686, 1", cipher: CInt(SWCRYPTO_AES_CTR),
      key: "ae6852f8121067cc4bf7a5765577f39e00000030",
      vector: "0000000000000000", plain: "53696e676c6520626c6f636b206d7367",
      encrypted: "e4095d4fb7a7b3792d6175a3261311b8"),
    Vector(
      source: "RFC 3686, 2", cipher: CInt(SWCRYPTO_AES_CTR),
      key: "7e24067817fae0d743d6ce1f32539163006cb6db",
      vector: "c0543b59da48d90b", plain: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
      encrypted: "5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28"),
    Vector(
      source: "RFC 3686, 3", cipher: CInt(SWCRYPTO_AES_CTR),
      key: "7691be035e5020a8ac6e618529f9a0dc00e0017b",
      vector: "27777f3f4a1786f0", plain: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223",
      encrypted: "c1cf48a89f2ffdd9cf4652e9efdb72d74540a42bde6d7836d59a5ceaaef3105325b2072f"),
    Vector(
      source: "RFC 3686, 4", cipher: CInt(SWCRYPTO_AES_CTR),
      key: "16af5b145fc9f579c175f93e3bfb0eed863d06ccfdb7851500000048",
      vector: "36733c147d6d93cb", plain: "53696e676c6520626c6f636b206d7367",
      encrypted: "4b55384fe259c9c84e7935a003cbe928"),
    Vector(
      source: "RFC 3686, 7", cipher: CInt(SWCRYPTO_AES_CTR),
      key: "776beff2851db06f4c8a0542c8696f6c6a81af1eec96b4d37fc1d689e6c1c10400000060",
      vector: "db5672c97aa8f0b2", plain: "53696e676c6520626c6f636b206d7367",
      encrypted: "145ad01dbf824ec7560863dc71e3e0c0"),
  ]

  static let gcm = [
    Vector(
      source: "draft-mcgrew-gcm-test-01, SPI 00004321", cipher: CInt(SWCRYPTO_AES_GCM),
      key: "4c80cdefbb5d10da906ac73c3613a6342e443b68",
      header: "0000432100000000", high: 0x8765_4321, vector: "4956ed7e3b244cfe",
      plain:
        "45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f736970045f7564700373"
        + "69700963796265726369747902646b000021000101020201",
      encrypted:
        "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf65925bf1f4a13c5d"
        + "15b21e1884f5ff6247aeabb786b93bce61bc17d768fd9732",
      check: "459018148f6cbe722fd04796562dfdb4"),
    Vector(
      source: "draft-mcgrew-gcm-test-01, SPI 0000a5f8", cipher: CInt(SWCRYPTO_AES_GCM),
      key: "feffe9928665731c6d6a8f9467308308cafebabe",
      header: "0000a5f80000000a", vector: "facedbaddecaf888",
      plain:
        "4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d0010000010000000000000373697009637962"
        + "65726369747902646b00000100010001",
      encrypted:
        "deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c3de81827c10e9a4f51330d0eec416642"
        + "cfbb85a5b47e48a4ec3b9ba95d918bd1",
      check: "83b70d3aa8bc6ee4c309e9d85a41ad4a"),
    Vector(
      source: "draft-mcgrew-gcm-test-01, SPI 4a2cbfe3", cipher: CInt(SWCRYPTO_AES_GCM),
      key: "abbccddef00112233445566778899aababbccddef00112233445566778899aab11223344",
      header: "4a2cbfe300000002", vector: "0102030405060708",
      plain:
        "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b401010402"
        + "01020201",
      encrypted:
        "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f0545659f14e99d"
        + "ef842d8e",
      check: "b335f4eecfdbf831824b4c4915956c96"),
    Vector(
      source: "draft-mcgrew-gcm-test-01, SPI 42f67e3f", cipher: CInt(SWCRYPTO_AES_GCM),
      key: "3de09874b388e6491988d0c3607eae1f57690e43",
      header: "42f67e3f10101010", high: 0x1010_1010, vector: "4e280000a2fca1a3",
      plain: "4500001c42a200008001441f406793b6e00000020a00f5ff01020201",
      encrypted: "fba2ca845e5df9f0f22c3e6e86dd831e1fc65792cd1af9130e1379ed",
      check: "369f071f35e034be95f112e4e7d05d35"),
    Vector(
      source: "draft-mcgrew-gcm-test-01, SPI 0000a5f8-192", cipher: CInt(SWCRYPTO_AES_GCM),
      key: "feffe9928665731c6d6a8f9467308308feffe9928665731ccafebabe",
      header: "0000a5f80000000a", vector: "facedbaddecaf888",
      plain: "45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e501016d075680001",
      encrypted: "a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0315b27452144cc77",
      check: "95457b9652037f5318027b5b4cd7a636"),
    Vector(
      source: "draft-mcgrew-gcm-test-01, SPI 17405e67", cipher: CInt(SWCRYPTO_AES_GCM),
      key: "abbccddef00112233445566778899aababbccddef00112233445566778899aab73616c74",
      header: "17405e67dd0db99b", high: 0x156f_3126, vector: "616e640169766563",
      plain: "45080028732c00004006e9f90a0106120a01038f06b88023dd6bafbecb71260250101f646d540001",
      encrypted: "f2d69ecdbd5a0d5b8d5ef38bad4da58d1f278fde98ef67549d524a3018d9a57ff4d3a31ce673119e",
      check: "451626c2415771e3b7eebca614c89b35"),
    Vector(
      source: "draft-mcgrew-gcm-test-01, SPI 335467ae", cipher: CInt(SWCRYPTO_AES_GCM),
      key: "7d773d00c144c525ac619d18c84a3f47d9664267",
      header: "335467aeffffffff", vector: "43457e9182443bc6",
      plain: "01020201",
      encrypted: "437f866b",
      check: "cb3f699fe9b0822bac961c4504bef270"),
    Vector(
      source: "draft-mcgrew-gcm-test-01, SPI 796b6963", cipher: CInt(SWCRYPTO_AES_GCM),
      key: "6c6567616c697a656d6172696a75616e61616e64646f69746265666f726569617475726e",
      header: "796b6963ffffffff", high: 0xffff_ffff, vector: "333021696765746d",
      plain:
        "45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f7071727374"
        + "01020201",
      encrypted:
        "f97ab2aa356d8edce17644ac8c78e25dd24dedbb29ebf1b64a274b39b49c3a864cd3d78ca4ae68a32b42458fb57dbe82"
        + "1dcc63b9",
      check: "d0937ba2945f669368661a329fb4c053"),
  ]

  static let chacha = Vector(
    source: "RFC 7634, appendix A", cipher: CInt(SWCRYPTO_CHACHA20_POLY1305),
    key: "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3", header: "0102030400000005",
    vector: "1011121314151617",
    plain:
      "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f1011121314151617"
      + "18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363701020204",
    encrypted:
      "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95dfab4c02f72aa71e7c"
      + "4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0",
    check: "76aaa8266b7fb0f7b11b369907e1ad43")

  @Test("published vectors come out, and are taken back", arguments: hmacs + cbc + ctr + gcm + [chacha])
  func vector(_ vector: Vector) throws {
    let key = hex(vector.key)
    let plain = hex(vector.header + vector.vector + vector.plain) + hex(vector.check).map { _ in 0 }
    let encrypted = hex(vector.header + vector.vector + vector.encrypted + vector.check)
    let layout = swcrypto_layout(
      vector: UInt32(hex(vector.vector).count), text: UInt32(hex(vector.plain).count),
      check: UInt32(hex(vector.check).count), high: vector.high ?? 0, extended: vector.high == nil ? 0 : 1)
    func context(protects: CInt) throws -> OpaquePointer {
      try #require(
        swcrypto_new(vector.cipher, key, key.count, vector.mac, vector.macKey, vector.macKey.count, protects))
    }
    let sender = try context(protects: 1)
    let receiver = try context(protects: 0)
    defer {
      swcrypto_free(sender)
      swcrypto_free(receiver)
    }
    // Twice: a context is as good after a packet as before.
    for _ in 0..<2 {
      var packet = plain
      #expect(swcrypto_protect(sender, &packet, layout) == 0)
      #expect(packet == encrypted)
      #expect(swcrypto_unprotect(receiver, &packet, layout) == 0)
      #expect(packet.dropLast(hex(vector.check).count) == plain.dropLast(hex(vector.check).count))
    }
  }

  @Test("keys of other lengths and unknown algorithms make no context")
  func refused() {
    let key = [UInt8](repeating: 7, count: 64)
    for (cipher, lengths) in [
      (SWCRYPTO_AES_CBC, [0, 1, 15, 17, 20, 33, 64]), (SWCRYPTO_AES_CTR, [0, 3, 4, 16, 19, 21, 32]),
      (SWCRYPTO_AES_GCM, [0, 3, 4, 16, 19, 21, 32]), (SWCRYPTO_CHACHA20_POLY1305, [0, 4, 20, 28, 32, 35, 37]),
      (5, [16, 32]), (-1, [16, 32]),
    ] {
      for length in lengths {
        #expect(swcrypto_new(CInt(cipher), key, length, 0, nil, 0, 1) == nil, "\(cipher) \(length)")
      }
    }
    #expect(swcrypto_new(0, nil, 0, 5, key, 32, 1) == nil)
    #expect(swcrypto_new(0, nil, 0, -1, key, 32, 1) == nil)
  }
}
