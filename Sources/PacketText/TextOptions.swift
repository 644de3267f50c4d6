// What a line shows. Made by the command from its flags, handed to LinePrinter once.

/// How a line's time stamp looks (tcpdump's -t flags). The dated and relative forms have their place here, too.
package enum StampStyle: Sendable, Equatable {
  /// `HH:MM:SS.uuuuuu`, local time.
  case clock
  /// No stamp at all (-t).
  case none
  /// Seconds since 1970 (-tt).
  case epoch
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
  /// How many -v were given.
  package var verbosity = 0

  package init(linkType: Int32) {
    self.linkType = linkType
  }
}
