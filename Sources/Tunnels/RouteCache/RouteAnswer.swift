// What the system says of the way to an address.
import Glibc

/// The way to an address, or why there is none.
package struct RouteAnswer: Equatable, Sendable {
  /// Index of the interface that packets leave by; 0 when there is no route.
  package var interface: UInt32 = 0
  /// What fits unfragmented: of the path where the system knows it, else of the interface. Bytes.
  package var pathMTU: UInt32 = 0
  /// 0, or why nothing can be sent there (ENETUNREACH and its like).
  package var errno: CInt = 0
  /// The address is one of this system's.
  package var isLocal = false
  package var interfaceName = InterfaceName()

  package init() {}

  package var exists: Bool { errno == 0 }

  /// Whether the answer stays the same until a route, link or address changes: the question itself did not fail.
  var isLasting: Bool {
    switch errno {
    case 0, ENETUNREACH, EHOSTUNREACH, ENETDOWN, EACCES, EINVAL: true
    default: false
    }
  }
}

/// The name of an interface in place, without a string's storage.
package struct InterfaceName: Equatable, Sendable {
  private var first: UInt64 = 0
  private var second: UInt64 = 0

  package init() {}

  /// - Parameter words: the 16 bytes of the name as the system has them.
  init(_ words: (UInt64, UInt64)) { (first, second) = words }

  var words: (UInt64, UInt64) { (first, second) }

  package var text: String {
    let bytes = [first, second].flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word.littleEndian >> ($0 * 8)) }
    }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}
