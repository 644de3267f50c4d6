// What sysctl(8) sets of tunnels: names, types and ranges as data. Values; any thread.
import Glibc
import SwBPFInterfaces

/// One setting.
package struct TunnelSetting: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    /// Any number of the range.
    case number
    /// 0 or 1.
    case flag
  }

  package let name: String
  package let kind: Kind
  package let range: ClosedRange<Int>
  package let initial: Int
  /// For people.
  package let text: String
}

/// The values of all settings.
package struct TunnelSettings: Hashable, Sendable {
  package static let all: [TunnelSetting] = common + ipsec

  private static let common: [TunnelSetting] = [
    TunnelSetting(
      name: "net.inet.ip.gifttl", kind: .number, range: 1...255, initial: 30, text: "TTL of gif's outer IPv4 headers"),
    TunnelSetting(
      name: "net.inet6.ip6.gifhlim", kind: .number, range: 1...255, initial: 30,
      text: "hop limit of gif's outer IPv6 headers"),
    TunnelSetting(
      name: "net.inet6.ip6.gifpmtu", kind: .flag, range: 0...1, initial: 0,
      text: "gif over IPv6: 0 sends fragments of 1280 bytes at most, 1 as many as the path takes"),
    TunnelSetting(
      name: "net.gif.coalesce", kind: .flag, range: 0...1, initial: 1,
      text: "TCP segments and UDP datagrams that come out of a gif together are given to the system as one"),
    TunnelSetting(
      name: "net.l2tp.anysource", kind: .flag, range: 0...1, initial: 0,
      text: "l2tp: 1 takes packets from any address that knows session and cookie"),
    TunnelSetting(
      name: "net.l2tp.coalesce", kind: .flag, range: 0...1, initial: 1,
      text: "TCP segments and UDP datagrams that come out of an l2tp together are given to the system as one"),
  ]

  private var values: [Int] = all.map(\.initial)

  package init() {}

  package var gifTTL: UInt8 { UInt8(clamping: values[0]) }
  package var gifHopLimit: UInt8 { UInt8(clamping: values[1]) }
  package var gifUsesPathMTU: Bool { values[2] != 0 }
  package var gifCoalesces: Bool { values[3] != 0 }
  package var l2tpTakesAnySource: Bool { values[4] != 0 }
  package var l2tpCoalesces: Bool { values[5] != 0 }

  /// nil for a name that there is not.
  package static func setting(named name: String) -> TunnelSetting? { all.first { $0.name == name } }

  /// - Throws: ENOENT for a name that there is not.
  package func value(of name: String) throws(InterfaceFailure) -> Int { values[try Self.index(of: name)] }

  /// - Throws: ENOENT for a name that there is not, EINVAL for a value outside the range.
  package mutating func set(_ name: String, to value: Int) throws(InterfaceFailure) {
    let index = try Self.index(of: name)
    let setting = Self.all[index]
    guard setting.range.contains(value) else {
      throw InterfaceFailure(
        errno: EINVAL, request: "sysctl",
        text: "\(name) is from \(setting.range.lowerBound) to \(setting.range.upperBound)")
    }
    values[index] = value
  }

  private static func index(of name: String) throws(InterfaceFailure) -> Int {
    guard let index = all.firstIndex(where: { $0.name == name }) else {
      throw InterfaceFailure(errno: ENOENT, request: "sysctl", text: "no setting \(name)")
    }
    return index
  }
}
