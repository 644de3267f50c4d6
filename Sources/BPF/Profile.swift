// What differs between the BSDs where a program can tell.

extension BPF {
  /// Which BSD's bpf(4) a descriptor looks like: record headers, the size of BIOCGSTATS, FreeBSD's or NetBSD's own rules.
  public enum Profile: String, Sendable, CaseIterable {
    case freebsd
    case netbsd
    case openbsd
  }

  /// How a record's time stamp is written. (BIOCSTSTAMP: `BPF_T_*`)
  ///
  /// Bits 0 and 1 choose microseconds (0), nanoseconds (1), a binary fraction (2) or nothing (3); 0x100 allows a cheap clock,
  /// which here is the same; 0x200 counts from boot instead of from 1970.
  public struct StampFormat: RawRepresentable, Equatable, Sendable {
    public let rawValue: UInt32

    /// Nil for what BSD refuses: anything but 0...2 with 0x100 and 0x200, or 3 alone. (`BPF_T_VALID`)
    public init?(rawValue: UInt32) {
      guard rawValue == 3 || (rawValue & 3 != 3 && rawValue & ~0x303 == 0) else { return nil }
      self.rawValue = rawValue
    }

    private init(known: UInt32) { rawValue = known }

    /// Seconds and microseconds. (BPF_T_MICROTIME)
    public static let microtime = StampFormat(known: 0)
    /// Seconds and nanoseconds. (BPF_T_NANOTIME)
    public static let nanotime = StampFormat(known: 1)
    /// Seconds and 64 bits of binary fraction. (BPF_T_BINTIME)
    public static let bintime = StampFormat(known: 2)
    /// No stamp: zeros. (BPF_T_NONE)
    public static let none = StampFormat(known: 3)

    /// The same format on the clock that counts from boot. (BPF_T_MONOTONIC)
    public var monotonic: StampFormat { self == .none ? self : StampFormat(known: rawValue | 0x200) }

    var isMonotonic: Bool { rawValue & 0x200 != 0 }
    /// The format without its clock, as one of the four above.
    var unit: UInt32 { rawValue & 3 }
  }
}
