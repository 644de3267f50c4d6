import Testing

@testable import SwBPFCommands
@testable import TestSupport

@Suite("Taking a command line apart")
struct OptionSplitterTests {
  @Test(
    "what fingers trained by getopt type",
    arguments: [
      (["-ni", "eth0"], ["-n", "-i", "eth0"], []),
      (["-nni", "eth0", "tcp", "port", "80"], ["-n", "-n", "-i", "eth0"], ["tcp", "port", "80"]),
      (["-ieth0"], ["-i", "eth0"], []),
      (["-nnieth0"], ["-n", "-n", "-i", "eth0"], []),
      (["-nc5"], ["-n", "-c", "5"], []),
      (["-nns0"], ["-n", "-n", "-s", "0"], []),
      (["-c5"], ["-c", "5"], []),
      (["-s", "96"], ["-s", "96"], []),
      (["-Qin"], ["-Q", "in"], []),
      (["--direction=in"], ["--direction", "in"], []),
      (["--direction", "in"], ["--direction", "in"], []),
      (["-w-"], ["-w", "-"], []),
      (["-r", "-", "port 53"], ["-r", "-"], ["port 53"]),
      (["-i", "a", "-i", "b"], ["-i", "a", "-i", "b"], []),
      (["tcp", "-c", "3"], ["-c", "3"], ["tcp"]),
      (["(", "tcp", ")", "or", "!", "udp"], [], ["(", "tcp", ")", "or", "!", "udp"]),
      (["-i", "lo", "--", "-5 < len"], ["-i", "lo"], ["-5 < len"]),
      (["-i", "daemon"], ["-i", "daemon"], []),
      (["host", "daemon"], [], ["host", "daemon"]),
      (["-w", "-r"], ["-w", "-r"], []),
      (["-nvvvi", "eth0"], ["-n", "-v", "-v", "-v", "-i", "eth0"], []),
      (["-tttt", "-n#", "-qAXxS"], ["-t", "-t", "-t", "-t", "-n", "-#", "-q", "-A", "-X", "-x", "-S"], []),
      (["-#"], ["-#"], []),
      (["-ddd", "-ieth0"], ["-d", "-d", "-d", "-i", "eth0"], []),
      (["tcp", "-dd"], ["-d", "-d"], ["tcp"]),
      (["-nKc5"], ["-n", "-K", "-c", "5"], []),
      (["-njhost", "-J"], ["-n", "-j", "host", "-J"], []),
      (["--nano", "--skip=3", "udp", "--count"], ["--nano", "--skip", "3", "--count"], ["udp"]),
      (["--netns=blue", "--time-stamp-precision", "nano"], ["--netns", "blue", "--time-stamp-precision", "nano"], []),
      (
        ["--inter", "eth0", "--imm", "--dir=in"], ["--interface", "eth0", "--immediate-mode", "--direction", "in"], []
      ),
      (["--print"], ["--print"], []),
      (["--ring=256", "--see-sent", "off"], ["--ring", "256", "--see-sent", "off"], []),
    ] as [([String], [String], [String])])
  func known(words: [String], options: [String], operands: [String]) throws {
    #expect(try OptionSplitter.split(words) == options + ["--"] + operands)
  }

  @Test("command lines that cannot be")
  func refused() {
    #expect(throws: OptionSplitter.Failure.unknown("-k")) { try OptionSplitter.split(["-nk"]) }
    #expect(throws: OptionSplitter.Failure.unknown("--nothing")) { try OptionSplitter.split(["--nothing=1"]) }
    #expect(
      throws: OptionSplitter.Failure.ambiguous(
        "--no-",
        [
          "--no-promiscuous-mode", "--no-keys", "--no-control", "--no-optimize",
        ])
    ) { try OptionSplitter.split(["--no-"]) }
    #expect(throws: OptionSplitter.Failure.missingValue("-c")) { try OptionSplitter.split(["-nc"]) }
    #expect(throws: OptionSplitter.Failure.missingValue("--ring")) { try OptionSplitter.split(["--ring"]) }
    #expect(throws: OptionSplitter.Failure.unexpectedValue("--print")) { try OptionSplitter.split(["--print=yes"]) }
  }

  @Test("the options that arrive at the parser")
  func parsed() throws {
    let options = try parse([
      "-nni", "eth0", "-c5", "-Qin", "-w-", "-B", "128", "--ring=256", "tcp", "-s", "96", "port", "80", "-e",
    ])
    #expect(options.interfaces == ["eth0"] && options.countText == "5" && options.directionText == "in")
    #expect(
      options.output == "-" && options.snapLengthText == "96" && options.numeric == 2 && options.linkHeaderCount == 1)
    #expect(options.expressionWords == ["tcp", "port", "80"])
    let settings = try CaptureSettings(options)
    #expect(settings.bufferSize == 128 << 10 && settings.ringSize == 256 << 10 && settings.direction == .in)
    #expect(
      settings.limit == 5 && settings.snapLength == 96 && settings.expression == "tcp port 80" && !settings.prints)
    #expect(try parse(["-i", "a", "-ib", "--interface=c"]).interfaces == ["a", "b", "c"])
    #expect(try parse(["-w", "-r"]).output == "-r")
    #expect(try parse(["--", "-i", "lo"]).expressionWords == ["-i", "lo"])
  }

  @Test("random command lines: as getopt(1) takes them apart", .needsTool("getopt"), .timeLimit(.minutes(1)))
  func random() throws {
    let short = OptionTable.all.compactMap { one in one.short.map { String($0) + (one.value == nil ? "" : ":") } }
      .joined()
    let long = OptionTable.all.compactMap { one in one.long.map { $0 + (one.value == nil ? "" : ":") } }.joined(
      separator: ",")
    let letters = OptionTable.all.compactMap(\.short)
    let words = OptionTable.all.compactMap(\.long)
    var generator = Numbers(state: 20)
    func word() -> String {
      switch Int.random(in: 0..<10, using: &generator) {
      case 0...3:
        let group = (0..<Int.random(in: 1...4, using: &generator)).map { _ in
          String(letters.randomElement(using: &generator)!)
        }
        return "-" + group.joined()
          + (Bool.random(using: &generator) ? "" : ["5", "eth0", "-", "0"].randomElement(using: &generator)!)
      case 4...5:
        // getopt(1) does not see that a beginning is ambiguous when both options have values, or both have none.
        let whole = words.randomElement(using: &generator)!
        let part = String(whole.prefix(Int.random(in: 1...2 * whole.count, using: &generator)))
        return "--" + (OptionTable.beginning(part).count == 1 ? part : whole) + ["", "=", "=x", "=a=b"].randomElement(
          using: &generator)!
      case 6: return ["-", "--", "-c", "-Z", "-k"].randomElement(using: &generator)!
      default: return ["tcp", "port", "80", "(", "!", "", "a b", "it's", "eth0"].randomElement(using: &generator)!
      }
    }
    // One shell for all of them: `getopt` quotes its words, one line a command line.
    let cases = (0..<(Requirement.short ? 300 : 1500)).map { _ in
      (0..<Int.random(in: 1...6, using: &generator)).map { _ in word() }
    }
    let script =
      "LC_ALL=C; export LC_ALL\n"
      + cases.map { line in
        let quoted = line.map {
          "'" + $0.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
        }
        return "if r=$(getopt -o '\(short)' -l '\(long)' -- \(quoted.joined(separator: " ")) 2>/dev/null); "
          + "then eval \"set -- $r\"; printf '<%s>' \"$@\"; echo; else echo refused; fi"
      }.joined(separator: "\n")
    let shell = try Child(["sh"], input: .pipe)
    shell.write(script + "\n")
    shell.closeInput()
    let judged = try shell.finish().out.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    try #require(judged.count >= cases.count)
    for (line, wanted) in zip(cases, judged) {
      let ours: String
      do { ours = try OptionSplitter.split(line).map { "<\($0)>" }.joined() } catch { ours = "refused" }
      #expect(ours == wanted, "\(line)")
    }
    #expect(judged.contains("refused") && judged.contains { $0.hasPrefix("<-") })
  }
}

/// Reproducible random numbers. (SplitMix64)
struct Numbers: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
