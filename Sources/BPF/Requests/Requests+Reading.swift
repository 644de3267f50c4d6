// Requests about how frames are chosen and read.
import SwBPFKern

extension Request {
  static let reading: [Request] = [
    Request("BIOCGDIRECTION", .out(4, "B", 118), .out(4, "B", 120)) { descriptor, argument in
      argument.word = descriptor.direction.rawValue
    },
    // BIOCSSEESENT is the same number: 0 is in, 1 is in and out.
    Request("BIOCSDIRECTION", .in(4, "B", 119), .in(4, "B", 121), right: .capture) { descriptor, argument in
      guard let direction = BPF.Direction(rawValue: argument.word) else {
        throw BPF.Failure.invalid("direction \(argument.word)")
      }
      try descriptor.setDirection(direction)
    },
    Request("BIOCIMMEDIATE", .in(4, "B", 112), openbsd: .in(4, "B", 112), harmless: true) { descriptor, argument in
      descriptor.setImmediate(argument.word != 0)
    },
    Request("BIOCSRTIMEOUT", .in(16, "B", 109), .in(16, "B", 122), openbsd: .in(16, "B", 109), harmless: true) {
      descriptor, argument in
      try descriptor.setReadTimeout(argument.time())
    },
    Request("BIOCGRTIMEOUT", .out(16, "B", 110), .out(16, "B", 123), openbsd: .out(16, "B", 110), harmless: true) {
      descriptor, argument in
      argument.setTime(descriptor.readTimeout)
    },
    Request("FIONBIO", .in(4, "f", 126), openbsd: .in(4, "f", 126), precedesLock: true) { descriptor, argument in
      descriptor.setNonBlocking(argument.word != 0)
    },
    Request("BIOCLOCK", .none("B", 122), .none("B", 126), openbsd: .none("B", 118), harmless: true) { descriptor, _ in
      descriptor.lockRequests()
    },
  ]
}
