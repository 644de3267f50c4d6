// The argument of a request: as many bytes as its number says, in the caller's byte order.
import SwBPFKern
import SwBPFPackets

/// What a handler gets and may change. Addresses in it are the caller's and are never trusted.
struct RequestArgument {
  var bytes: [UInt8]

  /// The bytes from an offset on as a number in host order; 0 where there are none.
  private func load<Number: FixedWidthInteger>(_ type: Number.Type, at offset: Int) -> Number {
    var value: Number = 0
    for index in (0..<MemoryLayout<Number>.size).reversed() where offset + index < bytes.count {
      value = value << 8 | Number(truncatingIfNeeded: bytes[offset + index])
    }
    return value
  }

  private mutating func store<Number: FixedWidthInteger>(_ value: Number, at offset: Int) {
    for index in 0..<MemoryLayout<Number>.size where offset + index < bytes.count {
      bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
    }
  }

  /// A `u_int` or `int`.
  var word: UInt32 {
    get { load(UInt32.self, at: 0) }
    set { store(newValue, at: 0) }
  }

  func word(at offset: Int) -> UInt32 { load(UInt32.self, at: offset) }
  mutating func setWord(_ value: UInt32, at offset: Int) { store(value, at: offset) }
  mutating func setLong(_ value: UInt64, at offset: Int) { store(value, at: offset) }

  /// An address that follows a number: `bpf_program`, `bpf_dltlist`, `bpf_iflist`.
  var address: UInt64 { load(UInt64.self, at: 8) }

  /// The name of a `struct ifreq`, which fills 16 bytes.
  var name: String {
    get { String(decoding: bytes.prefix(16).prefix { $0 != 0 }, as: UTF8.self) }
    set {
      bytes = [UInt8](repeating: 0, count: bytes.count)
      for (index, byte) in newValue.utf8.prefix(min(15, bytes.count)).enumerated() { bytes[index] = byte }
    }
  }

  /// A `struct timeval` in ns. - Throws: EINVAL for what is no time.
  func time() throws(BPF.Failure) -> Int64 {
    let seconds = load(Int64.self, at: 0)
    let microseconds = load(Int64.self, at: 8)
    guard seconds >= 0, (0..<1_000_000).contains(microseconds) else {
      throw .invalid("a time of \(seconds) s and \(microseconds) us")
    }
    return min(seconds, BPF.Descriptor.longestTimeout / 1_000_000_000) * 1_000_000_000 + microseconds * 1000
  }

  mutating func setTime(_ nanoseconds: Int64) {
    store(nanoseconds / 1_000_000_000, at: 0)
    store(nanoseconds % 1_000_000_000 / 1000, at: 8)
  }
}
