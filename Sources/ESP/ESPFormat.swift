// The shape of an association's packets: SPI | number | vector | payload | padding | pad length | next header | check value.
// Values; any thread.
import SwBPFPFKey

/// How long the parts of an association's packets are. (RFC 4303, section 2)
package struct ESPFormat: Hashable, Sendable {
  /// SPI and sequence number.
  package static let header = 8
  /// Pad length and next header.
  static let trailer = 2

  /// Bytes of the initialisation vector.
  package let vector: Int
  /// Payload and trailer are a multiple of so many bytes.
  package let block: Int
  /// Bytes of the check value.
  package let check: Int

  package init(_ encryption: EncryptionAlgorithm, _ authentication: AuthenticationAlgorithm) {
    vector = encryption.ivLength
    block = encryption == .aesCBC ? 16 : 4
    check = encryption.isAuthenticated ? 16 : authentication.icvLength
  }

  package init(_ association: Association) {
    self.init(association.encryption, association.authentication)
  }

  /// Bytes in front of the payload.
  package var head: Int { ESPFormat.header + vector }

  /// Bytes of padding behind so much payload.
  func padding(of payload: Int) -> Int { (block - (payload + ESPFormat.trailer) % block) % block }

  /// Bytes of the whole packet, from SPI to check value, of so much payload.
  package func length(of payload: Int) -> Int {
    head + payload + padding(of: payload) + ESPFormat.trailer + check
  }

  /// Bytes behind the payload at most.
  package var largestTail: Int { block - 1 + ESPFormat.trailer + check }

  /// The most payload whose packet has no more than `limit` bytes; negative when there is none.
  package func payload(fitting limit: Int) -> Int {
    let blocks = limit - head - check
    return blocks < block ? -1 : blocks / block * block - ESPFormat.trailer
  }
}
