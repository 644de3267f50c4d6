// What a line shows. Made by the command from its flags, handed to LinePrinter once.

/// How a line's time stamp looks. The raw value is the number of -t flags.
package enum StampStyle: Int, Sendable {
  /// `HH:MM:SS.uuuuuu`, local time.
  case clock
  /// No stamp at all.
  case none
  /// Seconds since 1970.
  case epoch
  /// Time since the line before, with a sign.
  case sincePrevious
  /// `YYYY-MM-DD HH:MM:SS.uuuuuu`, local time.
  case date
  /// Time since the first line, with a sign.
  case sinceFirst
}

/// The packet's bytes on lines of their own behind its line.
package enum DumpStyle: Sendable {
  case none
  /// -x
  case hex
  /// -X
  case hexAndText
  /// -A
  case text
}

/// The choices of one text output.
package struct TextOptions: Sendable {
  /// DLT_ or LINKTYPE_ number of the frames.
  package var linkType: Int32
  package var stamp: StampStyle = .clock
  /// Nine digits of a second instead of six.
  package var nanoseconds = false
  /// Print the link-level header (-e).
  package var linkHeader = false
  /// Print less about each protocol (-q).
  package var quiet = false
  /// Print nothing about later fragments but their stamp (-qq).
  package var veryQuiet = false
  /// How many -v were given.
  package var verbosity = 0
  /// Print TCP sequence numbers as they are (-S).
  package var absoluteSequence = false
  /// Begin each line with the packet's number (-#).
  package var packetNumber = false
  package var dump = DumpStyle.none
  /// The dump begins with the link-level header (-xx, -XX, -AA).
  package var dumpsLinkHeader = false
  /// A TCP or UDP checksum that holds the sum of the pseudo header alone is one that the sender's hardware was to
  /// finish: say so instead of calling it wrong. For live captures; text from files equals tcpdump's.
  package var recognizesOffload = false

  /// Whether the bytes behind unknown headers are shown: not when quiet, and not when -x or -X shows them anyway.
  var showsUnknown: Bool {
    if quiet { return false }
    switch dump {
    case .hex, .hexAndText: return false
    case .none, .text: return true
    }
  }

  package init(linkType: Int32) {
    self.linkType = linkType
  }
}
