// What can go wrong with a savefile. Control paths and end of a capture; nothing here is thrown per packet.

/// A failure while reading or writing a savefile.
package enum SavefileError: Error {
  /// A system call failed; nothing was written.
  case system(errno: CInt, call: StaticString)
  /// Writing stopped inside a slot or buffer. Its first `intactRecords` records are in the file (or went down the pipe) whole; a
  /// regular file was cut back to the last of them.
  case stopped(errno: CInt, call: StaticString, intactRecords: Int)
  /// libpcap refuses the file or the record; its text.
  case unreadable(String)
  /// libpcap refuses the expression; its text.
  case expression(String)

  package var errno: CInt {
    switch self {
    case .system(let errno, _), .stopped(let errno, _, _): errno
    case .unreadable, .expression: 22  // EINVAL
    }
  }
}

extension SavefileError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .system(let errno, let call), .stopped(let errno, let call, _): "\(call): \(errnoText(errno))"
    case .unreadable(let text), .expression(let text): text
    }
  }
}
