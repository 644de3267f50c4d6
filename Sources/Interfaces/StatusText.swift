// A status as ifconfig(8) prints it. Any thread.
import SwBPFPackets

extension InterfaceStatus {
  /// Lines, the first one from the margin on. Names in it come from the status: whoever prints it makes them fit for a terminal.
  /// - Parameters:
  ///   - isVerbose: counters, too, and the last error.
  ///   - family: only addresses of this one.
  package func text(isVerbose: Bool = false, family: IPAddress.Family? = nil, links: LinkNames = .numbers) -> String {
    var lines = ["\(name): flags=\(flags)" + (metric == 0 ? "" : " metric \(metric)") + (mtu == 0 ? "" : " mtu \(mtu)")]
    if let tunnel {
      let ends = "\(text(tunnel.source, links)) --> \(text(tunnel.destination, links))"
      lines.append("\ttunnel \(tunnel.source.address.isIPv6 ? "inet6" : "inet") \(ends)")
    }
    if let session, session.local != 0 || session.remote != 0 {
      lines += ["\tlocal-session-id: \(session.local)", "\tremote-session-id: \(session.remote)"]
    }
    if let cookies, cookies.local != 0 || cookies.remote != 0 {
      lines += ["\tlocal-cookie: \(cookies.local)", "\tremote-cookie: \(cookies.remote)"]
    }
    switch linkState {
    case .unknown: break
    case .up: lines.append("\tlinkstate: up")
    case .down: lines.append("\tlinkstate: down")
    }
    if isVerbose { lines += counterLines }
    for one in addresses.filter({ !$0.address.isIPv6 }) + addresses.filter({ $0.address.isIPv6 })
    where family == nil || one.address.family == family {
      lines.append(text(one, links))
    }
    return lines.map { $0 + "\n" }.joined()
  }

  private func text(_ endpoint: Endpoint, _ links: LinkNames) -> String {
    links.text(endpoint.address) + (endpoint.port == 0 ? "" : ",\(endpoint.port)")
  }

  private func text(_ one: InterfaceAddress, _ links: LinkNames) -> String {
    let ends = links.text(one.address) + (one.destination.map { " -> " + links.text($0) } ?? "")
    guard one.address.isIPv6 else {
      let mask = one.prefix == 0 ? 0 : UInt32.max << UInt32(32 - one.prefix)
      return "\tinet \(ends) netmask 0x" + String(mask, radix: 16)
    }
    let scope = one.address.scope == 0 ? "" : " scopeid 0x" + String(one.address.scope, radix: 16)
    return "\tinet6 \(ends) prefixlen \(one.prefix)\(scope)"
  }

  private var counterLines: [String] {
    func count(_ number: UInt64, _ unit: String) -> String { "\(number) \(unit)\(number == 1 ? "" : "s")" }
    func rest(_ counts: [(number: UInt64, unit: String)]) -> String {
      counts.filter { $0.number > 0 }.map { ", " + count($0.number, $0.unit) }.joined()
    }
    let one = counters
    let input = rest([
      (one.inputMulticasts, "multicast"), (one.inputErrors, "error"), (one.inputDrops, "queue drop"),
    ])
    let output = rest([
      (one.outputMulticasts, "multicast"), (one.outputErrors, "error"), (one.outputDrops, "queue drop"),
    ])
    return [
      "\tinput: \(count(one.inputPackets, "packet")), \(count(one.inputBytes, "byte"))\(input)",
      "\toutput: \(count(one.outputPackets, "packet")), \(count(one.outputBytes, "byte"))\(output)",
    ] + (lastError.map { ["\tlast error: \($0)"] } ?? [])
  }
}
