// The table of requests, from outside: for fuzzing.
import SwBPFDaemonClient

package enum RequestCheck {
  /// Reads a message as the daemon does. - Returns: nil when it is refused.
  @discardableResult
  package static func read(_ message: DaemonMessage) -> DaemonRequest? {
    if case .success(let (_, request)) = RequestRow.read(message) { request } else { nil }
  }
}
