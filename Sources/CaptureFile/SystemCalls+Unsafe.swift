// The system calls of savefiles, each through one wrapper: EINTR retried, the call named, errno kept. Control and writer threads.
import Glibc

/// strerror's text.
func errnoText(_ number: CInt) -> String {
  var text = [CChar](repeating: 0, count: 256)
  // SAFETY: the buffer's own length goes with it; strerror_r (XSI form) terminates what it writes.
  guard unsafe strerror_r(number, &text, text.count) == 0 else { return "error \(number)" }
  return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// Opens a file for reading; "-" is standard input, as a descriptor of our own.
func openForReading(_ path: String) throws(SavefileError) -> CInt {
  if path == "-" {
    let copy = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
    if copy < 0 { throw .system(errno: errno, call: "dup") }
    return copy
  }
  while true {
    // SAFETY: Swift passes a terminated copy that lives for the call.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    if descriptor >= 0 { return descriptor }
    if errno != EINTR { throw .system(errno: errno, call: "open") }
  }
}

/// Where a savefile's bytes go: a descriptor that somebody else owns.
struct Output {
  let descriptor: CInt
  /// Test seam: errno values that the next writes fail with (0 lets one pass), and the most that one write takes.
  var forced: [CInt] = []
  var largestWrite = Int.max

  /// Writes all of it, in as few calls as the kernel takes it.
  /// - Returns: bytes written, and the errno that ended it, 0 if none.
  mutating func write(_ bytes: RawSpan) -> (written: Int, errno: CInt) {
    var written = 0
    while written < bytes.byteCount {
      let rest = bytes.extracting(droppingFirst: written)
      if !forced.isEmpty {
        let number = forced.removeFirst()
        if number == EINTR { continue }
        if number != 0 { return (written, number) }
      }
      // SAFETY: the span is borrowed for the call and its own length goes with it.
      let count = unsafe rest.withUnsafeBytes {
        unsafe Glibc.write(descriptor, $0.baseAddress, min($0.count, largestWrite))
      }
      if count > 0 {
        written += count
      } else if count == 0 {
        return (written, EIO)  // No device says so for a length above 0; never spin on one that does.
      } else if errno == EAGAIN {
        // Standard output may be a pipe that somebody else made non-blocking.
        var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // SAFETY: one pollfd, for the call.
        _ = unsafe poll(&ready, 1, -1)
      } else if errno != EINTR {
        return (written, errno)
      }
    }
    return (written, 0)
  }

  /// Takes the last bytes out of a regular file again. Anything else, and a file that somebody else wrote on, stays as it is.
  func takeBack(_ count: Int) -> Bool {
    var facts = stat()
    // SAFETY: one stat buffer, for the call.
    guard count > 0, unsafe fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { return false }
    let end = lseek(descriptor, 0, SEEK_CUR)
    guard end == facts.st_size, end >= count, ftruncate(descriptor, end - count) == 0 else { return false }
    return lseek(descriptor, end - count, SEEK_SET) >= 0
  }
}
