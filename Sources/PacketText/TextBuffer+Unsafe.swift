// The bytes a text output collects before one write(2). Owned by one LinePrinter's caller, one thread at a time.

/// The numbers of a byte with a dot, four bytes each, as one run of text in constant memory.
private let octets: StaticString = """
  0.  1.  2.  3.  4.  5.  6.  7.  8.  9.  10. 11. 12. 13. 14. 15. \
  16. 17. 18. 19. 20. 21. 22. 23. 24. 25. 26. 27. 28. 29. 30. 31. \
  32. 33. 34. 35. 36. 37. 38. 39. 40. 41. 42. 43. 44. 45. 46. 47. \
  48. 49. 50. 51. 52. 53. 54. 55. 56. 57. 58. 59. 60. 61. 62. 63. \
  64. 65. 66. 67. 68. 69. 70. 71. 72. 73. 74. 75. 76. 77. 78. 79. \
  80. 81. 82. 83. 84. 85. 86. 87. 88. 89. 90. 91. 92. 93. 94. 95. \
  96. 97. 98. 99. 100.101.102.103.104.105.106.107.108.109.110.111.\
  112.113.114.115.116.117.118.119.120.121.122.123.124.125.126.127.\
  128.129.130.131.132.133.134.135.136.137.138.139.140.141.142.143.\
  144.145.146.147.148.149.150.151.152.153.154.155.156.157.158.159.\
  160.161.162.163.164.165.166.167.168.169.170.171.172.173.174.175.\
  176.177.178.179.180.181.182.183.184.185.186.187.188.189.190.191.\
  192.193.194.195.196.197.198.199.200.201.202.203.204.205.206.207.\
  208.209.210.211.212.213.214.215.216.217.218.219.220.221.222.223.\
  224.225.226.227.228.229.230.231.232.233.234.235.236.237.238.239.\
  240.241.242.243.244.245.246.247.248.249.250.251.252.253.254.255.
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

  /// Dotted quad.
  package mutating func append(ipv4 address: UInt32) {
    reserve(20)
    var end = count
    var rest = address
    // SAFETY: there are 256 octets of four bytes; four of at most three digits and a dot, and the bytes stored behind a
    // short one, fit into the room made.
    for _ in 0..<4 {
      let octet = rest >> 24
      rest <<= 8
      let text = unsafe UnsafeRawPointer(octets.utf8Start).loadUnaligned(
        fromByteOffset: Int(octet) * 4, as: UInt32.self)
      unsafe (base + end).storeBytes(of: text, as: UInt32.self)
      end += 2 + (octet > 9 ? 1 : 0) + (octet > 99 ? 1 : 0)
    }
    count = end - 1
  }
}
