// Fuzz target: bytes as options and a frame, printed. Nothing but lines of printable ASCII may come out.
//
//     SWBPF_FUZZ=1 swift build --scratch-path .build-fuzz --sanitize=fuzzer --sanitize=address --product FuzzText
//
// Input: link type, options (see ``options(_:_:)``), bytes of the packet that were not captured (2 bytes), the frame.
// Seeds are the packets of the text corpus: Scripts/make-text-seeds knows this layout, too.
import SwBPFPacketText

/// Ethernet, cooked, cooked 2, raw, NULL, LOOP, DLT_RAW, one that has no printer, and nflog.
private let linkTypes: [Int32] = [1, 113, 276, 101, 0, 108, 12, 105, 239]

/// Bit 0 link header, bit 1 quiet, bits 2 and 3 verbosity, bits 4 and 5 dump, bit 6 dump from the link header on, bit 7 absolute
/// sequence numbers.
private func options(_ linkType: Int32, _ bits: UInt8) -> TextOptions {
  var options = TextOptions(linkType: linkType)
  options.linkHeader = bits & 1 != 0
  options.quiet = bits & 2 != 0
  options.verbosity = Int(bits >> 2 & 3)
  options.dump = [.none, .hex, .hexAndText, .text][Int(bits >> 4 & 3)]
  options.dumpsLinkHeader = bits & 0x40 != 0
  options.absoluteSequence = bits & 0x80 != 0
  options.recognizesOffload = options.absoluteSequence
  // These depend on nothing else, so they need no bits of their own.
  options.veryQuiet = options.quiet && options.linkHeader
  options.packetNumber = bits % 5 == 0
  options.nanoseconds = options.linkHeader
  options.stamp = StampStyle(rawValue: Int(bits) % 6) ?? .clock
  return options
}

/// Printers are kept, for each has a table of conversations; so a line may depend on inputs of before, which is no matter
/// here: what is looked for does not depend on the text.
private final class Printer {
  var printer: LinePrinter
  init(_ options: TextOptions) { printer = LinePrinter(options) { "if\($0)" } }
}

nonisolated(unsafe) private var printers: [Int: Printer] = [:]
nonisolated(unsafe) private var lines = TextBuffer(capacity: 64)

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzText(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data, size >= 4 else { return 0 }
  let linkType = linkTypes[Int(data[0]) % linkTypes.count]
  let bits = data[1]
  let missing = UInt32(data[2]) << 8 | UInt32(data[3])
  // A copy of the frame of exactly its size, so that a byte too far is seen by AddressSanitizer.
  let length = size - 4
  let frame = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: 1)
  defer { frame.deallocate() }
  frame.copyMemory(from: data + 4, byteCount: length)

  let key = Int(linkType) << 8 | Int(bits)
  if printers[key] == nil {
    // Each table takes 2 MB.
    if printers.count >= 256 { printers.removeAll() }
    printers[key] = Printer(options(linkType, bits))
  }
  lines.removeAll(keepingCapacity: lines.count < 1 << 20)
  printers[key]!.printer.print(
    seconds: 1_700_000_000, nanoseconds: 123_456_789, wireLength: UInt32(length) + missing,
    frame: RawSpan(_unsafeStart: frame, byteCount: length), to: &lines)
  lines.bytes.withUnsafeBytes { text in
    precondition(text.last == 0x0a, "the text does not end with a newline")
    precondition(
      text.allSatisfy { $0 >= 0x20 && $0 < 0x7f || $0 == 0x0a || $0 == 0x09 }, "a byte that may steer a terminal")
  }
  return 0
}
