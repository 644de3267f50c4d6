// The benchmarks' driver. `Benchmarks/run` builds it and starts it in a network namespace and a session of its own.

import Foundation

struct Options {
  var benches: [String] = []
  var rounds = 5
  var packets = 1_000_000
  /// nil leaves the choice to the bench.
  var sizes: [Int]?
  /// A rate of nil is as fast as possible.
  var rates: [Int?]?
  /// Contestants by name; none means all.
  var only: [String] = []
  /// Of `first-packet`.
  var runs = 11
  /// Ring of the C loop.
  var ring = (blocks: 64, kib: 1024)
  /// Send through a socket even where XDP works.
  var socket = false
  var swbpf = ".build/release/swbpf"
  /// Where generator and ringloop are, and where results go.
  var tools = ".build/bench"
  /// One end of a tunnel.
  var gifEnd = ".build-bench/release/GifEnd"
  /// Of `gif`, `l2tp` and `esp`, by the names in its tables; none means all.
  var loads: [String] = []
  /// Of each measurement of `gif`, `l2tp` and `esp`.
  var seconds = 3

  /// Readers of one ring, for `readers`, `latency` and `billion`.
  var ringBench = ".build-bench/release/RingBench"
  /// Of `billion`, seconds.
  var bound = 60
  /// Of `readers`: these numbers of readers only; rows of the others stay as they are.
  var readers: [Int]?

  static let known = [
    "capture", "write", "print", "first-packet", "burst", "control", "pushdown", "readers", "latency", "billion", "gif",
    "l2tp", "esp", "hostile",
  ]
  static let usage = """
    usage: Benchmarks/run [BENCH] [options]
      BENCH            all (unless told), \(known.joined(separator: ", "))
      --rounds N       capture, write, print, control, readers: rounds of each case (5)
      --packets N      capture, write, print, control, readers: frames of each measurement (1000000)
      --sizes N,...    capture, write, print: frame sizes in bytes (64,512,1500; write: 1500; print: 64)
      --rates N,...    capture, write, print: frames per second, or max (300000,max; print: 300000,500000; write, readers: max)
      --only NAME,...  capture, write, print, readers, gif, l2tp, esp: these only, named as in the table
      --ring NxKIB     capture, write: blocks of the C loop's ring (64x1024)
      --runs N         first-packet: runs of each program (11)
      --socket         send through a packet socket instead of XDP (slower)
      --seconds N      gif, l2tp, esp, hostile: of each measurement (3)
      --loads NAME,... gif, l2tp, esp, hostile: these loads only, named as in the tables
      --readers N,...  readers: these numbers of readers (1,4,16,64,256); what was measured of others before is kept
      --bound N        billion: seconds that it may take, about (60)
      --short          two rounds of 300000 frames or one second, 5 runs
    """

  init(_ arguments: some Sequence<String>) throws {
    var rest = arguments.makeIterator()
    while let argument = rest.next() {
      if argument == "--short" {
        (rounds, packets, runs, seconds, bound) = (2, 300_000, 5, 1, 10)
        continue
      }
      if argument == "--socket" {
        socket = true
        continue
      }
      guard argument.hasPrefix("--") else {
        guard argument == "all" || Options.known.contains(argument) else {
          throw Failure("no bench \(argument)\n\(Options.usage)")
        }
        benches.append(argument)
        continue
      }
      guard let value = rest.next() else { throw Failure("\(argument) wants a value\n\(Options.usage)") }
      let parts = value.split(separator: ",").map(String.init)
      switch argument {
      case "--rounds": rounds = try Options.number(value)
      case "--packets": packets = try Options.number(value)
      case "--runs": runs = try Options.number(value)
      case "--sizes": sizes = try parts.map(Options.number)
      case "--rates": rates = try parts.map { $0 == "max" ? nil : try Options.number($0) }
      case "--only": only = parts
      case "--ring":
        let pair = try value.split(separator: "x").map { try Options.number(String($0)) }
        guard pair.count == 2 else { throw Failure("--ring wants BLOCKSxKIB") }
        ring = (pair[0], pair[1])
      case "--swbpf": swbpf = value
      case "--tools": tools = value
      case "--loads": loads = parts
      case "--gif-end": gifEnd = value
      case "--ring-bench": ringBench = value
      case "--bound": bound = try Options.number(value)
      case "--readers": readers = try parts.map(Options.number)
      case "--seconds": seconds = try Options.number(value)
      default: throw Failure("unknown option \(argument)\n\(Options.usage)")
      }
    }
    // Files that stay belong to it.
    if benches == ["capture"] { benches.append("write") }
    if benches.isEmpty || benches.contains("all") { benches = Options.known }
  }

  private static func number(_ text: String) throws -> Int {
    guard let value = Int(text), value > 0, value <= 1_000_000_000 else { throw Failure("not a number: \(text)") }
    return value
  }
}

@main
enum Driver {
  static func main() {
    do {
      let options = try Options(CommandLine.arguments.dropFirst())
      Machine.favourThisSession()
      if options.benches == ["gif"] { return try GifBench.run(options: options) }
      if options.benches == ["l2tp"] { return try GifBench.runL2TP(options: options) }
      if options.benches == ["esp"] { return try GifBench.runESP(options: options) }
      if options.benches == ["hostile"] { return try HostileBench.run(options: options) }
      let lab = try Lab(options: options)
      if let fallback = lab.fallback { note("sending through a socket: \(fallback)") }
      if Machine.cores < 2 { note("one core only: reader and generator share it, the figures mean little") }
      for bench in options.benches {
        switch bench {
        case "capture": try CaptureBench.run(in: lab, options: options)
        case "write": try CaptureBench.runFiles(in: lab, options: options)
        case "print": try PrintBench.run(in: lab, options: options)
        case "control": try ControlBench.run(in: lab, options: options)
        case "pushdown": try CaptureBench.runPushdown(in: lab, options: options)
        case "readers": try ReadersBench.run(in: lab, options: options)
        case "latency": try LatencyBench.run(in: lab, options: options)
        case "billion": try BillionBench.run(in: lab, options: options)
        case "gif": try GifBench.run(options: options)
        case "l2tp": try GifBench.runL2TP(options: options)
        case "esp": try GifBench.runESP(options: options)
        case "hostile": try HostileBench.run(options: options)
        case "first-packet": try FirstPacketBench.run(in: lab, options: options)
        default: try BurstBench.run(in: lab, options: options)
        }
      }
    } catch {
      note("\(error)")
      exit(1)
    }
  }
}
