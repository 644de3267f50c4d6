// Numbers in byte arrays: PF_KEY's are in host order, ports and SPIs in network order. Any thread.

extension [UInt8] {
  /// Host order. Offsets were checked by the caller, as for all loads here.
  func host16(at offset: Int) -> UInt16 {
    UInt16(littleEndian: UInt16(self[offset]) | UInt16(self[offset + 1]) << 8)
  }

  func host32(at offset: Int) -> UInt32 {
    var value: UInt32 = 0
    for index in 0..<4 { value |= UInt32(self[offset + index]) << UInt32(8 * index) }
    return UInt32(littleEndian: value)
  }

  func host64(at offset: Int) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<8 { value |= UInt64(self[offset + index]) << UInt64(8 * index) }
    return UInt64(littleEndian: value)
  }

  /// Network order.
  func net16(at offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) }

  func net32(at offset: Int) -> UInt32 { UInt32(net16(at: offset)) << 16 | UInt32(net16(at: offset + 2)) }

  /// Overwrites a number in host order.
  mutating func setHost16(_ value: UInt16, at offset: Int) {
    let value = value.littleEndian
    self[offset] = UInt8(truncatingIfNeeded: value)
    self[offset + 1] = UInt8(truncatingIfNeeded: value >> 8)
  }

  mutating func setHost32(_ value: UInt32, at offset: Int) {
    let value = value.littleEndian
    for index in 0..<4 { self[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index)) }
  }

  mutating func appendHost16(_ value: UInt16) {
    let value = value.littleEndian
    append(UInt8(truncatingIfNeeded: value))
    append(UInt8(truncatingIfNeeded: value >> 8))
  }

  mutating func appendHost32(_ value: UInt32) {
    let value = value.littleEndian
    for index in 0..<4 { append(UInt8(truncatingIfNeeded: value >> UInt32(8 * index))) }
  }

  mutating func appendHost64(_ value: UInt64) {
    let value = value.littleEndian
    for index in 0..<8 { append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
  }

  mutating func appendNet16(_ value: UInt16) {
    append(UInt8(value >> 8))
    append(UInt8(truncatingIfNeeded: value))
  }

  mutating func appendNet32(_ value: UInt32) {
    appendNet16(UInt16(value >> 16))
    appendNet16(UInt16(truncatingIfNeeded: value))
  }

  mutating func appendZeros(_ count: Int) { append(contentsOf: repeatElement(0, count: count)) }
}
