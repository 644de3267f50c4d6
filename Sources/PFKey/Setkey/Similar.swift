// Which word was meant.

enum Similar {
  /// The word with the fewest letters to change, if these are few.
  /// - Cost: the product of the lengths for each candidate; nothing for words that are much longer than any of them.
  static func nearest(to word: String, among words: [String]) -> String? {
    guard word.utf8.count <= 32, !word.isEmpty else { return nil }
    let best = words.map { (word: $0, distance: distance(Array(word.utf8), Array($0.utf8))) }
      .min { $0.distance < $1.distance }
    guard let best, best.distance <= max(1, best.word.utf8.count / 3) else { return nil }
    return best.word
  }

  /// How many bytes to put in, take out or change.
  static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, y) in b.enumerated() {
        let next = min(min(row[j], row[j + 1]) + 1, diagonal + (x == y ? 0 : 1))
        diagonal = row[j + 1]
        row[j + 1] = next
      }
    }
    return row[b.count]
  }
}
