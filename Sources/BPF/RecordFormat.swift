// How a record looks in a slot.

extension BPF {
  /// The layout of the records in a descriptor's slots.
  public enum RecordFormat: Sendable, Equatable {
    /// A savefile's: 16 bytes of header {seconds, fraction, captured length, length; 32 bits each, host order}, the frame,
    /// no padding. The fraction is nanoseconds or microseconds.
    case savefile(nanoseconds: Bool)

    var nanoseconds: Bool {
      switch self {
      case .savefile(let nanoseconds): nanoseconds
      }
    }
  }

  /// Bytes of a savefile record's header.
  package static let savefileHeaderSize = 16
  /// Bytes of a LINUX_SLL2 header.
  package static let cookedHeaderSize = 20
}
