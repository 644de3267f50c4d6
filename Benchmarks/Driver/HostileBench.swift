// Bench `hostile`: what a hundred broken and malicious clients of the daemon cost the tunnel that it carries, beside a program
// that burns the same CPU and beside nothing. Two network namespaces, a daemon and a core each, iperf3 inside the tunnel.

import Foundation

struct HostileBench {
  private typealias Load = GifBench.Load

  private let options: Options
  private let report: Report
  private let sides: (GifSide, GifSide)
  private static let neighbours = ["nobody", "burning CPU", "hostile clients"]
  /// Whose they are: a user without any right.
  private static let user = "4711"

  private struct Sample {
    var packets: GifBench.Sample
    /// CPU of the neighbour, per cent of a core.
    var neighbour = 0.0
    var connections = 0.0
    var requests = 0.0
  }

  static func run(options: Options) throws {
    let report = Report("hostile", options: options)
    let bench = try HostileBench(options, report)
    try bench.run()
    try report.save()
  }

  private init(_ options: Options, _ report: Report) throws {
    (self.options, self.report) = (options, report)
    sides = (try GifSide(0), try GifSide(1))
    let cable = GifSide.cable
    try sides.0.must("ip link add \(cable) type veth peer name \(cable) netns \(sides.1.holder.pid)")
    for side in [sides.0, sides.1] {
      try side.must("ip link set lo up; ip addr add \(side.outer)/16 dev \(cable) && ip link set \(cable) up")
    }
  }

  private func run() throws {
    let daemons = [try daemon(sides.0, sides.1), try daemon(sides.1, sides.0)]
    defer { for one in daemons { one.end(with: SIGTERM) } }
    guard
      try sides.0.run("for i in 1 2 3 4 5 6 7 8; do ping -c 1 -W 1 \(sides.1.inner) && exit; sleep 0.2; done; exit 1")
    else { throw Failure("hostile: nothing gets through the tunnel") }
    var samples: [String: [String: [Sample]]] = [:]
    let loads = Load.allCases.filter { $0.size != nil && (options.loads.isEmpty || options.loads.contains($0.name)) }
    for round in 1...options.rounds {
      for load in loads {
        for neighbour in Self.neighbours.shuffled() {
          let sample = try calmly(load, beside: neighbour, daemons)
          samples[load.name, default: [:]][neighbour, default: []].append(sample)
          note(
            "round \(round)/\(options.rounds)  " + pad(load.name, 17) + pad(neighbour, 16)
              + pad(sample.packets.rate, 8, 1) + " kpps" + pad(sample.packets.lost, 8, 3) + " % lost   steal "
              + fixed(sample.packets.steal, 1) + " %")
        }
      }
    }
    for load in loads { present(load.name, samples[load.name] ?? [:]) }
  }

  private func daemon(_ side: GifSide, _ other: GifSide) throws -> Child {
    let (config, said) = ("\(options.tools)/hostile\(side.number).conf", "\(options.tools)/hostile\(side.number).err")
    let text = """
      ifconfig gif0 create tunnel \(side.outer) \(other.outer) mtu \(GifSide.mtu)
      ifconfig gif0 inet \(side.inner)/32 \(other.inner) up

      """
    try text.write(toFile: config, atomically: true, encoding: .utf8)
    let child = try side.start([options.swbpf, "daemon", "--config", config], errors: .file(said))
    for _ in 0..<500 {
      if contents(said).contains("message=ready") { return child }
      usleep(10_000)
    }
    throw Failure("the daemon did not start: \(contents(said).suffix(300))")
  }

  /// The socket of a daemon, after its network namespace.
  private func socket(_ side: GifSide) throws -> String {
    let path = "\(options.tools)/hostile.sock"
    try side.must("stat -L -c /run/swbpfd/%d-%i.sock /proc/self/ns/net > \(path)")
    return contents(path).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private func calmly(_ load: Load, beside neighbour: String, _ daemons: [Child]) throws -> Sample {
    var best: Sample?
    for _ in 1...3 {
      let sample = try measure(load, beside: neighbour, daemons)
      if sample.packets.steal < best?.packets.steal ?? .infinity { best = sample }
      if sample.packets.steal <= 10 { break }
    }
    guard let best else { throw Failure("no measurement") }
    return best
  }

  /// The neighbour has the core of the receiving daemon, which it attacks.
  private func measure(_ load: Load, beside neighbour: String, _ daemons: [Child]) throws -> Sample {
    var other: Child?
    if neighbour != Self.neighbours[0] {
      let target = neighbour == Self.neighbours[1] ? ["burn"] : [try socket(sides.1), "gif0"]
      other = try Child(
        sides.1.command([options.tools + "/hostile", Self.user] + target), core: 1 % Machine.cores, input: true,
        output: .pipe)
      sleep(seconds: 0.5)
    }
    let start = seconds(CLOCK_MONOTONIC)
    var sample = Sample(packets: try GifBench.exchange(load, sides, daemons, options))
    let wall = seconds(CLOCK_MONOTONIC) - start + 0.5
    guard let other else { return sample }
    _ = write(other.input, "\n", 1)
    let words = readAll(other.output)
    _ = other.finish()
    func figure(_ name: String) -> Double {
      words.range(of: name + "=").map { firstNumber(in: words[$0.upperBound...]) } ?? 0
    }
    if neighbour == Self.neighbours[2], !words.contains(" gained=0 ") { throw Failure("a right was gained: \(words)") }
    sample.neighbour = 100 * figure("cpu_ns") / 1e9 / wall
    sample.connections = figure("connections") / wall
    sample.requests = figure("requests") / wall
    return sample
  }

  // MARK: Tables

  private func present(_ load: String, _ samples: [String: [Sample]]) {
    report.line()
    report.line("\(load) through gif; the neighbour at half of the receiver's core")
    let widths = [-16, 9, 9, 9, 12, 12, 11, 12]
    report.row(
      ["beside", "kpps", "lost %", "worst", "daemon's ns", "its CPU %", "requests/s", "connections/s"], widths)
    for neighbour in Self.neighbours {
      let own = samples[neighbour] ?? []
      func middle(_ value: (Sample) -> Double) -> Double { median(own.map(value)) ?? 0 }
      report.add(neighbour, load, "rate", middle(\.packets.rate), "kpps")
      report.add(neighbour, load, "lost", middle(\.packets.lost), "%")
      report.add(neighbour, load, "lost_worst", own.map(\.packets.lost).max(), "%")
      report.add(neighbour, load, "tunnel_cpu_per_packet", middle(\.packets.tunnelCost), "ns")
      report.add(neighbour, load, "neighbour_cpu", middle(\.neighbour), "%")
      report.add(neighbour, load, "requests", middle(\.requests), "1/s")
      report.row(
        [
          neighbour, fixed(middle(\.packets.rate), 1), fixed(middle(\.packets.lost), 3),
          fixed(own.map(\.packets.lost).max() ?? 0, 3), fixed(middle(\.packets.tunnelCost), 0),
          fixed(middle(\.neighbour), 1), fixed(middle(\.requests), 0), fixed(middle(\.connections), 0),
        ], widths)
    }
    // What arrives: loss and rate in one figure.
    let pairs = zip(samples[Self.neighbours[2]] ?? [], samples[Self.neighbours[1]] ?? [])
    let ratio = median(pairs.map { $0.packets.rate / $1.packets.rate })
    let more = median(pairs.map { $0.packets.lost - $1.packets.lost })
    report.add("hostile : burning", load, "rate_ratio", ratio, "")
    report.add("hostile : burning", load, "lost_difference", more, "%")
    report.line(
      "hostile clients : burning CPU, medians of each round: rate \(fixed(ratio ?? 0, 3)), loss \(fixed(more ?? 0, 3)) points more"
    )
    report.line()
  }
}
