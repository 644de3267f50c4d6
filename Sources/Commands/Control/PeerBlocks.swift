// The peers on a terminal that is too narrow for the table: some lines for each.
import Glibc

enum PeerBlocks {
  /// What the first line of a block has: some without names, some with.
  private static let (bare, first): (Set, Set) = (["interface", "link_type"], ["direction", "see_sent", "age_ms"])

  /// The table when it fits, else a block for each peer.
  /// - Parameter width: columns of the terminal; nil when there is none, which takes the table.
  static func text(_ peers: [ListedPeer], width: Int?) -> String {
    let table = PeerTable.text(peers)
    guard let width, table.split(separator: "\n").contains(where: { $0.count > width }) else { return table }
    return peers.map { block($0, width: width) }.joined(separator: "\n")
  }

  /// Names with their values, broken between them; the filter is the last line.
  private static func block(_ peer: ListedPeer, width: Int) -> String {
    let process = ["\(peer.pid)", Printable.text(Processes.name(of: peer.user))]
    guard let status = peer.status else { return (process + ["no answer"]).joined(separator: "  ") + "\n" }
    var (head, counts) = (process, [String]())
    var filter = ""
    for (name, field) in PeerTable.columns {
      let value = PeerTable.cell(status, field)
      let pair = "\(name.lowercased()) \(value)"
      if bare.contains(field) {
        head.append(value)
      } else if first.contains(field) {
        head.append(pair)
      } else if field == "filter" {
        filter = pair
      } else {
        counts.append(pair)
      }
    }
    return folded(head, width) + folded(counts, width, indent: "  ") + "  \(filter)\n"
  }

  /// As many words in a line as it holds.
  private static func folded(_ words: [String], _ width: Int, indent: String = "") -> String {
    var lines: [String] = []
    for word in words {
      if let line = lines.last, line.count + 2 + word.count <= width {
        lines[lines.count - 1] += "  " + word
      } else {
        lines.append((lines.isEmpty ? indent : "  ") + word)
      }
    }
    return lines.map { $0 + "\n" }.joined()
  }

  /// Columns of the terminal at standard output; nil when that is none, or does not say.
  static var terminalWidth: Int? {
    var size = winsize()
    guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }
}
