// The command `swbpf`.
import Glibc
import SwBPFCommands

@main
enum Main {
  static func main() {
    exit(swbpf(Array(CommandLine.arguments.dropFirst())))
  }
}
