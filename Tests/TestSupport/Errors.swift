// What can go wrong in the test helpers themselves.
import Glibc

package enum SupportError: Error, CustomStringConvertible {
  /// A system call failed.
  case system(call: String, errno: CInt)
  /// A command that had to succeed did not.
  case command([String], Child.Output)
  /// A process did not end in time; it was killed.
  case timeout([String], seconds: Double)
  /// No such program in PATH or the usual folders of system tools.
  case noTool(String)
  case badAddress(String)

  package var description: String {
    switch self {
    case .system(let call, let errno): "\(call): \(errorText(errno))"
    case .command(let words, let output): "\(words.joined(separator: " ")): \(output.status): \(output.err)"
    case .timeout(let words, let seconds): "\(words.joined(separator: " ")): not done after \(seconds) s"
    case .noTool(let name): "\(name): not installed"
    case .badAddress(let text): "\(text): no numeric address"
    }
  }
}

package func errorText(_ errno: CInt) -> String { String(cString: strerror(errno)) }

/// The result of a call that says -1 and errno when it fails; tried again while interrupted.
@discardableResult
func check<I: BinaryInteger>(_ call: String, _ body: () -> I) throws -> I {
  while true {
    let result = body()
    if result >= 0 { return result }
    if errno != EINTR { throw SupportError.system(call: call, errno: errno) }
  }
}
