// What packets ask of the key engine. Any thread inside of the epoch; no lock.
import SwBPFPackets

extension KeyEngine {
  /// Whether there are policies at all. Outside of the epoch, too.
  package var hasPolicies: Bool { !policies.isEmpty.load(ordering: .acquiring) }

  /// The first policy for a packet; nil: it goes its way. (`key_allocsp`)
  ///
  /// Like all here, what it returns is valid until the reader leaves the epoch.
  /// - Parameter upper: the protocol above IP; 4 and 41 for tunnels.
  package func match(
    _ direction: PolicyDirection, from source: Endpoint, to destination: Endpoint, upper: UInt8
  ) -> Unmanaged<Policy>? {
    unsafe policies.match(direction, from: source, to: destination, upper: upper)
  }

  /// The association with which a packet that matched is sent. (`key_checkrequest`)
  ///
  /// A request without ends is filled from the packet: its addresses and, in NAT traversal, its ports.
  /// - Parameter source: of the outer header; ports are those of UDP encapsulation, else 0.
  package func association(
    for request: PolicyRequest, from source: Endpoint, to destination: Endpoint
  ) -> Unmanaged<Association>? {
    let reqid = request.level == .unique ? request.reqid : 0
    if let ends = request.ends {
      return unsafe associations.outbound(
        source: ends.source, destination: ends.destination, proto: request.proto, mode: request.mode, reqid: reqid)
    }
    return unsafe associations.outbound(
      source: source, destination: destination, proto: request.proto, mode: request.mode, reqid: reqid)
  }

  /// The association of a packet that came. (`key_allocsa`)
  package func association(to destination: IPAddress, spi: UInt32, proto: SecurityProtocol) -> Unmanaged<Association>? {
    unsafe associations.inbound(destination: destination, spi: spi, proto: proto)
  }
}
