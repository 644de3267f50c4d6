// What a tap knows about a frame beyond its bytes; read by the ancillary loads of programs made from expressions.

/// Facts of one frame that are not in its bytes. Plain memory: the tap fills one and hands its address to the interpreter.
package struct FrameMetadata: Sendable, Equatable {
  /// `sll_pkttype`: 0 host, 1 broadcast, 2 multicast, 3 other host, 4 outgoing; from the tap's direction, never from the frame.
  package var packetType: UInt8
  package var vlanPresent: Bool
  /// The tag control information that the kernel took out of the frame.
  package var vlanTag: UInt16
  /// Ethertype, host order.
  package var protocolType: UInt16
  /// ARPHRD_*.
  package var hardwareType: UInt16
  package var interfaceIndex: UInt32
  package var addressLength: UInt8
  /// `sll_addr`, its first byte in the lowest bits.
  package var address: UInt64

  package init(
    packetType: UInt8 = 0, vlanPresent: Bool = false, vlanTag: UInt16 = 0, protocolType: UInt16 = 0,
    hardwareType: UInt16 = 0, interfaceIndex: UInt32 = 0, addressLength: UInt8 = 0, address: UInt64 = 0
  ) {
    self.packetType = packetType
    self.vlanPresent = vlanPresent
    self.vlanTag = vlanTag
    self.protocolType = protocolType
    self.hardwareType = hardwareType
    self.interfaceIndex = interfaceIndex
    self.addressLength = addressLength
    self.address = address
  }

  /// The value of an ancillary load, nil where the machine has none there.
  func load(at k: UInt32) -> UInt32? {
    switch k &- SKF_AD_OFF {
    case SKF_AD_PROTOCOL: UInt32(protocolType)
    case SKF_AD_PKTTYPE: UInt32(packetType)
    case SKF_AD_IFINDEX: interfaceIndex
    case SKF_AD_VLAN_TAG: UInt32(vlanTag)
    case SKF_AD_VLAN_TAG_PRESENT: vlanPresent ? 1 : 0
    default: nil
    }
  }

  /// Where native code finds what an ancillary load reads.
  struct Field: Equatable {
    var offset: Int
    var width: Int
  }

  /// The field of an ancillary load, nil where the machine has none there.
  static func field(at k: UInt32) -> Field? {
    switch k &- SKF_AD_OFF {
    case SKF_AD_PROTOCOL: place[0]
    case SKF_AD_PKTTYPE: place[1]
    case SKF_AD_IFINDEX: place[2]
    case SKF_AD_VLAN_TAG: place[3]
    case SKF_AD_VLAN_TAG_PRESENT: place[4]
    default: nil
    }
  }

  private static let place: [Field] = [
    Field(offset: MemoryLayout<Self>.offset(of: \.protocolType)!, width: 2),
    Field(offset: MemoryLayout<Self>.offset(of: \.packetType)!, width: 1),
    Field(offset: MemoryLayout<Self>.offset(of: \.interfaceIndex)!, width: 4),
    Field(offset: MemoryLayout<Self>.offset(of: \.vlanTag)!, width: 2),
    // A Bool is a byte of 0 or 1.
    Field(offset: MemoryLayout<Self>.offset(of: \.vlanPresent)!, width: 1),
  ]
}
