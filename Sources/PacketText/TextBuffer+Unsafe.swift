// The bytes a text output collects before one write(2). Owned by one LinePrinter's caller, one thread at a time.

/// Digit pairs "00" to "99", as one run of text in constant memory.
private let digitPairs: StaticString = """
  0001020304050607080910111213141516171819\
  2021222324252627282930313233343536373839\
  4041424344454647484950515253545556575859\
  6061626364656667686970717273747576777879\
  8081828384858687888990919293949596979899
  """

/// A growing run of raw bytes with the few formats that packet text is made of.
///
/// Appending never allocates once the buffer has grown to the longest text it had to hold.
@safe
package struct TextBuffer: ~Copyable {
  private var base: UnsafeMutableRawPointer
  private var capacity: Int
  /// Bytes appended so far.
  package private(set) var count = 0
  /// The packet's text ended in a header that was not captured whole: every printer leaves, and a dump shows the
  /// frame from its first byte. See ``appendTruncation(_:)``.
  package var isCut = false

  /// - Parameter capacity: room to start with, at least 64 bytes.
  package init(capacity: Int = 64 * 1024) {
    self.capacity = max(64, capacity)
    // SAFETY: owned by this value alone, freed in deinit or after growing.
    unsafe base = UnsafeMutableRawPointer.allocate(byteCount: self.capacity, alignment: 16)
  }

  deinit {
    unsafe base.deallocate()
  }

  package var isEmpty: Bool { count == 0 }

  /// All bytes appended since the last ``removeAll(keepingCapacity:)``, for write(2).
  package var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      // SAFETY: `count` bytes are initialised, and the span borrows self, so nothing can grow or free them meanwhile.
      let span = unsafe RawSpan(_unsafeStart: base, byteCount: count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  package mutating func removeAll(keepingCapacity: Bool = true) {
    count = 0
    if !keepingCapacity {
      self = TextBuffer(capacity: 64)
    }
  }

  /// Takes back what was appended after `count` was `length`. Longer than now changes nothing.
  package mutating func truncate(to length: Int) {
    count = max(0, min(count, length))
  }

  @inline(never)
  private mutating func grow(_ more: Int) {
    let wanted = max(capacity * 2, count + more)
    // SAFETY: the new memory is larger than count, the old one is freed once copied and not used again.
    let next = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
    unsafe next.copyMemory(from: base, byteCount: count)
    unsafe base.deallocate()
    unsafe base = next
    capacity = wanted
  }

  @inline(__always)
  private mutating func reserve(_ more: Int) {
    if capacity - count < more { grow(more) }
  }

  @inline(__always)
  package mutating func append(byte: UInt8) {
    reserve(1)
    // SAFETY: reserve made room for one byte.
    unsafe base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
    count += 1
  }

  /// Appends a literal. Its length is known when compiling, so this becomes a few stores.
  @inline(__always)
  package mutating func append(_ text: StaticString) {
    let length = text.utf8CodeUnitCount
    reserve(length)
    // SAFETY: a literal of more than one scalar is a pointer to constant memory of that length; room was made.
    unsafe (base + count).copyMemory(from: text.utf8Start, byteCount: length)
    count += length
  }

  package mutating func append(_ part: RawSpan) {
    let length = part.byteCount
    reserve(length)
    // SAFETY: reserve made room for `length` bytes; the span cannot lie in this buffer while it is being changed.
    unsafe part.withUnsafeBytes { source in
      if let start = source.baseAddress { unsafe (base + count).copyMemory(from: start, byteCount: length) }
    }
    count += length
  }

  /// Appends the low `length` bytes of `packed`, lowest first.
  @inline(__always)
  package mutating func append(packed: UInt64, length: Int) {
    reserve(8)
    // SAFETY: reserve made room for eight bytes; those beyond `length` are not counted.
    unsafe (base + count).storeBytes(of: packed.littleEndian, as: UInt64.self)
    count += max(0, min(8, length))
  }

  /// `%u`.
  @inline(__always)
  package mutating func append(decimal value: UInt32) {
    if value < 10 {
      append(byte: UInt8(truncatingIfNeeded: value) &+ 0x30)
    } else {
      appendDigits(value, count: decimalDigits(value))
    }
  }

  /// `%0*u`, for a width up to ten.
  package mutating func append(decimal value: UInt32, width: Int) {
    appendDigits(value, count: max(decimalDigits(value), min(width, 10)))
  }

  private mutating func appendDigits(_ value: UInt32, count digits: Int) {
    reserve(10)
    var rest = value
    var end = count + digits
    count = end
    // SAFETY: digits is at most ten, and ten bytes of room were made.
    let start = end - digits
    while end - start >= 2 {
      let pair = unsafe digitPair(rest % 100)
      rest /= 100
      end -= 2
      unsafe (base + end).storeBytes(of: pair, as: UInt16.self)
    }
    if end > start {
      unsafe base.storeBytes(of: UInt8(truncatingIfNeeded: rest % 10) &+ 0x30, toByteOffset: end - 1, as: UInt8.self)
    }
  }

  @inline(__always)
  private func decimalDigits(_ value: UInt32) -> Int {
    if value < 10_000 {
      if value < 100 { return value < 10 ? 1 : 2 }
      return value < 1000 ? 3 : 4
    }
    if value < 1_000_000 { return value < 100_000 ? 5 : 6 }
    if value < 100_000_000 { return value < 10_000_000 ? 7 : 8 }
    return value < 1_000_000_000 ? 9 : 10
  }

  /// Dotted quad.
  package mutating func append(ipv4 address: UInt32) {
    reserve(20)
    var end = count
    var rest = address
    // SAFETY: four octets of at most three digits and a dot fit into the room made.
    for _ in 0..<4 {
      let octet = rest >> 24
      rest <<= 8
      if octet >= 100 {
        let hundreds: UInt32 = octet >= 200 ? 2 : 1
        unsafe base.storeBytes(of: UInt8(truncatingIfNeeded: hundreds) &+ 0x30, toByteOffset: end, as: UInt8.self)
        unsafe (base + end + 1).storeBytes(of: digitPair(octet &- hundreds &* 100), as: UInt16.self)
        end += 3
      } else if octet >= 10 {
        unsafe (base + end).storeBytes(of: digitPair(octet), as: UInt16.self)
        end += 2
      } else {
        unsafe base.storeBytes(of: UInt8(truncatingIfNeeded: octet) &+ 0x30, toByteOffset: end, as: UInt8.self)
        end += 1
      }
      unsafe base.storeBytes(of: 0x2e, toByteOffset: end, as: UInt8.self)
      end += 1
    }
    count = end - 1
  }

  /// Two digits of a number below 100, first one in the lower byte. Unchecked.
  @unsafe
  @inline(__always)
  private func digitPair(_ value: UInt32) -> UInt16 {
    // SAFETY: the caller keeps the value below 100, and there are a hundred pairs.
    let pairs = unsafe UnsafeRawPointer(digitPairs.utf8Start)
    return unsafe pairs.loadUnaligned(fromByteOffset: Int(value) * 2, as: UInt16.self)
  }
}
