// Which link type the frames of an interface have, from the kernel's ARPHRD_ number.

/// How an interface is tapped.
struct LinkLayer: Equatable {
  /// DLT_ number.
  var linkType: Int32
  /// Bytes before the network header.
  var headerLength: UInt32
  /// Read without the link header: what the kernel would show in its place is no packet.
  var cooked: Bool

  static let ethernet = LinkLayer(linkType: 1, headerLength: 14, cooked: false)
  static let raw = LinkLayer(linkType: 12, headerLength: 0, cooked: false)

  /// nil for a kind of interface that swbpf does not know.
  init?(hardwareType: UInt16) {
    switch hardwareType {
    case 1, 772: self = .ethernet  // ARPHRD_ETHER, ARPHRD_LOOPBACK
    case 0xfffe, 519: self = .raw  // ARPHRD_NONE (TUN), ARPHRD_RAWIP
    case 512, 768, 769, 776, 778, 823:  // PPP, TUNNEL, TUNNEL6, SIT, IPGRE, IP6GRE
      self.init(linkType: 12, headerLength: 0, cooked: true)
    case 801: self.init(linkType: 105, headerLength: 0, cooked: false)  // IEEE80211
    case 803: self.init(linkType: 127, headerLength: 0, cooked: false)  // IEEE80211_RADIOTAP
    case 824: self.init(linkType: 253, headerLength: 0, cooked: false)  // NETLINK
    default: return nil
    }
  }

  init(linkType: Int32, headerLength: UInt32, cooked: Bool) {
    self.linkType = linkType
    self.headerLength = headerLength
    self.cooked = cooked
  }
}
