// Requests that only OpenBSD has.

extension Request {
  static let openBSDOnly: [Request] = [
    Request("BIOCGDIRFILT", openbsd: .out(4, "B", 124), harmless: true) { descriptor, argument in
      argument.word = descriptor.directionFilter
    },
    Request("BIOCSDIRFILT", openbsd: .in(4, "B", 125), right: .capture) { descriptor, argument in
      try descriptor.setDirectionFilter(argument.word)
    },
    Request("BIOCSWTIMEOUT", openbsd: .in(16, "B", 126), harmless: true) { descriptor, argument in
      try descriptor.setWaitTimeout(argument.time())
    },
    Request("BIOCGWTIMEOUT", openbsd: .out(16, "B", 126), harmless: true) { descriptor, argument in
      guard let time = descriptor.waitTimeout else { throw BPF.Failure.noWaitTimeout }
      argument.setTime(time)
    },
    Request("BIOCDWTIMEOUT", openbsd: .none("B", 126), harmless: true) { descriptor, _ in
      try descriptor.setWaitTimeout(nil)
    },
  ]
}
