// What a child writes, read by a thread as it comes, so that no pipe fills up while a test looks elsewhere.
import Glibc

package final class ChildStream: @unchecked Sendable {
  private let monitor = Monitor()
  private var data: [UInt8] = []
  /// Where the next line begins.
  private var cursor = 0
  private var ended: Bool

  /// Owns the descriptor; -1 is a stream at its end.
  init(_ descriptor: CInt) {
    ended = descriptor < 0
    if !ended { pthread_detach(startThread { self.fill(from: descriptor) }) }
  }

  private func fill(from descriptor: CInt) {
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      monitor.withLock {
        if count > 0 { data += buffer[..<count] } else { ended = true }
        monitor.changed()
      }
      if count <= 0 { break }
    }
    close(descriptor)
  }

  /// All that came so far.
  package var bytes: [UInt8] { monitor.withLock { data } }
  package var text: String { String(decoding: bytes, as: UTF8.self) }

  /// The next line without its end, waiting for it; nil when none comes in time or the stream is at its end.
  package func nextLine(timeout: Double = 10) -> String? {
    monitor.withLock {
      var searched = cursor
      var end: Int?
      _ = monitor.wait(upTo: timeout) {
        end = data[searched...].firstIndex(of: 10)
        searched = data.count
        return end != nil || ended
      }
      guard let stop = end ?? (ended && cursor < data.count ? data.count : nil) else { return nil }
      defer { cursor = min(stop + 1, data.count) }
      return String(decoding: data[cursor..<stop], as: UTF8.self)
    }
  }

  /// Reads lines until one contains the text; that line, or nil.
  @discardableResult
  package func waitFor(_ text: String, timeout: Double = 10) -> String? {
    let end = monotonicSeconds() + timeout
    while let line = nextLine(timeout: max(0, end - monotonicSeconds())) {
      if line.contains(text) { return line }
    }
    return nil
  }

  /// Waits for a text, wherever lines end, and goes on behind it.
  package func waitForText(_ text: String, timeout: Double = 10) -> Bool {
    let wanted = Array(text.utf8)
    return monitor.withLock {
      var found: Int?
      _ = monitor.wait(upTo: timeout) {
        let last = data.count - wanted.count
        if cursor <= last { found = (cursor...last).first { data[$0...].starts(with: wanted) } }
        return found != nil || ended
      }
      if let found { cursor = found + wanted.count }
      return found != nil
    }
  }

  /// Waits until the last writer has closed its end.
  package func waitForEnd(timeout: Double) -> Bool {
    monitor.withLock { monitor.wait(upTo: timeout) { ended } }
  }
}
