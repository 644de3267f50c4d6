// The splitter in front of the option parser: fingers trained by getopt(3) write `-nni eth0 tcp -c5`.

/// Takes a command line apart as getopt_long(3) with permutation does.
///
/// `-nc5` becomes `-n -c 5`; flags after operands are options too; everything after `--` is an operand. The result has all
/// options first, each value in a word of its own, then `--`, then the operands in their order.
enum OptionSplitter {
  enum Failure: Error, Equatable {
    case unknown(String)
    /// A beginning of several names.
    case ambiguous(String, [String])
    case missingValue(String)
    case unexpectedValue(String)
  }

  static func split(_ words: [String]) throws(Failure) -> [String] {
    var options: [String] = []
    var operands: [String] = []
    var index = 0
    while index < words.count {
      let word = words[index]
      index += 1
      if word == "--" {
        operands += words[index...]
        break
      }
      if word.hasPrefix("--") {
        try long(word, words, &index, &options)
      } else if word.hasPrefix("-") && word.count > 1 {
        try group(word.dropFirst(), words, &index, &options)
      } else {
        operands.append(word)
      }
    }
    return options + ["--"] + operands
  }

  /// `--name`, `--name value`, `--name=value`; the beginning of a name that no other begins with is enough.
  private static func long(
    _ word: String, _ words: [String], _ index: inout Int, _ options: inout [String]
  ) throws(Failure) {
    let body = word.dropFirst(2)
    let equals = body.firstIndex(of: "=")
    let typed = String(body[..<(equals ?? body.endIndex)])
    let candidates = OptionTable.beginning(typed)
    guard let option = candidates.first, let name = option.long else { throw .unknown("--" + typed) }
    if candidates.count > 1 { throw .ambiguous("--" + typed, candidates.compactMap(\.long).map { "--" + $0 }) }
    options.append("--" + name)
    if option.value == nil {
      if equals != nil { throw .unexpectedValue("--" + name) }
    } else if let equals {
      options.append(String(body[body.index(after: equals)...]))
    } else if index < words.count {
      options.append(words[index])
      index += 1
    } else {
      throw .missingValue("--" + name)
    }
  }

  /// A group of letters; the first that takes a value takes the rest of the word, or the next word.
  private static func group(
    _ letters: Substring, _ words: [String], _ index: inout Int, _ options: inout [String]
  ) throws(Failure) {
    var rest = letters
    while let letter = rest.popFirst() {
      guard let option = OptionTable.named(short: letter) else { throw .unknown("-\(letter)") }
      options.append("-\(letter)")
      guard option.value != nil else { continue }
      if !rest.isEmpty {
        options.append(String(rest))
      } else if index < words.count {
        options.append(words[index])
        index += 1
      } else {
        throw .missingValue("-\(letter)")
      }
      return
    }
  }
}
