// The list in Expressions/ over captures that scapy makes: tcpdump is the judge.
import Glibc
import SwBPFCaptureFile
import SwBPFFilterMachine
import Testing

@testable import TestSupport

@Suite("Every primitive of pcap-filter(7) over savefiles")
struct ExpressionTests {
  private static let folder = "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/Expressions"

  /// An expression and a link type to try it over.
  private struct Listed {
    let text: String
    let linkType: String
    /// One of those that the command is started for as well: loops, and of the others every eighth.
    let isSample: Bool
  }

  private static func list() throws -> [Listed] {
    let text = readText(folder + "/expressions.txt")
    var (linkTypes, all, known): ([Substring], [Listed], Set<Substring>) = ([], [], [])
    for line in text.split(separator: "\n") where line.first != "#" {
      if line.first == "[" {
        linkTypes = line.dropFirst().dropLast().split(separator: " ")
        continue
      }
      for linkType in linkTypes {
        let isNew = known.insert(line).inserted
        let isSample = isNew && (known.count % 8 == 0 || line.contains("protochain"))
        all.append(Listed(text: String(line), linkType: String(linkType), isSample: isSample))
      }
    }
    return all
  }

  private static func readText(_ path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes.prefix(count), as: UTF8.self)
  }

  /// What came of an expression: the records that it picked, by their stamps, or why it was refused.
  private enum Outcome: Equatable {
    case picked([Int64])
    case refused(String)
  }

  private static func start(_ program: String, _ one: Listed, _ folder: String) throws -> Child {
    try Child([program, "-r", "\(folder)/\(one.linkType).pcap", "-w", "-", "--", one.text])
  }

  /// What a command said, which wrote a savefile to its standard output; `reason` takes what it adds off its last line.
  private static func outcome(_ child: Child, reason: (String) -> String) throws -> Outcome {
    let output = try child.finish()
    guard output.status == .exited(0) else { return .refused(reason(output.errorLines.last.map(String.init) ?? "")) }
    let bytes = child.out.bytes
    var (stamps, offset): ([Int64], Int) = ([], 24)
    while offset + 16 <= bytes.count {
      func word(_ at: Int) -> UInt32 {
        bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset + at, as: UInt32.self) }
      }
      stamps.append(Int64(word(0)))
      offset += 16 + Int(word(8))
    }
    #expect(offset == bytes.count)
    return .picked(stamps)
  }

  /// The same by the reader and the machine, interpreted and as machine code.
  private static func outcomes(_ text: String, _ path: String, _ frames: [Packet]) throws -> [Outcome] {
    var reader = try SavefileReader(path: path)
    let code: [CompiledInstruction]
    do throws(SavefileError) { code = try reader.compile(text) } catch { return [.refused("\(error)")] }
    let instructions = code.map { Instruction(code: $0.code, jt: $0.jt, jf: $0.jf, k: $0.k) }
    // Loops, which libpcap itself runs.
    if code.contains(where: { $0.code == Opcode.JA && $0.k >= 0x8000_0000 }) {
      var picked: [Int64] = []
      while let record = try reader.next() {
        if reader.verdict(of: code, wireLength: record.length) != 0 { picked.append(record.seconds) }
      }
      return [.picked(picked)]
    }
    let program = try Program(instructions, ancillary: true, limit: Program.expressionLimit)
    let native = program.tapCode
    func picked(_ verdict: (Packet) -> UInt32) -> Outcome {
      .picked(frames.filter { verdict($0) != 0 }.map(\.seconds))
    }
    return [
      picked { program.run($0.bytes.span.bytes, wireLength: UInt32($0.length)) },
      picked { native.verdict($0.bytes.span.bytes, wireLength: UInt32($0.length)) },
    ]
  }

  @Test(
    "hundreds of expressions pick what tcpdump picks, or are refused in the same words", .timeLimit(.minutes(3)),
    .needsTool("tcpdump"), .needsScapy)
  func agreement() throws {
    let scratch = try Scratch()
    let made = try Child([Tool.scapyPython!, Self.folder + "/captures.py", scratch.path]).finish()
    try #require(made.status == .exited(0), "\(made.err)")
    let all = try Self.list()
    var frames: [String: [Packet]] = [:]
    for linkType in Set(all.map(\.linkType)) {
      frames[linkType] = try packets(in: scratch.file(linkType + ".pcap"))
    }
    var (kinds, matched, refused) = (Set<String>(), 0, 0)
    // A few commands at a time.
    for start in stride(from: 0, to: all.count, by: 4) {
      let batch = all[start..<min(start + 4, all.count)]
      let commands = try batch.map { one in
        (
          one, try Self.start("tcpdump", one, scratch.path),
          one.isSample ? try Self.start(Tool.swbpf, one, scratch.path) : nil
        )
      }
      for (one, judge, ours) in commands {
        let wanted = try Self.outcome(judge) { String($0.drop { $0 != ":" }.dropFirst(2)) }
        switch wanted {
        case .picked(let stamps): matched += stamps.isEmpty ? 0 : 1
        case .refused: refused += 1
        }
        kinds.insert(one.text)
        let path = scratch.file(one.linkType + ".pcap")
        for (index, outcome) in try Self.outcomes(one.text, path, frames[one.linkType]!).enumerated() {
          #expect(outcome == wanted, "\(one.text) over \(one.linkType), \(index == 0 ? "interpreted" : "native")")
        }
        guard let ours else { continue }
        let prefix = "swbpf: cannot compile the filter expression \u{201c}\(one.text)\u{201d}: "
        let seen = try Self.outcome(ours) { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : $0 }
        #expect(seen == wanted, "swbpf -r: \(one.text) over \(one.linkType)")
      }
    }
    print("\(kinds.count) expressions, \(all.count) judgements, \(matched) with packets, \(refused) refused")
    #expect(kinds.count >= 300 && matched > all.count / 2 && refused > 50)
  }
}
