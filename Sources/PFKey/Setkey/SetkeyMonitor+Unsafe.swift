// What setkey -x prints: each message as it comes.
import Glibc
import SwBPFPackets

extension SetkeyDump {
  /// One message: a line that names it, then what it is about, then an empty line. Keys are not shown.
  /// - Parameter ports: ends of tunnels with their ports. (`-p`)
  package func monitored(_ message: Message, ports: Bool = false) -> String {
    headline(message.header) + body(message, ports: ports) + "\n"
  }

  /// `Nov 21 18:56:35 2026 ADD esp seq=1 pid=4711`, and what went wrong.
  private func headline(_ header: MessageHeader) -> String {
    let type = MessageType(rawValue: header.type).map(Self.name) ?? "type=\(header.type)"
    let kind = SAType(rawValue: header.saType).map(Self.name) ?? "satype=\(header.saType)"
    var words = [date(now), type, kind, "seq=\(header.sequence)", "pid=\(header.pid)"]
    // SAFETY: strerror gives a text for every number; it is copied at once.
    if header.errno != 0 {
      words.append(unsafe "errno=\(header.errno)(\(String(cString: strerror(CInt(header.errno)))))")
    }
    return words.filter { !$0.isEmpty }.joined(separator: " ") + "\n"
  }

  private func body(_ message: Message, ports: Bool) -> String {
    if MessageType(rawValue: message.header.type)?.isPolicyMessage == true {
      if let policy = try? SecurityPolicy(message) { return self.policy(policy, ports: ports) }
    } else if var sa = try? SecurityAssociation(message) {
      sa.eraseKeys()
      return association(sa)
    }
    return pieces(message)
  }

  /// What a message says that is about no whole association or policy.
  private func pieces(_ message: Message) -> String {
    var lines: [String] = []
    if let source = (try? message.address(.addressSource)) ?? nil,
      let destination = (try? message.address(.addressDestination)) ?? nil
    {
      lines.append("\(source.endpoint.address) \(destination.endpoint.address)")
    }
    if let sa = message.sa { lines.append("\tspi=\(sa.spi)(\(SetkeyText.hexadecimal(sa.spi)))") }
    if let range = message.spiRange { lines.append("\tspi=\(range.lowerBound)-\(range.upperBound)") }
    if let policy = message.policy { lines.append("\tspid=\(policy.id)") }
    return lines.map { $0 + "\n" }.joined()
  }

  /// As in pfkeyv2.h, without SADB_ and X_.
  private static func name(_ type: MessageType) -> String {
    switch type {
    case .getSPI: "GETSPI"
    case .update: "UPDATE"
    case .add: "ADD"
    case .delete: "DELETE"
    case .get: "GET"
    case .acquire: "ACQUIRE"
    case .register: "REGISTER"
    case .expire: "EXPIRE"
    case .flush: "FLUSH"
    case .dump: "DUMP"
    case .promiscuous: "PROMISC"
    case .pchange: "PCHANGE"
    case .spdUpdate: "SPDUPDATE"
    case .spdAdd: "SPDADD"
    case .spdDelete: "SPDDELETE"
    case .spdGet: "SPDGET"
    case .spdAcquire: "SPDACQUIRE"
    case .spdDump: "SPDDUMP"
    case .spdFlush: "SPDFLUSH"
    case .spdSetIndex: "SPDSETIDX"
    case .spdExpire: "SPDEXPIRE"
    case .spdDelete2: "SPDDELETE2"
    case .natTraversalNewMapping: "NAT_T_NEW_MAPPING"
    }
  }

  private static func name(_ type: SAType) -> String {
    switch type {
    case .unspecified: ""
    case .ah: "ah"
    case .esp: "esp"
    case .rsvp: "rsvp"
    case .ospfv2: "ospfv2"
    case .ripv2: "ripv2"
    case .mip: "mip"
    case .ipcomp: "ipcomp"
    }
  }
}
