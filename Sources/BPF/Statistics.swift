// What a descriptor counts. Read under the buffer lock, so every reading adds up.

extension BPF {
  /// The counters of one descriptor since it was opened, attached or flushed; 64-bit. (BIOCGSTATS and more)
  ///
  /// `offered = hidden + refused + captured` and `captured = delivered + dropped + waiting` hold in every reading.
  /// While a kernel filter is on, `offered`, `hidden` and `refused` lack what the kernel already refused.
  public struct Statistics: Sendable, Equatable {
    /// Frames that the tap showed to this descriptor.
    public internal(set) var offered: UInt64 = 0
    /// Of these, not shown because of the direction.
    public internal(set) var hidden: UInt64 = 0
    /// Of these, refused by the program.
    public internal(set) var refused: UInt64 = 0
    /// Accepted by the program. (`bs_capt`)
    public internal(set) var captured: UInt64 = 0
    /// Captured, but lost because every slot was full. (`bs_drop`)
    public internal(set) var dropped: UInt64 = 0
    /// Stored with less than the program asked for, because a slot or the kernel's block was too small.
    public internal(set) var cut: UInt64 = 0
    /// Handed to a reader.
    public internal(set) var delivered: UInt64 = 0
    /// Stored and not yet read.
    public internal(set) var waiting: UInt64 = 0

    public init() {}

    /// In the order of the fields.
    package init?(words: [UInt64]) {
      guard words.count == 8 else { return nil }
      (offered, hidden, refused, captured) = (words[0], words[1], words[2], words[3])
      (dropped, cut, delivered, waiting) = (words[4], words[5], words[6], words[7])
    }

    package var words: [UInt64] { [offered, hidden, refused, captured, dropped, cut, delivered, waiting] }

    /// The same, where the reader knows better how much it has taken.
    package func delivering(_ count: UInt64) -> Self {
      var new = self
      new.delivered = min(count, delivered + waiting)
      new.waiting = delivered + waiting - new.delivered
      return new
    }

    /// The same, where nobody is left to ask: what was taken beyond the last reading was offered and captured after it, and
    /// what waited can be lost.
    package func ending(_ count: UInt64) -> Self {
      var new = self
      let known = delivered + waiting
      if count > known {
        new.offered += count - known
        new.captured += count - known
      }
      new.delivered = count
      new.waiting = known > count ? known - count : 0
      return new
    }

    /// Those of two readers, one behind the other.
    package func adding(_ other: Self) -> Self {
      Self(words: zip(words, other.words).map { $0 &+ $1 }) ?? self
    }

    /// What BSD calls received: shown and not hidden by the direction. (`bs_recv`)
    public var received: UInt64 { offered - hidden }
  }
}
