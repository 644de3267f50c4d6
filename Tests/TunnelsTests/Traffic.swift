import SwBPFKern
import TestSupport

@testable import SwBPFTunnels

/// Sends datagrams until told to stop.
final class Traffic {
  private let isDone = Gate()
  private let thread: Thread
  let host: Host

  init(_ host: Host, to address: String) throws {
    self.host = host
    let sender = try UDPSender(in: host, to: address, port: 9)
    thread = Thread(name: "traffic") { [isDone] in
      while !isDone.wait(upTo: 0) {
        // An interface that is gone or down is nothing to stop for.
        try? sender.send(8, size: 32)
      }
    }
  }

  func stop() {
    isDone.open()
    thread.join()
  }
}

/// How often each text came.
final class Tally: @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  private var counts: [String: Int] = [:]
  func add(_ text: String) { lock.withLock { counts[text, default: 0] += 1 } }
  var values: [String: Int] { lock.withLock { counts } }
  var count: Int { lock.withLock { counts.values.reduce(0, +) } }
}
