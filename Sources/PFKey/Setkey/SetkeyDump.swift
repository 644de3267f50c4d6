// What setkey -D, -DP and -DPp print: the shapes that scripts look for.
import Glibc
import SwBPFPackets

/// Prints associations and policies as setkey(8) does. It shows keys: for root's eyes.
package struct SetkeyDump: Sendable {
  /// Seconds since 1970, for ages.
  package var now: UInt64
  /// Local time as text, of 20 characters: `Nov 21 18:56:35 2026`.
  package var date: @Sendable (UInt64) -> String

  /// - Parameter date: how a second is shown; local time if it is left out.
  package init(now: UInt64, date: @escaping @Sendable (UInt64) -> String = SetkeyDump.localDate) {
    self.now = now
    self.date = date
  }

  package static let noAssociations = "No SAD entries.\n"
  package static let noPolicies = "No SPD entries.\n"

  /// All associations, or the words for none. (`setkey -D`)
  /// - Parameter showsDead: also those that only wait to be freed. (`-a`)
  package func associations(_ list: [SecurityAssociation], showsDead: Bool = false) -> String {
    let shown = list.filter { showsDead || $0.state != .dead }
    return shown.isEmpty ? Self.noAssociations : shown.map { association($0) }.joined()
  }

  /// All policies, or the words for none. (`setkey -DP`)
  /// - Parameter ports: ends of tunnels with their ports. (`-p`)
  package func policies(_ list: [SecurityPolicy], ports: Bool = false) -> String {
    list.isEmpty ? Self.noPolicies : list.map { policy($0, ports: ports) }.joined()
  }

  package func association(_ sa: SecurityAssociation) -> String {
    func port(_ port: UInt16?) -> String { port.map { "[\($0)]" } ?? "" }
    let nat = sa.natTraversal
    var lines = ["\(sa.source)\(port(nat?.sourcePort)) \(sa.destination)\(port(nat?.destinationPort)) "]
    let spi = "spi=\(sa.spi)(\(SetkeyText.hexadecimal(sa.spi)))"
    let reqid = "reqid=\(sa.reqid)(\(SetkeyText.hexadecimal(UInt32(sa.reqid))))"
    let proto = nat == nil ? sa.proto.name : sa.proto == .esp ? "esp-udp" : "natt+\(sa.proto.name)"
    lines.append("\t\(proto) mode=\(sa.mode.name) \(spi) \(reqid)")
    if let fragment = nat?.fragment, fragment != 0 { lines.append("\tNAT-T esp_frag=\(fragment)") }
    if let compression = sa.compression { lines.append("\tC: \(compression.names[0]) ") }
    if sa.proto == .esp, sa.encryption != .none {
      lines.append("\tE: \(sa.encryption.names[0]) \(Self.dump(sa.encryptionKey))")
    }
    if sa.authentication != .none {
      lines.append("\tA: \(sa.authentication.names[0]) \(Self.dump(sa.authenticationKey))")
    }
    let (sequence, flags) = (SetkeyText.hexadecimal(sa.sequence), SetkeyText.hexadecimal(sa.flags.rawValue))
    lines.append("\tseq=\(sequence) replay=\(sa.replay) flags=\(flags) state=\(sa.state.name) ")
    lines += lifetimes(sa)
    lines.append("\tsadb_seq=\(sa.messageSequence) pid=\(sa.pid) refcnt=\(sa.references)")
    return lines.joined(separator: "\n") + "\n"
  }

  private func lifetimes(_ sa: SecurityAssociation) -> [String] {
    let (current, hard, soft) = (sa.current, sa.hard ?? Lifetime(), sa.soft ?? Lifetime())
    let age = current.addTime == 0 || now < current.addTime ? 0 : now - current.addTime
    return [
      "\tcreated: \(time(current.addTime))\tcurrent: \(time(now))",
      "\tdiff: \(age)(s)\thard: \(hard.addTime)(s)\tsoft: \(soft.addTime)(s)",
      "\tlast: \(time(current.useTime))\thard: \(hard.useTime)(s)\tsoft: \(soft.useTime)(s)",
      "\tcurrent: \(current.bytes)(bytes)\thard: \(hard.bytes)(bytes)\tsoft: \(soft.bytes)(bytes)",
      "\tallocated: \(current.allocations)\thard: \(hard.allocations)\tsoft: \(soft.allocations)",
    ]
  }

  package func policy(_ policy: SecurityPolicy, ports: Bool = false) -> String {
    var lines = [Self.selector(policy.selector), "\t\(policy.selector.direction.name) \(policy.type.name)"]
    if policy.type == .ipsec {
      lines += policy.requests.map { "\t" + SetkeyText.request($0, ports: ports, made: true) }
    }
    lines.append("\tcreated: \(time(policy.created))  lastused: \(time(policy.lastUsed))")
    lines.append("\tlifetime: \(policy.lifetime)(s) validtime: \(policy.idleTime)(s)")
    lines.append("\tspid=\(policy.id) seq=\(policy.messageSequence) pid=\(policy.pid)")
    lines.append("\trefcnt=\(policy.references)")
    return lines.joined(separator: "\n") + "\n"
  }

  /// `10.0.0.1[any] 10.0.0.2[any] 4(ipv4)`
  static func selector(_ selector: Selector) -> String {
    let isPortless = UpperNames.hasTypeAndCode(selector.upper) || selector.upper == 47
    func range(_ range: AddressRange) -> String {
      let prefix = range.isExact ? "" : "/\(range.prefix)"
      let port = isPortless ? "" : range.port == 0 ? "[any]" : "[\(range.port)]"
      return "\(range.address)\(prefix)\(port)"
    }
    let text = "\(range(selector.source)) \(range(selector.destination)) \(UpperNames.shown(selector.upper))"
    let (one, other) = (selector.source.port, selector.destination.port)
    guard isPortless, one != 0 || other != 0 else { return text }
    return text + (selector.upper == 47 ? " \(UInt32(one) << 16 + UInt32(other))" : " \(one),\(other)")
  }

  /// Groups of four bytes, eight in a line.
  static func dump(_ key: [UInt8]) -> String {
    stride(from: 0, to: key.count, by: 4).map { place in
      let group = " " + SetkeyText.hexadecimal(key[place..<min(place + 4, key.count)])
      return place != 0 && place % 32 == 0 ? "\n" + group : group
    }.joined()
  }

  private func time(_ seconds: UInt64) -> String { seconds == 0 ? String(repeating: " ", count: 20) : date(seconds) }
}
