// The flags of an interface, with BSD's bits. Values; any thread.

/// What an interface is and may do. (IFF_; Linux has other bits)
package struct InterfaceFlags: OptionSet, Hashable, Sendable {
  package let rawValue: UInt32

  package init(rawValue: UInt32) { self.rawValue = rawValue }

  package static let up = InterfaceFlags(rawValue: 0x1)
  package static let broadcast = InterfaceFlags(rawValue: 0x2)
  package static let debug = InterfaceFlags(rawValue: 0x4)
  package static let loopback = InterfaceFlags(rawValue: 0x8)
  package static let pointToPoint = InterfaceFlags(rawValue: 0x10)
  package static let unnumbered = InterfaceFlags(rawValue: 0x20)
  package static let running = InterfaceFlags(rawValue: 0x40)
  package static let noARP = InterfaceFlags(rawValue: 0x80)
  package static let promiscuous = InterfaceFlags(rawValue: 0x100)
  package static let allMulticast = InterfaceFlags(rawValue: 0x200)
  package static let outputActive = InterfaceFlags(rawValue: 0x400)
  package static let simplex = InterfaceFlags(rawValue: 0x800)
  package static let link0 = InterfaceFlags(rawValue: 0x1000)
  package static let link1 = InterfaceFlags(rawValue: 0x2000)
  package static let link2 = InterfaceFlags(rawValue: 0x4000)
  package static let multicast = InterfaceFlags(rawValue: 0x8000)

  /// The words of ifconfig(8), from the lowest bit on.
  package static let names: [(flag: InterfaceFlags, name: String)] = [
    (.up, "UP"), (.broadcast, "BROADCAST"), (.debug, "DEBUG"), (.loopback, "LOOPBACK"), (.pointToPoint, "POINTOPOINT"),
    (.unnumbered, "UNNUMBERED"), (.running, "RUNNING"), (.noARP, "NOARP"), (.promiscuous, "PROMISC"),
    (.allMulticast, "ALLMULTI"), (.outputActive, "OACTIVE"), (.simplex, "SIMPLEX"), (.link0, "LINK0"),
    (.link1, "LINK1"), (.link2, "LINK2"), (.multicast, "MULTICAST"),
  ]

  /// link0, link1 or link2; nil for another number.
  package static func link(_ number: Int) -> InterfaceFlags? {
    (0...2).contains(number) ? InterfaceFlags(rawValue: link0.rawValue << UInt32(number)) : nil
  }
}

extension InterfaceFlags: CustomStringConvertible {
  /// `8051<UP,POINTOPOINT,RUNNING,MULTICAST>`; with empty brackets where no flag is set.
  package var description: String {
    let names = Self.names.filter { contains($0.flag) }.map(\.name)
    return String(rawValue, radix: 16) + "<\(names.joined(separator: ","))>"
  }
}
