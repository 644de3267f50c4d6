// Files that are read whole.
import Glibc

enum SmallFile {
  struct Failure: Error, Equatable {
    /// EFBIG when it is longer than it may be.
    let errno: CInt
  }

  /// - Parameter limit: bytes.
  static func read(_ path: String, limit: Int) throws(Failure) -> [UInt8] {
    // A FIFO must not hold us up.
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { throw Failure(errno: errno) }
    defer { close(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16384)
    while true {
      let count = unsafe Glibc.read(file, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      if count < 0 { throw Failure(errno: errno) }
      if count == 0 { return bytes }
      bytes += buffer[..<count]
      if bytes.count > limit { throw Failure(errno: EFBIG) }
    }
  }
}
