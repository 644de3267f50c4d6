// The lines of an output: made by a printer, collected, coloured, written. Owned by one Output.
import Glibc
import SwBPFPacketText

/// Prints packets to standard output, many lines with one write.
struct OutputLines: ~Copyable {
  private var printer: LinePrinter
  private var objects: JSONPrinter
  private let printsJSON: Bool
  private var lines = TextBuffer()
  /// nil without colour.
  private let colors: LineColors?
  private var painted = TextBuffer(capacity: 64)
  /// More than this is written without waiting for more, bytes.
  private static var enough: Int { 1 << 16 }

  init(
    _ settings: CaptureSettings, linkType: Int32, interface: String?, interfaceName: @escaping (UInt32) -> String?
  ) {
    var options = settings.lines.textOptions(linkType: linkType, isLive: settings.input == nil)
    options.linkHeader = settings.showsLinkHeader
    options.nanoseconds = settings.hasNanoseconds
    printer = LinePrinter(options, interfaceName: interfaceName)
    objects = JSONPrinter(options, interface: interface, interfaceName: interfaceName)
    printsJSON = settings.printsJSON
    colors = settings.color.isOn && !settings.printsJSON ? LineColors(linkType: linkType) : nil
  }

  /// One packet's line or object; written with the next ``flush()``, or now when there is enough.
  @inline(__always)
  mutating func print(
    _ seconds: Int64, _ nanoseconds: UInt32, _ length: UInt32, _ frame: RawSpan
  ) throws(Output.Stop) {
    if printsJSON {
      objects.print(seconds: seconds, nanoseconds: nanoseconds, wireLength: length, frame: frame, to: &lines)
    } else {
      printer.print(seconds: seconds, nanoseconds: nanoseconds, wireLength: length, frame: frame, to: &lines)
    }
    if lines.count > Self.enough { try flush() }
  }

  /// Writes what is collected.
  mutating func flush() throws(Output.Stop) {
    guard !lines.isEmpty else { return }
    let number: CInt
    if let colors {
      Self.paint(lines, colors, to: &painted)
      number = Self.write(painted)
      painted.removeAll()
    } else {
      number = Self.write(lines)
    }
    lines.removeAll()
    if number != 0 { throw number == EPIPE ? .closed : .failed("standard output: \(Messages.text(of: number))") }
  }

  private static func paint(_ lines: borrowing TextBuffer, _ colors: LineColors, to painted: inout TextBuffer) {
    colors.paint(lines.bytes, to: &painted)
  }

  /// Writes the lines to standard output; 0 or an errno.
  private static func write(_ lines: borrowing TextBuffer) -> CInt {
    let total = lines.count
    let bytes = lines.bytes
    var offset = 0
    while offset < total {
      // SAFETY: `offset` is below the number of bytes.
      let count = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.write(STDOUT_FILENO, $0.baseAddress! + offset, total - offset)
      }
      if count >= 0 {
        offset += count
      } else if errno != EINTR {
        return errno
      }
    }
    return 0
  }
}
