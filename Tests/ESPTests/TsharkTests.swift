// tshark decrypts a capture of what we make.
import Glibc
import SwBPFESP
import SwBPFPFKey
import TestSupport
import Testing

@Suite struct TsharkTests {
  /// What version 4.0 knows: neither ChaCha20-Poly1305 nor extended numbers.
  static let transforms = Transform.protecting.filter { $0.encryption != .chacha20Poly1305 }

  @Test("tshark decrypts a capture with the keys given and finds each check value right", .needsTool("tshark"))
  func decrypts() throws {
    let worker = try ESPWorker()
    let associations = Associations()
    var capture =
      little(0xa1b2_c3d4, 4) + little(2, 2) + little(4, 2) + little(0, 8) + little(65535, 4) + little(101, 4)
    var options = ["-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"]
    var texts: [[UInt8]] = []
    for (index, transform) in TsharkTests.transforms.enumerated() {
      let association = try associations.add(transform, spi: UInt32(0x1000 + index))
      let description = association.description(withKeys: true)
      // In UDP, too.
      for isInUDP in [false, true] {
        let text = payload(index + 10)
        texts.append(text)
        let sealed = try worker.sealed(ipv4(17, udp(9, text)), association).get()
        let packet = isInUDP ? ipv4(17, udp(4500, sealed)) : ipv4(50, sealed)
        let length = little(UInt64(packet.count), 4)
        capture += little(UInt64(texts.count), 4) + little(0, 4) + length + length
        capture += packet
      }
      let fields = [
        "IPv4", "*", "*", "0x" + VectorTests.digits(big(association.spi)), transform.encryption.tsharkName,
        key(description.encryptionKey), transform.authentication.tsharkName, key(description.authenticationKey),
      ]
      options += ["-o", "uat:esp_sa:" + fields.map { "\"\($0)\"" }.joined(separator: ",")]
    }
    var name = Array("/tmp/swbpf-esp-XXXXXX".utf8CString)
    let file = mkstemp(&name)
    try #require(file >= 0)
    let path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
      close(file)
      unlink(path)
    }
    #expect(write(file, capture, capture.count) == capture.count)
    func tshark(_ arguments: String...) throws -> String {
      let output = try Child(["tshark", "-r", path] + options + arguments).finish(timeout: 120)
      #expect(output.status == .exited(0), "\(output.err)")
      return output.out
    }
    let fields = try tshark("-T", "fields", "-e", "esp.spi", "-e", "esp.icv_good", "-e", "data.data")
    let lines = fields.split(separator: "\n").map { $0.split(separator: "\t", omittingEmptySubsequences: false) }
    try #require(lines.count == texts.count)
    for (index, line) in lines.enumerated() where TsharkTests.transforms[index / 2].encryption != .aesGCM16 {
      let name: Comment = "\(TsharkTests.transforms[index / 2]) \(line)"
      try #require(line.count == 3, name)
      #expect(line[1] == "1", name)
      #expect(line[2] == VectorTests.digits(texts[index]), name)
    }
    // GCM's check value is text to it, and its last byte the next header: what it decrypted is in its dump.
    let dumps = TsharkTests.decrypted(try tshark("-x"))
    for (index, text) in texts.enumerated() where TsharkTests.transforms[index / 2].encryption == .aesGCM16 {
      let whole = VectorTests.digits(ipv4(17, udp(9, text)))
      #expect(dumps.contains { $0.hasPrefix(whole) }, "\(TsharkTests.transforms[index / 2])")
    }
  }

  /// The digits of each part of a dump that is headed as decrypted.
  private static func decrypted(_ dump: String) -> [String] {
    var found: [String] = []
    var isInside = false
    for line in dump.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("Decrypted Data") {
        isInside = true
        found.append("")
      } else if line.isEmpty || !line.prefix(4).allSatisfy(\.isHexDigit) {
        isInside = false
      } else if isInside {
        found[found.count - 1] += line.dropFirst(6).prefix(48).filter { $0 != " " }
      }
    }
    return found
  }

  private func little(_ value: UInt64, _ bytes: Int) -> [UInt8] {
    (0..<bytes).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
  }

  private func big(_ spi: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: spi >> (24 - 8 * UInt32($0))) } }
  private func key(_ bytes: [UInt8]) -> String { bytes.isEmpty ? "" : "0x" + VectorTests.digits(bytes) }

  private func ipv4(_ proto: UInt8, _ payload: [UInt8]) -> [UInt8] {
    [0x45, 0] + big(UInt32(payload.count + 20)).suffix(2) + [0, 1, 0, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
      + payload
  }

  private func udp(_ port: UInt16, _ payload: [UInt8]) -> [UInt8] {
    let ports = big(UInt32(port)).suffix(2)
    return ports + ports + big(UInt32(payload.count + 8)).suffix(2) + [0, 0] + payload
  }
}

extension EncryptionAlgorithm {
  fileprivate var tsharkName: String {
    switch self {
    case .aesCBC: "AES-CBC [RFC3602]"
    case .aesCTR: "AES-CTR [RFC3686]"
    case .aesGCM16: "AES-GCM [RFC4106]"
    default: "NULL"
    }
  }
}

extension AuthenticationAlgorithm {
  fileprivate var tsharkName: String {
    switch self {
    case .hmacSHA1: "HMAC-SHA-1-96 [RFC2404]"
    case .hmacSHA256: "HMAC-SHA-256-128 [RFC4868]"
    case .hmacSHA384: "HMAC-SHA-384-192 [RFC4868]"
    case .hmacSHA512: "HMAC-SHA-512-256 [RFC4868]"
    default: "NULL"
    }
  }
}
