// How BSD writes the number of a request: direction, size of the argument, group, number. (<sys/ioccom.h>)

extension BPF {
  /// A request number as a BSD program passes it to ioctl(2). Linux encodes the same facts otherwise.
  public struct RequestNumber: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Bytes of the argument.
    public var size: Int { Int(rawValue >> 16 & 0x1fff) }
    /// The argument carries something to the device.
    public var copiesIn: Bool { rawValue & 0x8000_0000 != 0 }
    /// The argument carries something back.
    public var copiesOut: Bool { rawValue & 0x4000_0000 != 0 }

    /// `_IO`
    static func none(_ group: Character, _ number: UInt32) -> Self { make(0x2000_0000, 0, group, number) }
    /// `_IOR`: the device answers.
    static func out(_ size: UInt32, _ group: Character, _ number: UInt32) -> Self {
      make(0x4000_0000, size, group, number)
    }
    /// `_IOW`: the device is told.
    static func `in`(_ size: UInt32, _ group: Character, _ number: UInt32) -> Self {
      make(0x8000_0000, size, group, number)
    }
    /// `_IOWR`
    static func both(_ size: UInt32, _ group: Character, _ number: UInt32) -> Self {
      make(0xc000_0000, size, group, number)
    }

    private static func make(_ way: UInt32, _ size: UInt32, _ group: Character, _ number: UInt32) -> Self {
      Self(rawValue: way | size << 16 | UInt32(group.asciiValue!) << 8 | number)
    }
  }
}
