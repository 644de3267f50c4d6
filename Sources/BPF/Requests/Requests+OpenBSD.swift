// Requests that only OpenBSD has.

extension Request {
  static let openBSDOnly: [Request] = [
    Request("BIOCGDIRFILT", openbsd: .out(4, "B", 124), harmless: true) { descriptor, argument in
      argument.word = descriptor.directionFilter
    },
    Request("BIOCSDIRFILT", openbsd: .in(4, "B", 125), right: .capture) { descriptor, argument in
      try descriptor.setDirectionFilter(argument.word)
    },
  ]
}
