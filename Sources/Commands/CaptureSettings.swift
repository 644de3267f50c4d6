// What the options of a capture mean: their values read and checked against each other.
import SwBPF

/// The options with their values read.
struct CaptureSettings: Sendable {
  var interfaces: [String]
  var output: String?
  var input: String?
  var limit: Int?
  var snapLength: Int
  /// Bytes of all slots.
  var bufferSize: Int
  /// -B was given.
  var choosesBufferSize: Bool
  /// Bytes of the ring.
  var ringSize: Int?
  var direction: BPF.Direction
  var linkType: String?
  var expressionFile: String?
  var expression: String
  var user: String?
  var isPromiscuous: Bool
  var showsLinkHeader: Bool
  var lines: LineOptions
  var isPacketBuffered: Bool
  var isLineBuffered: Bool
  var prints: Bool
  var persists: Bool
  /// A ring of its own, whatever daemon there is.
  var isPrivate: Bool
  var usesKeys: Bool
  var usesControl: Bool
  var optimizes: Bool
  /// Objects instead of lines.
  var printsJSON: Bool
  var color: ColorChoice
  /// -d: the program is printed, nothing is captured.
  var dump: ProgramText?
  var isImmediate: Bool
  /// Stamps with nanoseconds, in lines and in savefiles.
  var hasNanoseconds: Bool
  /// --count: the number of packets instead of lines.
  var onlyCounts: Bool
  /// Packets that match, but neither go out nor count for -c.
  var skip: Int

  init(_ options: CaptureOptions) throws(UsageError) {
    interfaces = options.interfaces
    output = options.output
    input = options.input
    limit = try CaptureSettings.number(options.countText, "packet count", in: 1...Int.max)
    let snap = try CaptureSettings.number(options.snapLengthText, "snaplen", in: 0...CaptureOptions.maximumSnapLength)
    snapLength = snap.map { $0 == 0 ? CaptureOptions.maximumSnapLength : $0 } ?? CaptureOptions.maximumSnapLength
    choosesBufferSize = options.bufferSizeText != nil
    bufferSize = (try CaptureSettings.number(options.bufferSizeText, "buffer size", in: 1...(1 << 32)) ?? 65536) << 10
    ringSize = try CaptureSettings.number(options.ringText, "ring size", in: 128...(64 << 20)).map { $0 << 10 }
    direction = try CaptureSettings.direction(options.directionText, seeSent: options.seeSentText)
    linkType = options.linkType
    expressionFile = options.expressionFile
    expression = options.expressionWords.joined(separator: " ")
    user = options.user
    isPromiscuous = options.noPromiscuous == 0
    showsLinkHeader = options.linkHeaderCount > 0
    lines = options.lines
    try lines.check()
    isPacketBuffered = options.packetBufferedCount > 0
    isLineBuffered = options.lineBufferedCount > 0
    prints = options.printCount > 0 || options.output == nil
    persists = options.persistCount > 0
    isPrivate = options.privateCount > 0
    usesKeys = options.noKeysCount == 0
    usesControl = options.noControlCount == 0
    optimizes = options.unoptimizedCount == 0
    printsJSON = options.jsonCount > 0
    color = try ColorChoice(options.colorText)
    if printsJSON && !prints { throw UsageError("--json prints and -w writes: with --print it can be both") }
    dump = options.dumpCount == 0 ? nil : [.assembly, .initializer, .numbers][min(options.dumpCount, 3) - 1]
    isImmediate = options.immediateCount > 0
    hasNanoseconds = try CaptureSettings.nanoseconds(options)
    onlyCounts = options.onlyCountCount > 0
    skip = try CaptureSettings.number(options.skipText, "packet skip count", in: 0...Int(Int32.max)) ?? 0
    if onlyCounts && input == nil { throw UsageError("--count cannot be used without -r") }
    if let type = options.stampType, type != "host" {
      throw UsageError("-j \(type): packets are stamped by the kernel, host is the only type (try swbpf -J)")
    }
    if input != nil && !interfaces.isEmpty { throw UsageError("-i and -r cannot be used together") }
    if expressionFile != nil && !expression.isEmpty {
      throw UsageError("-F and a filter expression on the command line cannot be used together")
    }
  }

  private static func number(_ text: String?, _ what: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
    guard let text else { return nil }
    guard let value = Int(text), range.contains(value) else {
      let most = range.upperBound == Int.max ? "" : " and <= \(range.upperBound)"
      throw UsageError("invalid \(what) \(text) (must be >= \(range.lowerBound)\(most))")
    }
    return value
  }

  /// -y as a number, for devices that have several link types.
  func deviceLinkType() throws(CommandError) -> Int32? {
    guard let linkType else { return nil }
    guard let type = Listing.linkType(named: linkType) else { throw CommandError("-y \(linkType): unknown link type") }
    return type
  }

  private static func nanoseconds(_ options: CaptureOptions) throws(UsageError) -> Bool {
    switch options.precisionText {
    case nil, "micro", "nano": break
    case let text?: throw UsageError("unknown time stamp precision \(text) (micro or nano)")
    }
    let nano = options.nanoCount > 0 || options.precisionText == "nano"
    if nano && (options.microCount > 0 || options.precisionText == "micro") {
      throw UsageError("micro and nano cannot be used together")
    }
    return nano
  }

  private static func direction(_ text: String?, seeSent: String?) throws(UsageError) -> BPF.Direction {
    switch (text?.lowercased(), seeSent?.lowercased()) {
    case (nil, nil), (nil, "on"), ("inout", nil), ("inout", "on"): .inOut
    case (nil, "off"), ("in", nil), ("in", "off"): .in
    case ("out", nil), ("out", "on"): .out
    case ("in", "on"), ("out", "off"), ("inout", "off"):
      throw UsageError("-Q \(text!) and --see-sent \(seeSent!) contradict each other")
    case (let text?, _) where !["in", "out", "inout"].contains(text):
      throw UsageError("unknown capture direction \(text) (in, out or inout)")
    default: throw UsageError("--see-sent takes on or off, not \(seeSent!)")
    }
  }
}
