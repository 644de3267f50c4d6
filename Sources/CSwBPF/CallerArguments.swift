// What a C caller passes: strings, vectors, numbers at addresses. None of it is trusted.
import Glibc
import SwBPFBPF
import SwBPFKern

enum Caller {
  /// The string at an address. - Throws: EFAULT; ENAMETOOLONG beyond 4095 bytes.
  static func string(_ address: UInt) throws(BPF.Failure) -> String {
    var bytes: [UInt8] = []
    var next = UInt64(address)
    while bytes.count < 4096 {
      // Up to a multiple of 64: such a piece lies within a page, so the end of the string may be the end of memory.
      let count = 64 - Int(next % 64)
      guard let piece = CallerMemory.read(next, count: count) else { throw .badAddress }
      if let end = piece.firstIndex(of: 0) { return String(decoding: bytes + piece[..<end], as: UTF8.self) }
      bytes += piece
      next &+= UInt64(count)
    }
    throw .system(errno: ENAMETOOLONG, call: "swbpf")
  }

  /// The pieces of a `struct iovec` vector. - Throws: EFAULT; EINVAL for a count out of 0...1024.
  static func vector(_ address: UInt, _ count: CInt) throws(BPF.Failure) -> [(address: UInt64, count: UInt64)] {
    guard (0...1024).contains(count) else { throw .invalid("\(count) pieces") }
    let words = try words(address, Int(count) * 2)
    return (0..<Int(count)).map { (words[$0 * 2], words[$0 * 2 + 1]) }
  }

  /// A `size_t`. - Throws: EFAULT.
  static func size(_ address: UInt) throws(BPF.Failure) -> UInt64 { try words(address, 1)[0] }

  /// An `int`. - Throws: EFAULT.
  static func int(_ address: UInt) throws(BPF.Failure) -> Int32 {
    guard let bytes = CallerMemory.read(UInt64(address), count: 4) else { throw .badAddress }
    return Int32(truncatingIfNeeded: number(bytes[...]))
  }

  /// The first bytes of a number, as many as there is room. - Throws: EFAULT.
  static func store(_ value: UInt64, _ count: Int, at address: UInt) throws(BPF.Failure) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    guard CallerMemory.write(bytes, to: UInt64(address)) else { throw .badAddress }
  }

  private static func words(_ address: UInt, _ count: Int) throws(BPF.Failure) -> [UInt64] {
    guard let bytes = CallerMemory.read(UInt64(address), count: count * 8) else { throw .badAddress }
    return (0..<count).map { number(bytes[($0 * 8)..<($0 * 8 + 8)]) }
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
