// Records into a savefile and lines about packets, both into nothing.
import Glibc
import SwBPFCaptureFile
import SwBPFPacketText

enum FileWork {
  static let workloads: [(name: String, make: @Sendable () throws -> Workload)] = [
    ("savefile-slot-1500", { try slot() }),
    ("savefile-record-64", { try records(size: 64) }),
    ("savefile-record-1500", { try records(size: 1500) }),
    ("print-line", { lines() }),
  ]

  private static func writer() throws -> SavefileWriter {
    try SavefileWriter(fileDescriptor: open("/dev/null", O_WRONLY), linkType: 1, snapLength: 0)
  }

  /// As a capture writes: whole slots, whatever they hold.
  private static func slot() throws -> Workload {
    let writer = try writer()
    let bytes = [UInt8](repeating: 0, count: 170 * 1516)
    return Workload(count: 170, prepare: {}, run: { try? writer.write(slot: bytes.span.bytes) })
  }

  /// As a file becomes another one: record by record.
  private static func records(size: Int) throws -> Workload {
    let writer = try writer()
    let frame = datagram(size: size, port: 9)
    let run = {
      for number in 0..<1000 {
        try? writer.append(
          seconds: 1_700_000_000, nanoseconds: Int32(number), length: UInt32(size), bytes: frame.span.bytes)
      }
      try? writer.flush()
    }
    return Workload(count: 1000, prepare: {}, run: run)
  }

  private final class Lines {
    var printer: LinePrinter
    var buffer = TextBuffer()
    init() {
      printer = LinePrinter(TextOptions(linkType: 1))
    }
  }

  private static func lines() -> Workload {
    let lines = Lines()
    let frame = datagram(size: 64, port: 9)
    let run = {
      for number in 0..<1000 {
        lines.printer.print(
          seconds: 1_700_000_000, nanoseconds: UInt32(number) * 1000, wireLength: 64, frame: frame.span.bytes,
          to: &lines.buffer)
      }
    }
    return Workload(count: 1000, prepare: { lines.buffer.removeAll() }, run: run)
  }
}
