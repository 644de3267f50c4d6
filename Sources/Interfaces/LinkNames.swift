// Names in addresses: links, fe80::1%eth0, and hosts where they are asked for. Values; any thread.
import SwBPFPackets

/// What the system calls its links. Who parses or prints says where it is looked up.
package struct LinkNames: Sendable {
  /// The index of a name; nil when there is none.
  package let index: @Sendable (String) -> UInt32?
  /// The name of an index; nil when there is none.
  package let name: @Sendable (UInt32) -> String?
  /// The name of an address's host; nil when it has none, or when addresses are numbers.
  package let host: @Sendable (IPAddress) -> String?

  package init(
    index: @escaping @Sendable (String) -> UInt32?, name: @escaping @Sendable (UInt32) -> String?,
    host: @escaping @Sendable (IPAddress) -> String? = { _ in nil }
  ) {
    self.index = index
    self.name = name
    self.host = host
  }

  /// Links are numbers.
  package static let numbers = LinkNames(index: { _ in nil }, name: { _ in nil })

  /// A numeric address, whose scope may be a link's name or number.
  package func address(_ text: String) -> IPAddress? {
    if let address = IPAddress(text) { return address }
    let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let address = IPAddress(String(parts[0])), address.isIPv6,
      let scope = index(String(parts[1]))
    else { return nil }
    return IPAddress(v6: address.high, address.low, scope: scope)
  }

  package func text(_ address: IPAddress) -> String {
    if let host = host(address) { return host }
    guard address.scope != 0, let name = name(address.scope) else { return address.description }
    return IPAddress(v6: address.high, address.low).description + "%" + name
  }
}
