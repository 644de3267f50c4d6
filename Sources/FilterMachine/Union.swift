// One kernel program from the programs of all peers. It lets through at least what any of them wants; each peer's own
// program still runs here on everything that comes. Made on control paths; immutable, so any thread reads it.

/// What a kernel filter must let through, and the filter. (No BSD origin; C-212)
///
/// Programs that compare the same values with other constants are one body, in which each value is looked up once
/// (``UnionLookup``). The bodies stand one behind the other: where a program would refuse, its body goes on to the next one;
/// where it would accept, it returns the cut. A load outside the frame and a division by zero end a whole program, so they are
/// guarded in every body but the last.
package struct Union: Sendable, Equatable {
  /// What one peer wants.
  package struct Wish: Sendable, Equatable {
    /// nil: every frame, whole.
    package var part: UnionPart?
    /// Frames that leave by the interface.
    package var sent: Bool
    /// Frames that arrive.
    package var received: Bool

    package init(_ part: UnionPart?, sent: Bool, received: Bool) {
      self.part = part
      self.sent = sent
      self.received = received
    }

    package static func == (one: Wish, other: Wish) -> Bool {
      one.part === other.part && one.sent == other.sent && one.received == other.received
    }
  }

  /// Most instructions that Linux takes. (BPF_MAXINSNS)
  package static let limit = 4096
  /// Ranges of one value that may be accepted: fewer where the kernel takes no more, which lets through what is between them.
  private static let ranges = [Int.max, 512, 256, 128, 64, 32, 16, 8, 4, 1]
  /// Lets everything through.
  package static let everything = Union(code: nil, cut: .max, wishes: [])

  /// The program for the kernel; nil when nothing is refused and nothing cut.
  package let code: [Instruction]?
  /// Bytes that are kept of a frame.
  package let cut: UInt32
  /// What is let through; a program at most once.
  private let wishes: [Wish]

  /// Nothing is refused and nothing cut.
  package var isOpen: Bool { code == nil }
  /// Whether there are frames that it does not let through; if not, it only cuts them.
  package var refuses: Bool {
    code != nil && !wishes.contains { $0.sent && $0.received && $0.part?.takesEverything ?? true }
  }

  private init(code: [Instruction]?, cut: UInt32, wishes: [Wish]) {
    self.code = code
    self.cut = cut
    self.wishes = wishes
  }

  /// - Parameters:
  ///   - isCooked: the socket shows frames without a link header, where the kernel finds tags that its filter does not see.
  ///   - memory: bytes that the kernel grants a filter (net.core.optmem_max); half of it is used, as the old filter stays
  ///     until the new one is there.
  package init(of asked: [Wish], isCooked: Bool = false, memory: Int) {
    var wishes = Union.merged(asked.map { Union.effective($0, isCooked) })
    // PACKET_IGNORE_OUTGOING looks after the direction then.
    if !wishes.contains(where: \.sent) { for index in wishes.indices { wishes[index].sent = true } }
    let cut = Union.cut(for: wishes)
    while !wishes.contains(where: { $0.part == nil && $0.sent && $0.received }) {
      let builder = UnionBuilder(wishes, cut: cut)
      for ranges in builder.hasLookups ? Union.ranges : [.max] where builder.least <= Union.limit {
        let code = builder.code(ranges: ranges)
        if code.count <= Union.limit && KernelSize.bytes(of: code) <= memory / 2 {
          self.init(code: code, cut: cut, wishes: wishes)
          return
        }
      }
      // Too large: the longest program makes place, and everything of its directions is let through.
      let lengths = wishes.map { $0.part?.instructions.count ?? 0 }
      guard let longest = lengths.indices.max(by: { lengths[$0] < lengths[$1] }), lengths[longest] > 0 else { break }
      wishes[longest].part = nil
      wishes = Union.merged(wishes)
    }
    // The whole frame too: who wants no more than a part of it is not worth a filter.
    self = .everything
  }

  /// Whether all that is asked for is let through, and with as many bytes as it needs.
  package func covers(_ asked: [Wish], isCooked: Bool = false) -> Bool {
    if code == nil { return true }
    for one in asked {
      let wish = Union.effective(one, isCooked)
      if Union.cut(for: [wish]) > cut { return false }
      var sent = !wish.sent
      var received = !wish.received
      for have in wishes where have.part == nil || Union.isSame(have.part, wish.part) {
        sent = sent || have.sent
        received = received || have.received
      }
      if !sent || !received { return false }
    }
    return true
  }

  /// Both let the same through; the order of the bodies does not matter.
  package static func == (one: Union, other: Union) -> Bool {
    if one.code == nil || other.code == nil { return one.code == nil && other.code == nil }
    guard one.cut == other.cut && one.wishes.count == other.wishes.count else { return false }
    return one.wishes.allSatisfy { wish in
      other.wishes.contains {
        $0.sent == wish.sent && $0.received == wish.received && isSame($0.part, wish.part)
      }
    }
  }

  /// What the kernel is asked for: a program that may not be there asks for everything.
  private static func effective(_ wish: Wish, _ isCooked: Bool) -> Wish {
    guard let part = wish.part, !part.isPushable || (isCooked && part.asksForTag) else { return wish }
    return Wish(nil, sent: wish.sent, received: wish.received)
  }

  /// Equal programs once, with the directions of all who have them.
  private static func merged(_ wishes: [Wish]) -> [Wish] {
    var result: [Wish] = []
    for wish in wishes where wish.sent || wish.received {
      if let place = result.firstIndex(where: { isSame($0.part, wish.part) }) {
        result[place].sent = result[place].sent || wish.sent
        result[place].received = result[place].received || wish.received
      } else {
        result.append(wish)
      }
    }
    return result
  }

  private static func isSame(_ one: UnionPart?, _ other: UnionPart?) -> Bool {
    guard let one, let other else { return one == nil && other == nil }
    return one.equals(other)
  }

  /// The most that any program returns or reads, and a VLAN tag that is put back. (design: cut by return value and reach)
  private static func cut(for wishes: [Wish]) -> UInt32 {
    var most: UInt32 = 0
    for wish in wishes {
      // What is kept whole is not cut; the same goes for lengths that stand for that.
      guard let part = wish.part, let need = part.need, need < 262_144 else { return .max }
      most = max(most, need)
    }
    return most + 4
  }
}
