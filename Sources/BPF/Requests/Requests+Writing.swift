// Requests about written frames.

extension Request {
  static let writing: [Request] = [
    Request("BIOCGHDRCMPLT", .out(4, "B", 116), openbsd: .out(4, "B", 116), harmless: true) { descriptor, argument in
      argument.word = descriptor.isHeaderComplete ? 1 : 0
    },
    Request("BIOCSHDRCMPLT", .in(4, "B", 117), openbsd: .in(4, "B", 117), right: .inject) { descriptor, argument in
      descriptor.setHeaderComplete(argument.word != 0)
    },
    Request("BIOCGFEEDBACK", .out(4, "B", 124)) { descriptor, argument in argument.word = descriptor.feedback },
    Request("BIOCFEEDBACK", .in(4, "B", 124), .in(4, "B", 125), right: .inject) { descriptor, argument in
      descriptor.setFeedback(argument.word)
    },
  ]
}
