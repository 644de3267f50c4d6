// What the tests of stress runs share.
import Glibc
import SwBPFKern

/// An open file, for as long as it lives.
final class OpenFile {
  let descriptor: CInt

  init?() {
    descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { return nil }
  }

  deinit { close(descriptor) }
}

/// A value that threads share.
final class Box<Value: Sendable>: @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  private var stored: Value

  init(_ value: Value) { stored = value }

  var value: Value {
    get { lock.withLock { stored } }
    set { lock.withLock { stored = newValue } }
  }
}
