// What is told of a client's peer: the fields of a capture's peers, with its process and user in front.
internal import CPcapShim
import SwBPFBPF
import SwBPFLiveCapture

enum RemotePeerLine {
  static func text(of peer: RemotePeer, ring: RingStatistics) -> String {
    let descriptor = peer.descriptor
    let counts = descriptor.statistics
    let word =
      switch descriptor.direction {
      case .in: "in"
      case .out: "out"
      case .inOut: "inout"
      }
    let name = descriptor.interfaces.first?.ifnet.name ?? peer.name ?? "-"
    var fields = ["pid=\(peer.process)", "user=\(peer.user)", "interface=\(escaped(name))"]
    fields += ["link_type=\(linkType(descriptor.linkType))", "direction=\(word)"]
    fields.append("see_sent=\(descriptor.seesSent ? 1 : 0)")
    let names = ["offered", "hidden", "refused", "captured", "dropped", "cut", "delivered", "waiting"]
    fields += zip(names, counts.words).map { "\($0)=\($1)" }
    fields += [
      "kernel_filter=\(ring.isNarrowed ? 1 : 0)", "kernel_drops=\(ring.dropped)", "freezes=\(ring.freezes)",
    ]
    fields += ["slots=\(descriptor.configuration.slots)", "slot_size=\(descriptor.configuration.slotSize)"]
    return fields.joined(separator: "\t")
  }

  private static func linkType(_ type: Int32?) -> String {
    // SAFETY: static storage of libpcap, or nil.
    guard let type, let name = unsafe swpcap_linktype_name(type) else { return "-" }
    return unsafe String(cString: name)
  }

  /// A client chose the name.
  private static func escaped(_ name: String) -> String {
    name.unicodeScalars.map { $0.value < 0x20 || $0 == "%" || $0.value == 0x7f ? "?" : String($0) }.joined()
  }
}
