// Who negotiates keys: where the packets of net.ipsec.ike go. Values; any thread.
import SwBPFPackets

/// `192.0.2.9:4500` or `[2001:db8::9]:4500`
package struct IKETaker: Hashable, Sendable {
  /// Bytes of a text at most.
  package static let longestText = 64

  package let endpoint: Endpoint

  /// nil for anything but the numeric address of one host, with its link where it is link-local, and a port.
  package init?(_ text: String) {
    guard text.utf8.count <= Self.longestText, let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ 48...57 ~= $0 }), let port = UInt16(digits),
      port != 0
    else { return nil }
    var name = text[..<colon]
    let isBracketed = name.first == "[" && name.last == "]"
    if isBracketed { name = name.dropFirst().dropLast() }
    guard let address = IPAddress(String(name)), address.isIPv6 == isBracketed, !address.isUnspecified,
      !address.isMulticast, address.isIPv6 || address.v4 != .max, address.isLinkLocal == (address.scope != 0)
    else { return nil }
    endpoint = Endpoint(address, port: port)
  }
}

extension IKETaker: CustomStringConvertible {
  package var description: String {
    let address = endpoint.address
    return address.isIPv6 ? "[\(address)]:\(endpoint.port)" : "\(address):\(endpoint.port)"
  }
}

extension ESPInUDP {
  /// Whether an answer may leave by a port of NAT traversal: nothing there may look like ESP.
  package static func mayAnswer(_ payload: borrowing RawSpan) -> Bool {
    payload.byteCount > 4 && kind(of: payload) == .ike
  }
}
