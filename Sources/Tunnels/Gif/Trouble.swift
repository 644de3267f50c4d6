// The last thing that went wrong with a tunnel, for people.
// Noted by workers, read by requests.
import SwBPFKern

/// Why a packet was not carried.
enum Mishap: Sendable {
  case output(TunnelDrop)
  case input(TunnelDrop)
  case ipsecOutput(IPsecDrop)
  case ipsecInput(IPsecDrop)
  /// The system refused an outer packet.
  case send(CInt)
  /// The system refused an inner packet.
  case deliver(CInt)
  /// Too many tunnels in one another: the one that would be one too many, and how many there are.
  case nested(in: String, count: Int)
}

/// - Threads: any.
final class Trouble: @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var last: Mishap?
  private var count: UInt64 = 0
  private var logged: Int64 = 0

  func note(_ mishap: Mishap) {
    lock.withLock {
      last = mishap
      count += 1
    }
  }

  /// Whether to write to the log what was noted: not more than once a second.
  func mayLog() -> Bool {
    let now = Clock.monotonic()
    return lock.withLock {
      guard logged == 0 || now - logged >= 1_000_000_000 else { return false }
      logged = now
      return true
    }
  }

  func clear() {
    lock.withLock {
      last = nil
      count = 0
      logged = 0
    }
  }

  /// nil while nothing went wrong.
  var text: String? {
    let (last, count) = lock.withLock { (self.last, self.count) }
    guard let last else { return nil }
    return last.text + (count > 1 ? " (\(count) times)" : "")
  }
}

extension Mishap {
  var text: String {
    switch self {
    case .output(let drop): "output: \(drop.text)"
    case .input(let drop): "input: \(drop.text)"
    case .ipsecOutput(let drop): "output: \(drop.text)"
    case .ipsecInput(let drop): "input: \(drop.text)"
    case .send(let error): "output: \(errorText(error))"
    case .deliver(let error): "input: \(errorText(error))"
    case .nested(let name, let count): "\(name): recursively called too many times(\(count))"
    }
  }
}

extension TunnelDrop {
  /// For people.
  var text: String {
    switch self {
    case .down: "the interface is down"
    case .unconfigured: "no tunnel addresses"
    case .family: "neither IPv4 nor IPv6"
    case .truncated: "a packet is shorter than its header says"
    case .noRoom: "no room for the outer header"
    case .tooLong: "a packet is too long for the outer header"
    case .unreachable: "no way to the far end"
    case .nested: "too many tunnels in one another"
    case .martian: "the outer source is no address of a host"
    case .ingress: "the way back to the outer source is by another interface"
    case .congested: "marked congested, but its ends do not know of that"
    case .noSession: "no session"
    case .cookie: "a cookie that is wrong or missing"
    case .source: "a packet from another address than the far end's"
    }
  }
}
