// strerror(3) in a way that threads may share.
import Glibc
import SwBPFBPF
import SwBPFInterfaces

/// The system's words for an error.
func errorText(_ error: CInt) -> String {
  var buffer = [CChar](repeating: 0, count: 128)
  // SAFETY: the system writes at most 128 bytes with the terminator.
  guard unsafe strerror_r(error, &buffer, 128) == 0 else { return "error \(error)" }
  return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

extension InterfaceFailure {
  /// A failure of the layers below as that of a request.
  init(_ failure: BPF.Failure, _ request: String, _ text: String = "") {
    self.init(errno: failure.errno, request: request, text: text)
  }
}
