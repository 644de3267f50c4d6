// A packet in memory, with room in front so that headers can be put before it where it lies.
// Used by one worker at a time.
import Glibc

/// Where the bytes of one packet lie in a larger piece of memory. (`mbuf`: M_PREPEND, m_adj)
///
/// A copy of this value means the same bytes. All accesses are checked against the packet's bounds and trap outside of them.
@safe package struct PacketRoom {
  @usableFromInline let base: UnsafeMutableRawPointer
  @usableFromInline var first: Int
  @usableFromInline var length: Int
  package let capacity: Int

  /// - Parameters:
  ///   - base: memory of so many bytes that outlives every copy of this value.
  ///   - headroom: bytes that stay free in front of what is received.
  @unsafe @inlinable package init(_ base: UnsafeMutableRawPointer, capacity: Int, headroom: Int) {
    precondition(headroom >= 0 && headroom <= capacity)
    unsafe self.base = unsafe base
    self.capacity = capacity
    first = headroom
    length = 0
  }

  /// Where the packet begins: that many bytes are free in front.
  @inlinable package var start: Int { first }

  @inlinable package var count: Int { length }

  /// Where the packet's first byte lies. For system calls.
  @unsafe @inlinable package var address: UnsafeMutableRawPointer { unsafe base + first }

  /// Bytes that fit behind ``start``.
  @inlinable package var room: Int { capacity - first }

  /// The packet, read-only.
  @inlinable package var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      // SAFETY: start and count are inside the memory, which outlives this value.
      let buffer = unsafe UnsafeRawBufferPointer(start: base + first, count: length)
      return unsafe _overrideLifetime(RawSpan(_unsafeBytes: buffer), borrowing: self)
    }
  }

  /// Makes the packet a new one: so many bytes behind so much room.
  @inlinable package mutating func reset(headroom: Int, count: Int) {
    precondition(headroom >= 0 && count >= 0 && headroom <= capacity && count <= capacity - headroom)
    first = headroom
    length = count
  }

  /// Puts bytes in front, with whatever they hold. (M_PREPEND)
  /// - Returns: false, and nothing changes, when there is no room.
  @inlinable @inline(__always)
  package mutating func prepend(_ more: Int) -> Bool {
    guard more >= 0 && more <= first else { return false }
    first -= more
    length += more
    return true
  }

  /// Puts bytes behind, with whatever they hold.
  /// - Returns: false, and nothing changes, when there is no room.
  @inlinable @inline(__always)
  package mutating func append(_ more: Int) -> Bool {
    guard more >= 0 && more <= room - length else { return false }
    length += more
    return true
  }

  /// Takes bytes off the front. (m_adj)
  @inlinable @inline(__always)
  package mutating func removeFirst(_ less: Int) {
    precondition(less >= 0 && less <= length)
    first += less
    length -= less
  }

  /// Takes bytes off the end.
  @inlinable @inline(__always)
  package mutating func keepFirst(_ length: Int) {
    precondition(length >= 0 && length <= self.length)
    self.length = length
  }

  @inlinable @inline(__always)
  package mutating func store(_ value: UInt8, at offset: Int) { put(value, offset) }
  @inlinable @inline(__always)
  package mutating func store(be16 value: UInt16, at offset: Int) { put(value.bigEndian, offset) }
  @inlinable @inline(__always)
  package mutating func store(be32 value: UInt32, at offset: Int) { put(value.bigEndian, offset) }
  @inlinable @inline(__always)
  package mutating func store(be64 value: UInt64, at offset: Int) { put(value.bigEndian, offset) }

  /// Copies bytes of another packet into this one.
  package mutating func copy(from other: borrowing RawSpan, at offset: Int) {
    let size = other.byteCount
    precondition(offset >= 0 && offset <= length && size <= length - offset)
    // SAFETY: checked above; the pieces may overlap.
    unsafe other.withUnsafeBytes { bytes in
      if let address = bytes.baseAddress { _ = unsafe memmove(base + first + offset, address, size) }
    }
  }

  @inlinable @inline(__always)
  mutating func put<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, _ offset: Int) {
    precondition(offset >= 0 && offset <= length && MemoryLayout<Value>.size <= length - offset)
    // SAFETY: checked above.
    unsafe (base + first + offset).storeBytes(of: value, as: Value.self)
  }
}

/// Memory for a batch of packets, taken once.
@safe package final class PacketBatch {
  private let memory: UnsafeMutableRawPointer
  /// The packets, which mean the batch's memory; copies are for use.
  package let packets: [PacketRoom]

  /// - Parameters:
  ///   - size: bytes of one packet without its headroom.
  ///   - headroom: bytes in front of each.
  package init(_ count: Int, size: Int, headroom: Int) {
    // Two cache lines, so that no two packets share one.
    let stride = (size + headroom + 127) & ~127
    // SAFETY: freed in deinit; zeroed by the system, page by page when it is first touched.
    guard let memory = unsafe calloc(count * stride + 128, 1) else { fatalError("no memory for packets") }
    unsafe self.memory = unsafe memory
    let first = unsafe memory.alignedUp(toMultipleOf: 128)
    var packets: [PacketRoom] = []
    for index in 0..<count {
      unsafe packets.append(PacketRoom(first + index * stride, capacity: size + headroom, headroom: headroom))
    }
    self.packets = packets
  }

  deinit { unsafe free(memory) }
}
