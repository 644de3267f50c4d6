// The client's side: finds the control sockets of running captures and asks them. One thread.
internal import CPcapShim
import Glibc
import SwBPFKern

/// A running capture, as its control socket's name tells of it.
struct ControlEndpoint: Sendable {
  let directory: ControlDirectory
  let name: ControlName

  /// Every capture that the calling user may ask, by process number. Not every one need be alive.
  static func all() -> [ControlEndpoint] {
    var found: [ControlEndpoint] = []
    for directory in ControlDirectory.forClient() {
      var names: [ControlName] = []
      for file in directory.names {
        if let name = ControlName(file: file) {
          names.append(name)
        } else if let name = ControlName(file: file, suffix: ".new"),
          ControlName.startTime(of: name.pid) != name.start
        {
          directory.remove(file)
        }
      }
      // A bound that only a directory filled on purpose meets.
      found += names.prefix(256).map { ControlEndpoint(directory: directory, name: $0) }
    }
    return found.sorted { $0.name.pid < $1.name.pid }
  }
}

/// What became of a question.
enum ControlOutcome: Equatable, Sendable {
  case answer(ControlAnswer)
  /// Nobody listens there any more; the name has been removed.
  case dead
  /// It listens, but did not answer in time.
  case silent
  /// Whoever listens there is not who he should be, or what he says is no answer: for this reason.
  case wrong(String)
}

enum ControlClient {
  /// How long an answer may take, ns.
  static let patience: Int64 = 1_000_000_000

  /// Asks captures, all at the same time; their outcomes in the same order.
  static func ask(_ endpoints: [ControlEndpoint], _ request: ControlRequest) -> [ControlOutcome] {
    let deadline = Clock.monotonic() + patience
    var calls = endpoints.map { Call($0, request) }
    while true {
      let now = Clock.monotonic()
      var set: [pollfd] = []
      var busy = false
      for index in calls.indices where calls[index].outcome == nil {
        if calls[index].descriptor < 0 { calls[index].connect() }
        if calls[index].descriptor < 0 { busy = busy || calls[index].outcome == nil }
      }
      for call in calls {
        set.append(pollfd(fd: call.outcome == nil ? call.descriptor : -1, events: Int16(call.events), revents: 0))
      }
      if calls.allSatisfy({ $0.outcome != nil }) || now >= deadline { break }
      let left = CInt((deadline - now + 999_999) / 1_000_000)
      _ = unsafe poll(&set, nfds_t(set.count), busy ? 1 : left)
      for index in calls.indices where set[index].revents != 0 { calls[index].go() }
    }
    return calls.indices.map { index in
      calls[index].end()
      return calls[index].outcome ?? .silent
    }
  }

  static func ask(_ endpoint: ControlEndpoint, _ request: ControlRequest) -> ControlOutcome {
    ask([endpoint], request)[0]
  }

  /// One connection.
  private struct Call {
    let endpoint: ControlEndpoint
    var descriptor: CInt = -1
    var outcome: ControlOutcome?
    private var output: [UInt8]
    private var input: [UInt8] = []

    init(_ endpoint: ControlEndpoint, _ request: ControlRequest) {
      self.endpoint = endpoint
      output = Array((request.line + "\n").utf8)
    }

    var events: CInt { output.isEmpty ? POLLIN : POLLOUT }

    mutating func connect() {
      let directory = endpoint.directory
      let result = unsafe swpcap_unix_connect(directory.descriptor, endpoint.name.file)
      switch result {
      case -EAGAIN, -EINTR: return
      case -ECONNREFUSED:
        directory.remove(endpoint.name.file)
        outcome = .dead
      case -ENOENT: outcome = .dead
      case ..<0: outcome = .wrong(Messages.text(of: -result))
      default:
        descriptor = result
        check()
      }
    }

    /// The one who listens must be the directory's owner, and the process of the name.
    private mutating func check() {
      var (uid, pid): (UInt32, Int32) = (.max, 0)
      let result = unsafe swpcap_unix_peer(descriptor, &uid, &pid)
      if result < 0 {
        outcome = .wrong(Messages.text(of: -result))
      } else if uid != endpoint.directory.owner {
        outcome = .wrong("user \(uid) listens there, not user \(endpoint.directory.owner)")
      } else if pid != endpoint.name.pid {
        outcome = .wrong("process \(pid) listens there")
      } else if let start = ControlName.startTime(of: pid), start != endpoint.name.start {
        outcome = .wrong("another process has that number by now")
      }
    }

    /// Writes or reads what is possible.
    mutating func go() {
      if !output.isEmpty {
        let count = unsafe send(descriptor, output, output.count, CInt(MSG_NOSIGNAL))
        if count > 0 {
          output.removeFirst(count)
        } else if errno != EAGAIN && errno != EINTR {
          outcome = .wrong(Messages.text(of: errno))
        }
        return
      }
      var buffer = [UInt8](repeating: 0, count: 8192)
      let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
      if count > 0 {
        input += buffer[..<count]
        if input.count > ControlRequest.limit { outcome = .wrong("its answer is too long") }
      } else if count == 0 && input.isEmpty {
        outcome = .silent
      } else if count == 0 {
        let answer = ControlAnswer(text: String(decoding: input, as: UTF8.self))
        outcome = answer.map { .answer($0) } ?? .wrong("what it says is no answer of \(ControlRequest.hello)")
      } else if errno != EAGAIN && errno != EINTR {
        outcome = .wrong(Messages.text(of: errno))
      }
    }

    mutating func end() {
      if descriptor >= 0 { close(descriptor) }
      descriptor = -1
    }
  }
}
