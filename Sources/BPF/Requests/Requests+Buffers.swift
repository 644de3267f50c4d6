// Requests about buffers, records and counters.

extension Request {
  static let buffers: [Request] = [
    Request("BIOCGBLEN", .out(4, "B", 102), openbsd: .out(4, "B", 102), harmless: true) { descriptor, argument in
      argument.word = UInt32(descriptor.bufferSize)
    },
    Request("BIOCSBLEN", .both(4, "B", 102), openbsd: .both(4, "B", 102), state: .unattached) { descriptor, argument in
      argument.word = try UInt32(descriptor.setBufferSize(Int(argument.word)))
    },
    Request("BIOCFLUSH", .none("B", 104), openbsd: .none("B", 104), harmless: true) { descriptor, _ in
      descriptor.flush()
    },
    Request(
      "BIOCGSTATS", .out(8, "B", 111), .out(128, "B", 111), openbsd: .out(8, "B", 111), harmless: true,
      handler: statistics),
    Request("FIONREAD", .out(4, "f", 127), openbsd: .out(4, "f", 127), harmless: true) { descriptor, argument in
      argument.word = UInt32(clamping: descriptor.readableBytes)
    },
    Request("BIOCVERSION", .out(4, "B", 113), openbsd: .out(4, "B", 113), harmless: true) { _, argument in
      // bv_major and bv_minor, 16 bits each.
      argument.word = 1 | 1 << 16
    },
    Request("BIOCGTSTAMP", .out(4, "B", 131)) { descriptor, argument in
      argument.word = descriptor.stampFormat.rawValue
    },
    Request("BIOCSTSTAMP", .in(4, "B", 132)) { descriptor, argument in
      guard let format = BPF.StampFormat(rawValue: argument.word) else {
        throw BPF.Failure.invalid("stamp format 0x\(String(argument.word, radix: 16))")
      }
      descriptor.setStampFormat(format)
    },
    Request("BIOCGETBUFMODE", .out(4, "B", 125)) { _, argument in argument.word = bufferMode },
    Request("BIOCSETBUFMODE", .in(4, "B", 126)) { descriptor, argument in
      // Mode 2, zero-copy, is as if net.bpf.zerocopy_enable were off.
      guard argument.word == bufferMode else { throw BPF.Failure.invalid("buffer mode \(argument.word)") }
      if descriptor.hasBuffers { throw BPF.Failure.busy("the buffers are there") }
    },
    Request("BIOCGETZMAX", .out(8, "B", 127), handler: zeroCopy),
    Request("BIOCROTZBUF", .out(24, "B", 128), handler: zeroCopy),
    Request("BIOCSETZBUF", .in(24, "B", 129), handler: zeroCopy),
  ]

  /// `BPF_BUFMODE_BUFFER`
  private static let bufferMode: UInt32 = 1

  private static let zeroCopy: Handler = { _, _ in throw BPF.Failure.notSupported("zero-copy buffers") }

  /// FreeBSD's two 32-bit counters, or NetBSD's three of 64 bits with a reserve of zeros.
  private static let statistics: Handler = { descriptor, argument in
    let now = descriptor.statistics
    argument.bytes = [UInt8](repeating: 0, count: argument.bytes.count)
    if argument.bytes.count == 8 {
      argument.setWord(UInt32(truncatingIfNeeded: now.received), at: 0)
      argument.setWord(UInt32(truncatingIfNeeded: now.dropped), at: 4)
    } else {
      argument.setLong(now.received, at: 0)
      argument.setLong(now.dropped, at: 8)
      argument.setLong(now.captured, at: 16)
    }
  }
}
