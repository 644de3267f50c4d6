// The one error of the packet parsers, for callers off the packet path. Views answer nil instead of throwing.

/// A header that was not captured whole.
package struct Truncated: Error, Equatable, Sendable {
  package let layer: StaticString
  /// Bytes the header needs, and bytes there were.
  package let needed: Int
  package let have: Int
  /// Where the header starts in the frame.
  package let offset: Int

  package init(layer: StaticString, needed: Int, have: Int, offset: Int) {
    self.layer = layer
    self.needed = needed
    self.have = have
    self.offset = offset
  }

  package static func == (a: Truncated, b: Truncated) -> Bool {
    a.layer.description == b.layer.description && a.needed == b.needed && a.have == b.have && a.offset == b.offset
  }
}
