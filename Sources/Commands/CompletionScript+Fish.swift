// The script for fish.

extension CompletionScript {
  static var fishText: String {
    let options = OptionTable.all.map { "complete -c swbpf -n 'not __swbpf_in \(allNames)'\(fishOption($0))" }
    return """
      # fish completion for swbpf, made by: swbpf completion fish
      function __swbpf_interfaces
          begin
              swbpf -D 2>/dev/null | sed -n 's/^[0-9]*\\.\\([^ ]*\\).*/\\1/p'
              for path in /sys/class/net/*/
                  basename $path
              end
              echo any
          end | sort -u
      end

      # Whether the first word is one of these.
      function __swbpf_in
          set -l words (commandline -opc)
          test (count $words) -gt 1; and contains -- $words[2] $argv
      end

      function __swbpf_first
          test (count (commandline -opc)) -eq 1
      end

      complete -c swbpf -f
      complete -c swbpf -n __swbpf_first -a '\(allNames)'
      complete -c swbpf -n 'not __swbpf_in \(allNames.replacing(" filter", with: ""))' \
      -a '\(expressionWords.joined(separator: " "))'
      \(subcommands.map(fishSubcommand).joined(separator: "\n"))
      \(options.joined(separator: "\n"))

      """
  }

  private static var allNames: String { subcommands.map(\.name).joined(separator: " ") }

  private static func fishSubcommand(_ subcommand: Subcommand) -> String {
    let start = "complete -c swbpf -n '__swbpf_in \(subcommand.name)'"
    var lines: [String] = []
    let words = subcommand.words.filter { !$0.hasPrefix("-") }
    if !words.isEmpty { lines.append("\(start) -a '\(words.joined(separator: " "))'") }
    for word in subcommand.words where word.hasPrefix("--") { lines.append("\(start) -l \(word.dropFirst(2))") }
    for word in subcommand.words where word.hasPrefix("-") && !word.hasPrefix("--") {
      let kind = word.count == 2 ? "-s" : "-o"
      lines.append("\(start) \(kind) \(word.dropFirst())" + (subcommand.takesFile && word == "-f" ? " -r -F" : ""))
    }
    if subcommand.takesPID { lines.append("\(start) -l pid -x -a '(pgrep -x swbpf)'") }
    return lines.joined(separator: "\n")
  }

  private static func fishOption(_ option: OptionName) -> String {
    let names = (option.short.map { " -s '\($0)'" } ?? "") + (option.long.map { " -l \($0)" } ?? "")
    guard let values = values(of: option) else { return names }
    switch values {
    case .interfaces: return names + " -x -a '(__swbpf_interfaces)'"
    case .files: return names + " -r -F"
    case .users: return names + " -x -a '(__fish_complete_users)'"
    case .words(let words): return names + " -x -a '\(words.joined(separator: " "))'"
    case .none: return names + " -x"
    }
  }
}
