// scapy opens what we make and makes what we open.
import SwBPFESP
import SwBPFPFKey
import TestSupport
import Testing

/// What is around an ESP packet.
private enum Form: String, CaseIterable {
  /// Tunnel mode in IPv4 and in IPv6.
  case tunnel4, tunnel6
  /// The same in UDP, port 4500.
  case natT = "natt"
  /// Transport mode: what is inside is no IP packet.
  case transport
}

@Suite struct ScapyTests {
  @Test(
    "scapy opens what we make and we open what it makes: every transform, tunnel and transport, in UDP, extended numbers",
    .needsScapy)
  func bothWays() throws {
    let worker = try ESPWorker()
    var cases: [(Transform, SAFlags, Form)] = []
    for (index, transform) in Transform.all.enumerated() {
      for flags in [[], .extendedSequence] as [SAFlags] {
        // Two of the four forms for each, in turn.
        for offset in [0, 2] {
          let form = Form.allCases[(index + offset + (flags.isEmpty ? 0 : 1)) % 4]
          cases.append((transform, flags, form))
        }
      }
    }
    let engine = Associations()
    var receivers: [Association] = []
    var lines: [String] = []
    var payloads: [[UInt8]] = []
    for (index, (transform, flags, form)) in cases.enumerated() {
      let association = try engine.add(transform, spi: UInt32(0x1000 + index), replay: 8, flags: flags) {
        // Keys of their own.
        if !$0.encryptionKey.isEmpty { $0.encryptionKey[1] = UInt8(index) }
      }
      // An extended number beyond 32 bits: first a packet brings the window near to it.
      if !flags.isEmpty {
        association.sequence.store(UInt64(UInt32.max) - 3, ordering: .relaxed)
        for _ in 0..<4 { _ = try worker.opened(worker.sealed(payload(8), association).get(), association).get() }
        #expect(association.sequence.load(ordering: .relaxed) == 1 << 32)
      }
      let payload = inner(form, 20 + index % 50)
      let sealed = try worker.sealed(payload, association, nextHeader: form == .transport ? 17 : 4).get()
      let description = association.description(withKeys: true)
      lines.append(
        [
          form.rawValue, transform.encryption.scapyName, digits(description.encryptionKey),
          transform.authentication.scapyName, digits(description.authenticationKey), flags.isEmpty ? "-" : "1",
          String(association.spi), String(number32(sealed) + 1), digits(sealed), digits(payload),
        ].joined(separator: " "))
      receivers.append(association)
      payloads.append(payload)
    }
    let child = try Child([try #require(Tool.scapyPython), "-c", ScapyTests.script], input: .pipe)
    child.write(lines.joined(separator: "\n") + "\n")
    child.closeInput()
    let output = try child.finish(timeout: 120)
    #expect(output.status == .exited(0), "\(output.err)")
    let answers = output.out.split(separator: "\n").map { $0.split(separator: " ", omittingEmptySubsequences: false) }
    try #require(answers.count == cases.count, "\(output.err)")
    for (index, answer) in answers.enumerated() {
      let name: Comment = "\(cases[index])"
      try #require(answer.count == 2, name)
      #expect(answer[0] == digits(payloads[index]), name)
      let nextHeader: UInt8 = cases[index].2 == .transport ? 17 : 4
      #expect(
        worker.opened(hex(String(answer[1])), receivers[index])
          == .success(Opened(payload: payloads[index], nextHeader: nextHeader)), name)
    }
  }

  /// What ESP carries: an IPv4 packet, or a UDP datagram in transport mode.
  private func inner(_ form: Form, _ count: Int) -> [UInt8] {
    let length = UInt8(count + 8)
    let udp = [0x12, 0x34, 0x56, 0x78, 0, length, 0, 0] + payload(count)
    if form == .transport { return udp }
    return [0x45, 0, 0, length + 20, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2] + udp
  }

  private func digits(_ bytes: [UInt8]) -> String { VectorTests.digits(bytes) }

  /// One line in, one line out: what was in our packet, and a packet of the same with the next number.
  ///
  /// scapy's check values know no extended numbers outside of combined modes: RFC 4303 is written out for those.
  private static let script = """
    import hmac, struct, sys
    from scapy.layers.ipsec import ESP, SecurityAssociation
    from scapy.layers.inet import IP, UDP
    from scapy.layers.inet6 import IPv6
    from scapy.packet import Raw

    DIGESTS = {'HMAC-SHA1-96': ('sha1', 12), 'SHA2-256-128': ('sha256', 16), 'SHA2-384-192': ('sha384', 24),
               'SHA2-512-256': ('sha512', 32)}
    for line in sys.stdin:
        form, crypt, key, auth, auth_key, esn, spi, number, packet, inner = line.rstrip('\\n').split(' ')
        key, auth_key, packet, inner = (bytes.fromhex(x) for x in (key, auth_key, packet, inner))
        by_hand = esn != '-' and auth != 'NULL'
        outer = {'tunnel4': IP(src='10.0.0.1', dst='10.0.0.2'), 'tunnel6': IPv6(src='fc00::1', dst='fc00::2'),
                 'natt': IP(src='10.0.0.1', dst='10.0.0.2'), 'transport': IP(src='10.0.0.1', dst='10.0.0.2')}[form]
        sa = SecurityAssociation(
            ESP, spi=int(spi), crypt_algo=crypt, crypt_key=key, auth_algo='NULL' if by_hand else auth,
            auth_key=b'' if by_hand else auth_key, tunnel_header=None if form == 'transport' else outer,
            nat_t_header=UDP(sport=4500, dport=4500) if form == 'natt' else None, esn_en=esn != '-',
            esn=0 if esn == '-' else int(esn))

        def check(body):
            digest, length = DIGESTS[auth]
            return hmac.new(auth_key, body + struct.pack('!L', int(esn)), digest).digest()[:length]

        if by_hand:
            length = DIGESTS[auth][1]
            body, value = packet[:-length], packet[-length:]
            assert check(body) == value, 'check value'
            packet = body
        below = outer / UDP(sport=4500, dport=4500) if form == 'natt' else outer.copy()
        if form != 'natt':
            if form == 'tunnel6':
                below.nh = 50
            else:
                below.proto = 50
        received = type(outer)(bytes(below / Raw(packet)))
        opened = sa.decrypt(received)
        opened = bytes(opened.payload if form == 'transport' else opened)
        plain = outer / UDP(inner) if form == 'transport' else IP(inner)
        made = bytes(sa.encrypt(plain, seq_num=int(number))[ESP])
        if by_hand:
            made += check(made)
        print(opened.hex(), made.hex())
    """
}

extension EncryptionAlgorithm {
  fileprivate var scapyName: String {
    switch self {
    case .aesCBC: "AES-CBC"
    case .aesCTR: "AES-CTR"
    case .aesGCM16: "AES-GCM"
    case .chacha20Poly1305: "CHACHA20-POLY1305"
    default: "NULL"
    }
  }
}

extension AuthenticationAlgorithm {
  fileprivate var scapyName: String {
    switch self {
    case .hmacSHA1: "HMAC-SHA1-96"
    case .hmacSHA256: "SHA2-256-128"
    case .hmacSHA384: "SHA2-384-192"
    case .hmacSHA512: "SHA2-512-256"
    default: "NULL"
    }
  }
}
