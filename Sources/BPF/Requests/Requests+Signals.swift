// Requests about the signal that tells of something to read.
import Glibc

extension Request {
  static let signals: [Request] = [
    Request("BIOCGRSIG", .out(4, "B", 114), openbsd: .out(4, "B", 115), harmless: true) { descriptor, argument in
      argument.word = UInt32(descriptor.signal)
    },
    Request("BIOCSRSIG", .in(4, "B", 115), openbsd: .in(4, "B", 114)) { descriptor, argument in
      try descriptor.setSignal(CInt(clamping: argument.word))
    },
    Request("FIOASYNC", .in(4, "f", 125), openbsd: .in(4, "f", 125)) { descriptor, argument in
      descriptor.setAsync(argument.word != 0)
    },
    // A process is a positive number and a group a negative one; for TIOCSPGRP it is the other way round.
    Request("FIOSETOWN", .in(4, "f", 124), openbsd: .in(4, "f", 124)) { descriptor, argument in
      try descriptor.setSignalOwner(pid_t(bitPattern: argument.word))
    },
    Request("FIOGETOWN", .out(4, "f", 123), openbsd: .out(4, "f", 123)) { descriptor, argument in
      argument.word = UInt32(bitPattern: descriptor.signalOwner)
    },
    Request("TIOCSPGRP", .in(4, "t", 118), openbsd: .in(4, "t", 118)) { descriptor, argument in
      try descriptor.setSignalOwner(0 &- pid_t(bitPattern: argument.word))
    },
    Request("TIOCGPGRP", .out(4, "t", 119), openbsd: .out(4, "t", 119), harmless: true) { descriptor, argument in
      argument.word = UInt32(bitPattern: 0 &- descriptor.signalOwner)
    },
  ]
}
