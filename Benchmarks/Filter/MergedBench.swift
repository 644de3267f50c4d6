// What many programs cost per frame: merged into one form, one by one as machine code, one by one in libpcap's interpreter.
// A part of FilterBench.
import SwBPFFilterMachine

enum MergedBench {
  /// Sets of programs by the number of the peer that has it, from 0 on.
  private static let kinds: [(name: String, expression: @Sendable (Int) -> String)] = [
    // The first three ports have a quarter of the frames.
    ("udp port k", { $0 < 3 ? "udp port \([53, 80, 443][$0])" : "udp port \(997 + $0)" }),
    ("host list", { peer in (0..<4).map { "host 10.0.\($0).\(peer)" }.joined(separator: " or ") }),
    ("unrelated", { unrelated($0) }),
  ]

  private static func unrelated(_ peer: Int) -> String {
    let n = peer / 16
    switch peer % 16 {
    case 0: return "tcp port \(80 + n)"
    case 1: return "host 10.0.0.\(1 + n)"
    case 2: return "udp portrange \(1000 + n * 40)-\(1039 + n * 40)"
    case 3: return "tcp[tcpflags] & tcp-syn != 0 and dst port \(443 + n)"
    case 4: return n == 0 ? "arp" : "arp[\(6 + n)] = 1"
    case 5: return "net 10.\(n).0.0/16 and not port 22"
    case 6: return n == 0 ? "icmp" : "icmp[0] = \(n)"
    case 7: return "ip6 and tcp port \(443 + n)"
    case 8: return "ether host 2:0:0:0:0:\(String(3 + n, radix: 16))"
    case 9: return "greater \(1000 + n * 10) and udp"
    case 10: return "ip[8] < \(10 + n)"
    case 11: return "src net 10.0.0.\(n * 8)/29 and dst portrange 1-\(100 + n)"
    case 12: return "vlan \(n + 1)"
    case 13: return "ip[6:2] & 0x1fff = \(n + 1)"
    case 14: return "tcp src port \(8000 + n) or udp dst port \(9000 + n)"
    default: return "ip proto \(40 + n)"
    }
  }

  static func run(_ frames: FrameSet, rounds: Int) throws {
    print(
      "\nmany programs at once: ns per frame for all of them; the ratio of the first column is to one program of the set"
    )
    print(row(["programs", "merged", "x one", "one by one", "libpcap", "x merged", "matches", "kinds", "merging ms"]))
    for (name, expression) in kinds {
      var single: Double?
      for count in [1, 4, 16, 64, 256] {
        let programs = try (0..<count).map {
          try Program(FilterBench.compile(expression($0)), ancillary: true, limit: Program.expressionLimit)
        }
        let begin = FilterBench.processorTime()
        let merged = MergedPrograms(programs)
        let took = FilterBench.processorTime() - begin
        var times: [[Double]] = [[], [], []]
        var sums: [UInt64] = [0, 0, 0]
        for _ in 0..<rounds {
          for contestant in 0..<3 {
            let passes = contestant == 0 ? 100 : max(1, 100 / count)
            var sum: UInt64 = 0
            let begin = FilterBench.processorTime()
            for _ in 0..<passes {
              switch contestant {
              case 0: sum &+= frames.merged(merged)
              case 1:
                var metadata = FrameMetadata()
                for program in programs { sum &+= frames.verdicts(program.tapCode, &metadata) }
              default: for program in programs { sum &+= frames.libpcap(program) }
              }
            }
            times[contestant].append(Double(FilterBench.processorTime() - begin) / Double(passes * frames.count))
            sums[contestant] = sum / UInt64(passes)
          }
        }
        precondition(sums[0] == sums[1] && sums[1] == sums[2], "verdicts differ")
        let medians = times.map(FilterBench.median)
        // What one program costs alone, as machine code.
        let one = single ?? medians[1]
        single = one
        print(
          row([
            "\(count) \(name)", FilterBench.tenths(medians[0]), FilterBench.hundredths(medians[0] / one),
            FilterBench.tenths(medians[1]), FilterBench.tenths(medians[2]),
            FilterBench.tenths(medians[2] / medians[0]),
            FilterBench.hundredths(Double(sums[0] / 262_144) / Double(frames.count)), "\(merged.kindCount)",
            FilterBench.tenths(Double(took) / 1_000_000),
          ]))
      }
    }
  }

  private static func row(_ cells: [String]) -> String {
    cells.enumerated().map { index, cell in
      let space = String(repeating: " ", count: max(1, (index == 0 ? 18 : 11) - cell.count))
      return index == 0 ? cell + space : space + cell
    }.joined()
  }
}

extension FrameSet {
  /// The sum of all verdicts from a merged form.
  func merged(_ merged: MergedPrograms) -> UInt64 {
    var metadata = FrameMetadata()
    var sum: UInt64 = 0
    for index in 0..<merged.kindCount {
      let code = merged.kinds[index]
      sum &+= code.isAlone ? verdicts(code.members[0].code, &metadata) : kind(code, &metadata)
    }
    return sum
  }

  private func kind(_ code: MergedCode, _ metadata: inout FrameMetadata) -> UInt64 {
    let rows = UnsafeMutablePointer<UInt64>.allocate(capacity: MergedPrograms.rowWords)
    defer { rows.deallocate() }
    return withUnsafePointer(to: &metadata) { metadata in
      var sum: UInt64 = 0
      for frame in frames {
        let isWanted = code.judge(
          packet: frame.base, wireLength: frame.length, captured: frame.length, metadata: metadata, rows: rows)
        if !isWanted { continue }
        for word in 0..<code.words {
          var sure = rows[word]
          while sure != 0 {
            sum &+= UInt64(code.members[word &* 64 &+ sure.trailingZeroBitCount].take)
            sure &= sure &- 1
          }
          var asked = rows[code.words &+ word]
          while asked != 0 {
            let program = code.members[word &* 64 &+ asked.trailingZeroBitCount].code
            asked &= asked &- 1
            sum &+= UInt64(
              program.verdict(
                packet: frame.base, wireLength: frame.length, captured: frame.length, metadata: metadata))
          }
        }
      }
      return sum
    }
  }

  func verdicts(_ code: ProgramCode, _ metadata: inout FrameMetadata) -> UInt64 {
    withUnsafePointer(to: &metadata) { metadata in
      var sum: UInt64 = 0
      for frame in frames {
        sum &+= UInt64(
          code.verdict(packet: frame.base, wireLength: frame.length, captured: frame.length, metadata: metadata))
      }
      return sum
    }
  }
}
