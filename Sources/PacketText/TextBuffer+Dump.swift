// Dumps of bytes that no printer knows, on lines of their own after the packet's.
import SwBPFPackets

extension TextBuffer {
  /// Sixteen bytes a line in hexadecimal and as text, each line after a newline and a tab.
  package mutating func appendHexAndText(_ bytes: RawSpan) {
    var offset = 0
    while offset < bytes.byteCount {
      let line = min(16, bytes.byteCount - offset)
      append("\n\t0x")
      appendDumpOffset(offset)
      append(": ")
      let column = count
      appendHexPairs(bytes, at: offset, line)
      while count - column < 40 { append(byte: 0x20) }
      append("  ")
      for index in offset..<offset + line {
        let byte = bytes.u8(at: index)
        append(byte: byte > 0x20 && byte < 0x7f ? byte : 0x2e)
      }
      offset += line
    }
  }

  /// Sixteen bytes a line in hexadecimal only, each line after `indent`.
  package mutating func appendHexLines(_ bytes: RawSpan, indent: StaticString = "\n\t") {
    var offset = 0
    while offset < bytes.byteCount {
      let line = min(16, bytes.byteCount - offset)
      append(indent)
      append("0x")
      appendDumpOffset(offset)
      append(": ")
      appendHexPairs(bytes, at: offset, line)
      offset += line
    }
  }

  /// The bytes as text after a newline: what cannot be shown is a dot, and a carriage return ending a line is left out.
  package mutating func appendText(_ bytes: RawSpan) {
    append(byte: 0x0a)
    let count = bytes.byteCount
    for offset in 0..<count {
      let byte = bytes.u8(at: offset)
      switch byte {
      case 0x0d:
        if count - offset > 2, bytes.u8(at: offset + 1) != 0x0a { append(byte: 0x2e) }
      case 0x09, 0x0a, 0x20..<0x7f: append(byte: byte)
      default: append(byte: 0x2e)
      }
    }
  }

  /// At least four digits; a frame can be longer than 64 KiB.
  private mutating func appendDumpOffset(_ offset: Int) {
    let value = UInt32(truncatingIfNeeded: offset)
    if value > 0xffff { append(hex: value) } else { append(hex: value, digits: 4) }
  }

  private mutating func appendHexPairs(_ bytes: RawSpan, at offset: Int, _ length: Int) {
    for index in 0..<length {
      if index & 1 == 0 { append(byte: 0x20) }
      append(hex: UInt32(bytes.u8(at: offset + index)), digits: 2)
    }
  }
}
