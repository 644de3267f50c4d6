import Testing

@testable import TestSupport

/// `swbpf -r` over the corpus prints what tcpdump prints, byte for byte.
@Suite(.timeLimit(.minutes(5)))
struct CorpusTests {
  /// Every text that is committed.
  static let committed: [(String, String)] = Corpus.names.flatMap { name in
    ((try? Corpus(name: name).texts()) ?? []).map { (name, $0.flags) }
  }

  /// Under a sanitizer each run of the command is slow.
  static let live = Corpus.names.filter { Requirement.sanitizer == nil || !$0.hasSuffix("-cut") }

  static let flags = ["-n", "-nt", "-ntt", "-ne", "-nq", "-nv", "-nvv", "-nx", "-nX", "-nA", "-nS"]

  @Test("the corpus is whole: packets of each group, cuts of them, and tcpdump's text with each set of flags")
  func corpus() throws {
    let whole = Corpus.names.filter { !$0.hasSuffix("-cut") }
    #expect(whole.count >= 19)
    #expect(Corpus.names == whole.flatMap { [$0 + "-cut", $0] }.sorted())
    var counts = [0, 0]
    for name in Corpus.names {
      let packets = try Corpus(name: name).packets()
      let cut = packets.count { $0.bytes.count < $0.wireLength }
      #expect(cut == (name.hasSuffix("-cut") ? packets.count : 0), "\(name)")
      counts[name.hasSuffix("-cut") ? 1 : 0] += packets.count
      #expect(try Corpus(name: name).texts().allSatisfy { !$0.text.isEmpty }, "\(name)")
    }
    #expect(counts[0] >= 400)
    #expect(counts[1] >= 4000)
    for flags in Self.flags {
      let texts = Self.committed.filter { $0.1 == flags && !$0.0.hasSuffix("-cut") }
      #expect(try texts.map { try Corpus(name: $0.0).packets().count }.reduce(0, +) >= 400, "\(flags)")
    }
    #expect(try Corpus.contents(Corpus.folder + "/VERSION") == Reference.version + "\n")
  }

  @Test("prints the committed lines", arguments: committed)
  func committedLines(_ group: String, _ flags: String) throws {
    let corpus = Corpus(name: group)
    let theirs = try #require(corpus.texts().first { $0.flags == flags }?.text)
    try corpus.compare(corpus.text(of: Tool.swbpf, flags), with: theirs, flags)
  }

  @Test(
    "prints what the installed tcpdump prints",
    .enabled(if: Reference.isInstalled, "needs tcpdump 4.99.3, whose text is the measure"),
    arguments: live, flags)
  func installed(_ group: String, _ flags: String) throws {
    let corpus = Corpus(name: group)
    let theirs = try corpus.text(of: Reference.path!, flags)
    try corpus.compare(corpus.text(of: Tool.swbpf, flags), with: theirs, flags)
  }
}
