// What the tests of this folder share: printing frames, hex, a generator, savefiles, and the installed tcpdump.
import Foundation
import TestSupport

@testable import SwBPFPacketText

/// One record of a savefile.
struct Record {
  var frame: [UInt8]
  var wireLength: Int
  var seconds: Int64 = 0
  var nanoseconds: UInt32 = 0

  init(_ frame: [UInt8], wireLength: Int? = nil) {
    self.frame = frame
    self.wireLength = wireLength ?? frame.count
  }
}

/// The bytes of `hex`; blanks are skipped.
func bytes(_ hex: String) -> [UInt8] {
  let digits = hex.compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// The text of each record, printed by one printer.
func text(
  _ records: [Record], _ options: TextOptions, seconds: Int64? = nil, nanoseconds: UInt32? = nil,
  interfaceName: @escaping (UInt32) -> String? = { _ in nil }
) -> [String] {
  var printer = LinePrinter(options, interfaceName: interfaceName)
  var buffer = TextBuffer(capacity: 64)
  var texts: [String] = []
  for record in records {
    buffer.removeAll()
    printer.print(
      seconds: seconds ?? record.seconds, nanoseconds: nanoseconds ?? record.nanoseconds,
      wireLength: UInt32(record.wireLength), frame: record.frame.span.bytes, to: &buffer)
    texts.append(string(buffer))
  }
  return texts
}

func string(_ buffer: borrowing TextBuffer) -> String {
  buffer.bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
}

/// Options with no time stamp, so that no text depends on a zone.
func plain(_ linkType: Int32) -> TextOptions {
  var options = TextOptions(linkType: linkType)
  options.stamp = .none
  return options
}

/// The options that tcpdump's flags stand for, without a time stamp.
func plain(_ linkType: Int32, _ flags: [String]) -> TextOptions {
  var options = plain(linkType)
  for flag in flags {
    switch flag {
    case "-e": options.linkHeader = true
    case "-q": options.quiet = true
    case "-qq":
      options.quiet = true
      options.veryQuiet = true
    case "-v": options.verbosity = 1
    case "-vv": options.verbosity = 2
    case "-vvv": options.verbosity = 3
    case "-S": options.absoluteSequence = true
    case "-x", "-xx": options.dump = .hex
    case "-X", "-XX": options.dump = .hexAndText
    case "-A", "-AA": options.dump = .text
    default: fatalError("no such flag: \(flag)")
    }
    if ["-xx", "-XX", "-AA"].contains(flag) { options.dumpsLinkHeader = true }
  }
  return options
}

/// A small generator whose numbers are the same on every run (splitmix64).
struct Deterministic: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// A savefile in this machine's byte order, with nanoseconds.
func savefile(_ records: [Record], linkType: Int32) -> Data {
  var data = Data()
  func put<T: FixedWidthInteger>(_ value: T) { withUnsafeBytes(of: value) { data.append(contentsOf: $0) } }
  put(UInt32(0xa1b2_3c4d))
  put(UInt16(2))
  put(UInt16(4))
  put(UInt32(0))
  put(UInt32(0))
  put(UInt32(262_144))
  put(UInt32(linkType))
  for record in records {
    put(UInt32(record.seconds))
    put(record.nanoseconds)
    put(UInt32(record.frame.count))
    put(UInt32(record.wireLength))
    data.append(contentsOf: record.frame)
  }
  return data
}

/// The tcpdump whose text is the measure.
enum Reference {
  static let version = "4.99.3"

  static let path: String? = ["/usr/bin/tcpdump", "/usr/sbin/tcpdump", "/usr/local/bin/tcpdump"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  static let isInstalled: Bool = {
    guard let path, let text = try? run(path, ["--version"]) else { return false }
    return text.contains("tcpdump version \(version)\n")
  }()

  /// What tcpdump printed with packet numbers, packet by packet; further lines belong to the packet before them.
  static func split(_ output: String) -> [String] {
    var texts: [String] = []
    for line in output.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      let number = "\(texts.count + 1)"
      if line.hasPrefix(String(repeating: " ", count: max(0, 5 - number.count)) + number + "  ") {
        texts.append(line + "\n")
      } else if !texts.isEmpty {
        texts[texts.count - 1] += line + "\n"
      }
    }
    return texts
  }

  /// All that tcpdump prints of the records.
  static func output(_ records: [Record], linkType: Int32, flags: [String]) throws -> String {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("swbpf-text-\(UUID().uuidString).pcap")
    try savefile(records, linkType: linkType).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    return try run(path ?? "", flags + ["-r", file.path])
  }

  private static func run(_ path: String, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    // In the zone of the printer that its text is compared with.
    process.environment = ["LC_ALL": "C"].merging(
      ProcessInfo.processInfo.environment.filter { $0.key == "TZ" }, uniquingKeysWith: { $1 })
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self)
  }
}

/// How many rounds: a tenth under a sanitizer, which makes each one slow.
func effort(_ rounds: Int) -> Int { Requirement.sanitizer == nil ? rounds : rounds / 10 }
