// Who is compared, with which options, and where each says what it captured.

import Foundation

struct Contestant {
  enum Kind: String {
    /// Takes frames in and writes or copies them.
    case writer
    /// Prints a line per frame.
    case printer
  }

  /// How the end lines are read. Each gives frames that reached the program's output, and the kernel's drops.
  enum EndLines { case ringloop, tcpdump, dumpcap, netsniff, none }

  let name: String
  let kind: Kind
  let command: [String]
  let endLines: EndLines
  /// Its file has a savefile's header and a record for each frame that it says it captured, nothing else.
  var writesRecords = false

  /// Captured and dropped frames as `text` (standard output and error) has them; nil where it says nothing.
  func counts(in text: String) -> (captured: Double?, dropped: Double?) {
    switch endLines {
    case .none: (nil, nil)
    case .ringloop: (number(after: "captured=", in: text), number(after: "drops=", in: text))
    case .tcpdump: Self.tcpdumpCounts(in: text)
    case .dumpcap: (number(after: "Packets captured: ", in: text), number(after: "(pcap:", in: text))
    case .netsniff:
      (
        number(before: "  packets passed filter", in: text),
        number(before: "  packets failed filter (out of space)", in: text)
      )
    }
  }

  static func tcpdumpCounts(in text: String) -> (captured: Double?, dropped: Double?) {
    (
      number(before: " packets captured", in: text) ?? number(before: " packet captured", in: text),
      number(before: " packets dropped by kernel", in: text)
    )
  }

  static let cLoop = "C loop"
  static let cWrite = "C write"
  static let dumpcap = "dumpcap -w"

  /// The tcpdump that a contestant of this kind is compared with.
  static func tcpdump(_ kind: Kind) -> String { kind == .writer ? "tcpdump -w" : "tcpdump -nn" }

  static func all(interface: String, options: Options) -> [Contestant] {
    let swbpf = options.swbpf
    return [
      Contestant(
        name: cLoop, kind: .writer,
        command: ["\(options.tools)/ringloop", interface, "\(options.ring.blocks)", "\(options.ring.kib)"],
        endLines: .ringloop),
      Contestant(
        name: "swbpf -w", kind: .writer, command: [swbpf, "-p", "-i", interface, "-w", "/dev/null"],
        endLines: .tcpdump),
      Contestant(
        name: "tcpdump -w", kind: .writer, command: ["tcpdump", "-p", "-i", interface, "-w", "/dev/null"],
        endLines: .tcpdump),
      Contestant(
        name: "dumpcap -w", kind: .writer, command: ["dumpcap", "-q", "-p", "-i", interface, "-w", "/dev/null"],
        endLines: .dumpcap),
      // Left alone it takes a ring of 2.4 GB for a 10 Gbit/s interface, and a second or two to do so.
      Contestant(
        name: "netsniff-ng -o", kind: .writer,
        command: [
          "netsniff-ng", "--in", interface, "--out", "/dev/null", "--silent", "--no-promisc", "--no-sock-mem",
          "--ring-size", "64MiB",
        ], endLines: .netsniff),
    ]
      + printers(options: options).map { name, command in
        Contestant(name: name, kind: .printer, command: command + ["-p", "-i", interface], endLines: .tcpdump)
      }
  }

  /// Who writes a savefile that stays.
  static func files(interface: String, size: Int, into file: String, options: Options) -> [Contestant] {
    let rest = ["-p", "-i", interface, "-w", file]
    return [
      Contestant(
        name: cWrite, kind: .writer,
        command: ["\(options.tools)/writeloop", file, "write", "1024", interface, "\(size)"], endLines: .ringloop),
      Contestant(
        name: cLoop, kind: .writer,
        command: [
          "\(options.tools)/ringloop", interface, "\(options.ring.blocks)", "\(options.ring.kib)", file,
        ], endLines: .ringloop, writesRecords: true),
      Contestant(
        name: "swbpf -w", kind: .writer, command: [options.swbpf] + rest, endLines: .tcpdump, writesRecords: true),
      Contestant(
        name: tcpdump(.writer), kind: .writer, command: ["tcpdump"] + rest, endLines: .tcpdump, writesRecords: true),
      Contestant(
        name: dumpcap, kind: .writer, command: ["dumpcap", "-q", "-P"] + rest, endLines: .dumpcap, writesRecords: true),
    ]
  }

  /// Who waits for something else than the generator sends: what is captured does not count.
  static func pushdown(interface: String, options: Options) -> [Contestant] {
    let rest = ["-p", "-i", interface, "-w", "/dev/null", "udp port 53"]
    return [
      Contestant(
        name: "swbpf, kernel", kind: .writer, command: ["env", "SWBPF_PUSHDOWN=1", options.swbpf] + rest,
        endLines: .none),
      Contestant(
        name: "swbpf, own", kind: .writer, command: ["env", "SWBPF_PUSHDOWN=0", options.swbpf] + rest,
        endLines: .none),
      Contestant(name: tcpdump(.writer), kind: .writer, command: ["tcpdump"] + rest, endLines: .none),
    ]
  }

  /// Names and commands of what prints; each takes `-i` or `-r`.
  static func printers(options: Options) -> [(name: String, command: [String])] {
    [("swbpf -n", [options.swbpf, "-n"]), ("tcpdump -nn", ["tcpdump", "-nn"])]
  }
}

func number(after mark: String, in text: String) -> Double? {
  guard let range = text.range(of: mark) else { return nil }
  return Double(text[range.upperBound...].prefix { $0.isNumber })
}

private func number(before mark: String, in text: String) -> Double? {
  guard let range = text.range(of: mark) else { return nil }
  return Double(String(text[..<range.lowerBound].reversed().prefix { $0.isNumber }.reversed()))
}
