// The script for zsh, a function of its completion system.

extension CompletionScript {
  static var zshText: String {
    let options = OptionTable.all.flatMap(zshOption).map { "    \($0) \\" }.joined(separator: "\n")
    let branches = subcommands.map { "      \(zshBranch($0))" }.joined(separator: "\n")
    return """
      #compdef swbpf
      # zsh completion for swbpf, made by: swbpf completion zsh

      _swbpf_interfaces() {
        local -a names
        names=(${(f)"$(_call_program interfaces ${(q)words[1]} -D 2>/dev/null | sed -n 's/^[0-9]*\\.\\([^ ]*\\).*/\\1/p')"})
        names+=(/sys/class/net/*(N-/:t) any)
        compadd -- ${(u)names}
      }

      _swbpf_pids() {
        compadd -- ${(f)"$(_call_program pids pgrep -x swbpf 2>/dev/null)"}
      }

      _swbpf_expression() {
        compadd -- \(expressionWords.joined(separator: " "))
      }

      _swbpf_first() {
        (( CURRENT == 2 )) && compadd -- \(subcommands.map(\.name).joined(separator: " "))
        _swbpf_expression
      }

      _swbpf() {
        if (( CURRENT > 2 )); then
          case $words[2] in
      \(branches)
          esac
        fi
        _arguments -s -S \\
      \(options)
          '1:expression:_swbpf_first' \\
          '*:expression:_swbpf_expression'
      }

      _swbpf "$@"

      """
  }

  private static func zshOption(_ option: OptionName) -> [String] {
    guard let values = values(of: option), let name = option.value else {
      return [option.short.map { "'*-\($0)'" }, option.long.map { "'*--\($0)'" }].compactMap(\.self)
    }
    let action =
      switch values {
      case .interfaces: "_swbpf_interfaces"
      case .files: "_files"
      case .users: "_users"
      case .words(let words): "(\(words.joined(separator: " ")))"
      case .none: " "
      }
    let label = name.contains("|") ? "value" : name
    return [
      option.short.map { "'*-\($0)+:\(label):\(action)'" }, option.long.map { "'*--\($0)=:\(label):\(action)'" },
    ].compactMap(\.self)
  }

  private static func zshBranch(_ subcommand: Subcommand) -> String {
    let flags = subcommand.words.filter { $0.hasPrefix("-") }.map { word in
      subcommand.takesFile && word == "-f" ? " '-f+:FILE:_files'" : " '\(word)'"
    }.joined()
    let words = subcommand.words.filter { !$0.hasPrefix("-") }
    var arguments = flags
    if subcommand.takesPID { arguments += " '--pid=:PID:_swbpf_pids'" }
    arguments += " '1: : '"
    if subcommand.repeats {
      arguments += " '*:word:(\(words.joined(separator: " ")))'"
    } else if !words.isEmpty {
      arguments += " '2:value:(\(words.joined(separator: " ")))'"
    }
    if subcommand.takesExpression { arguments += " '*:expression:_swbpf_expression'" }
    return "\(subcommand.name)) _arguments\(arguments); return ;;"
  }
}
