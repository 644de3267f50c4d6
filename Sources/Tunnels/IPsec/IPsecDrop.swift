// Why an ipsec interface did not carry a packet.
import Glibc
import SwBPFESP

/// What became of a packet that did not get through. Counted, never thrown.
package enum IPsecDrop: Error, Equatable, Sendable {
  /// What gif has, too: down, unconfigured, family, truncated, unreachable, nested, martian, congested.
  case tunnel(TunnelDrop)
  case esp(ESPDrop)
  /// No policy asks for ESP between these addresses: somebody removed it.
  case noPolicy
  /// The policy asks for something else than ESP in transport mode.
  case otherPolicy
  /// The policy says that such packets are thrown away. (-link2)
  case discarded
  /// No association for what leaves; key daemons were asked.
  case noAssociation
  /// A packet without ESP where a policy demands it, as those of an ipsec interface do.
  case clear
  /// The association is for another sender, or for the other one of ESP and ESP in UDP.
  case otherAssociation
  /// No interface has these addresses and ports.
  case noInterface
  /// What was inside of ESP is neither IPv4 nor IPv6.
  case payload
  /// Inner packets are cut for NAT traversal, and this one must not be. (esp_frag)
  case mustNotBeCut
  /// esp_frag is too small for anything.
  case cutTooSmall

  /// What an output routine returns. Who has no keys yet loses packets, but is told nothing. (`ipsec4_process_packet`)
  package var errno: CInt {
    switch self {
    case .tunnel(let drop): drop.errno
    case .esp(let drop): drop.errno
    case .noPolicy, .otherPolicy, .cutTooSmall: ENETUNREACH
    case .discarded, .noAssociation: 0
    case .mustNotBeCut: EMSGSIZE
    case .clear, .otherAssociation, .noInterface, .payload: EINVAL
    }
  }

  /// For people.
  package var text: String {
    switch self {
    case .tunnel(let drop): drop.text
    case .esp(let drop): drop.text
    case .noPolicy: "no policy asks for ESP"
    case .otherPolicy: "the policy asks for something else than ESP in transport mode"
    case .discarded: "the policy discards it"
    case .noAssociation: "no association"
    case .clear: "without ESP, which a policy demands between these addresses"
    case .otherAssociation: "the association is for another sender or another encapsulation"
    case .noInterface: "no interface has these addresses and ports"
    case .payload: "neither IPv4 nor IPv6 inside of ESP"
    case .mustNotBeCut: "longer than esp_frag, and must not be cut"
    case .cutTooSmall: "esp_frag is 20 or less"
    }
  }
}

extension ESPDrop {
  /// For people.
  var text: String {
    switch self {
    case .noRoom: "no room for ESP"
    case .tooLong: "too long for ESP"
    case .exhausted: "all sequence numbers of the association are used"
    case .lifetime: "the association's lifetime is over"
    case .library: "libcrypto failed"
    case .length: "the length is not that of ESP"
    case .late: "the sequence number is too old"
    case .replayed: "the sequence number came before"
    case .authentication: "the check value is wrong"
    case .padLength: "more padding than packet"
    case .padding: "the padding is wrong"
    case .dummy: "a dummy"
    case .noAssociation: "no association has this SPI"
    }
  }
}
