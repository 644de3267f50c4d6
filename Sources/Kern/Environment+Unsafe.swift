// The process's environment, read once by whoever has a switch there.
import Glibc

package enum Environment {
  /// A variable's value; nil when it is not set.
  package static func value(_ name: String) -> String? {
    // SAFETY: the string that getenv returns is copied at once; nothing here changes the environment.
    guard let text = unsafe getenv(name) else { return nil }
    return unsafe String(cString: text)
  }
}
