// Why the daemon did not do what it was asked for.
import Glibc
import SwBPFInterfaces

package enum DaemonFailure: Error, Hashable, Sendable {
  /// Nobody listens there.
  case noDaemon(path: String)
  /// Who listens there is not who he should be, or others could put theirs into his place.
  case untrusted(path: String, reason: String)
  case otherNamespace(path: String)
  /// No answer in time.
  case silent(path: String)
  /// What came is no answer, or the connection ended.
  case broken(path: String, reason: String)
  /// The daemon's own word.
  case refused(InterfaceFailure)

  /// One line; words of the daemon are in it as they came.
  package var text: String {
    switch self {
    case .noDaemon(let path): "no daemon listens at \(path) (one is started with swbpf daemon, as root)"
    case .untrusted(let path, let reason): "\(path): not asked: \(reason)"
    case .otherNamespace(let path): "\(path): the daemon is in another network namespace"
    case .silent(let path): "\(path): no answer in time; is the daemon stopped?"
    case .broken(let path, let reason): "\(path): \(reason)"
    case .refused(let failure):
      (failure.request.isEmpty ? "" : failure.request + ": ")
        + (failure.text.isEmpty ? SystemText.of(failure.errno) : failure.text)
    }
  }

  /// The daemon's number; nil where it said none.
  package var refusal: InterfaceFailure? {
    if case .refused(let failure) = self { failure } else { nil }
  }
}

package enum SystemText {
  /// strerror(3).
  package static func of(_ error: CInt) -> String { unsafe String(cString: strerror(error)) }
}
