// The script for bash. It needs nothing of the bash-completion package.

extension CompletionScript {
  static var bashText: String {
    let flags = OptionTable.all.filter { $0.value == nil }.compactMap(\.short)
    let letters = OptionTable.all.filter { $0.value != nil }.compactMap(\.short)
    let names = OptionTable.all.flatMap { option in
      (option.short.map { ["-\($0)"] } ?? []) + (option.long.map { ["--\($0)"] } ?? [])
    }
    return """
      # bash completion for swbpf, made by: swbpf completion bash
      _swbpf_interfaces() {
        local path
        {
          "$1" -D 2>/dev/null | sed -n 's/^[0-9]*\\.\\([^ ]*\\).*/\\1/p'
          for path in /sys/class/net/*/; do path=${path%/} && echo "${path##*/}"; done
          echo any
        } | sort -u
      }

      _swbpf() {
        local command=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
        local kind= words= attached= flags='\(String(flags))' letters='\(String(letters))'
        COMPREPLY=()
        # bash takes --name=value for three words.
        if [[ $cur == = ]]; then
          cur=
        elif [[ $prev == = ]] && ((COMP_CWORD > 1)); then
          prev=${COMP_WORDS[COMP_CWORD-2]}
        fi
        if [[ $prev =~ ^-[$flags]*([$letters])$ ]]; then
          prev=-${BASH_REMATCH[1]}
        elif [[ $cur =~ ^(-[$flags]*([$letters]))(.+)$ ]]; then
          attached=${BASH_REMATCH[1]} prev=-${BASH_REMATCH[2]} cur=${BASH_REMATCH[3]}
        fi
        ((COMP_CWORD > 1)) && case ${COMP_WORDS[1]} in
      \(subcommands.map { "    \($0.name)) kind=done words='\(bashWords($0))' ;;" }.joined(separator: "\n"))
        esac
        if [[ $kind == done && $prev == --pid ]]; then
          words=$(pgrep -x swbpf 2>/dev/null)
        elif [[ $kind == done && $prev =~ ^-[a-zA-Z]*f$ && ${COMP_WORDS[1]} =~ ^(\(fileCommands))$ ]]; then
          kind=files words=
        elif [[ $kind != done ]]; then
          case $prev in
      \(bashValues.map { "      \($0)" }.joined(separator: "\n"))
            *)
              if [[ $cur == -* ]]; then
                words='\(names.joined(separator: " "))'
              else
                words='\(expressionWords.joined(separator: " "))'
                ((COMP_CWORD == 1)) && words+=' \(subcommands.map(\.name).joined(separator: " "))'
              fi ;;
          esac
        fi
        case $kind in
          files)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return ;;
          users) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
          interfaces)
            # compgen -W would expand what a name holds.
            while IFS= read -r word; do
              [[ $word == "$cur"* ]] && printf -v word %q "$word" && COMPREPLY+=("$word")
            done < <(_swbpf_interfaces "$command") ;;
        esac
        [[ -n $words ]] && mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        [[ -n $attached ]] && COMPREPLY=("${COMPREPLY[@]/#/$attached}")
      }

      complete -F _swbpf swbpf

      """
  }

  private static var fileCommands: String { subcommands.filter(\.takesFile).map(\.name).joined(separator: "|") }

  private static func bashWords(_ subcommand: Subcommand) -> String {
    (subcommand.words + (subcommand.takesPID ? ["--pid"] : []) + (subcommand.takesExpression ? expressionWords : []))
      .joined(separator: " ")
  }

  /// The branches of options with values.
  private static var bashValues: [String] {
    OptionTable.all.compactMap { option in
      guard let values = values(of: option) else { return nil }
      let names = [option.short.map { "-\($0)" }, option.long.map { "--\($0)" }].compactMap(\.self)
      let action =
        switch values {
        case .interfaces: "kind=interfaces"
        case .files: "kind=files"
        case .users: "kind=users"
        case .words(let words): "words='\(words.joined(separator: " "))'"
        case .none: ":"
        }
      return "\(names.joined(separator: " | "))) \(action) ;;"
    }
  }
}
