// Waits for the end of the daemon, or of its interface, and has a ring of this process go on. A thread of its own.
internal import CPcapShim
import Glibc
import SwBPF
import SwBPFKern
import Synchronization

final class FailoverWatch: Sendable {
  private let reader: FailoverReader
  private let name: String
  private let replace: @Sendable () throws -> Bool
  private let isStopped = Atomic<Bool>(false)

  /// - Parameter replace: waits for the interface and brings a reader in the daemon's place; false when the capture ends.
  init(_ reader: FailoverReader, name: String, replace: @escaping @Sendable () throws -> Bool) {
    self.reader = reader
    self.name = name
    self.replace = replace
  }

  /// From any thread, at the end of the capture.
  func stop() {
    isStopped.store(true, ordering: .releasing)
    reader.tellOver()
  }

  func run(_ consumer: Consumer) {
    let isDaemonGone = reader.waitForEnd()
    let begin = Clock.monotonic()
    if isStopped.load(ordering: .acquiring) { return }
    if !isDaemonGone { Messages.say("swbpf: \(name): the interface went away, waiting for it") }
    do {
      guard try replace() else { return }
    } catch {
      Messages.say(
        "swbpf: " + Messages.explain(error, interface: name, arguments: [])
          + ": the capture cannot go on without the daemon")
      reader.giveUp()
      return consumer.wake()
    }
    let gap = Clock.monotonic() - begin
    consumer.wake()
    Messages.say(
      isDaemonGone
        ? "swbpf: \(name): the daemon ended; the capture goes on with a ring of its own, after a gap of \(Self.text(gap))"
        : "swbpf: \(name): the interface is there again; the capture goes on with a ring of its own")
  }

  /// `0.8 ms`
  private static func text(_ nanoseconds: Int64) -> String {
    let tenths = max(1, (nanoseconds + 50_000) / 100_000)
    return "\(tenths / 10).\(tenths % 10) ms"
  }
}
