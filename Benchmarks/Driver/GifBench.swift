// Benches `gif`, `l2tp` and `esp`: what a packet costs that goes through a tunnel, and how many get through, beside other tunnels in user space
// and one of the kernel. Two network namespaces, a core each, a veth pair between them, iperf3 inside the tunnel.

import Foundation

struct GifBench {
  /// What iperf3 sends.
  enum Load: CaseIterable {
    case tcp, udp64, udp64Max, udp1200, udp1200Max

    /// Payload bytes of a datagram; nil is a TCP stream.
    var size: Int? {
      switch self {
      case .tcp: nil
      case .udp64, .udp64Max: 64
      case .udp1200, .udp1200Max: 1200
      }
    }

    /// Datagrams per second; nil is as many as can be.
    var rate: Int? { self == .udp64 || self == .udp1200 ? 20_000 : nil }

    var name: String {
      guard let size else { return "TCP" }
      return "UDP \(size)B " + (rate.map { "\($0 / 1000)kpps" } ?? "max")
    }
  }

  struct Sample {
    /// Datagrams that arrived; of a stream, as many as its bytes fill.
    var packets = 0.0
    var seconds = 0.0
    var lost = 0.0
    /// CPU nanoseconds: of everything, and of the tunnel's processes.
    var all = 0.0
    var tunnel = 0.0
    var steal = 0.0
    var foreign = 0.0

    var rate: Double { packets / seconds / 1000 }
    var cost: Double { all / packets }
    var tunnelCost: Double { tunnel / packets }
  }

  /// Whose tunnel is compared.
  private enum Kind: String {
    case gif, l2tp, esp

    func contestants(_ options: Options) -> [GifContestant] {
      switch self {
      case .gif: GifContestant.all(options)
      case .l2tp: GifContestant.allOfEthernet(options)
      case .esp: GifContestant.allOfESP(options)
      }
    }

    /// Who is compared with whom; above 1 the first is the better one.
    var pairs: [(name: String, other: String, goal: String)] {
      typealias Names = GifContestant
      switch self {
      case .gif:
        return [
          (Names.gif, Names.socat, "at least 5"), (Names.gif, Names.wireguard, "at least 1.5"),
          (Names.gif, "openvpn", ""),
          (Names.gif + Names.plain, Names.vxlan + Names.plain, "at least 0.33"),
          (Names.gif, Names.vxlan, "the ceiling"),
          (Names.thousand, Names.gif, "at least 0.83"),
        ]
      case .l2tp:
        return [
          (Names.l2tp, Names.vxlan, "the ceiling"), (Names.l2tp + Names.plain, Names.vxlan + Names.plain, ""),
          (Names.l2tp, Names.openvpnTAP, ""), (Names.l2tp, Names.openvpnGCM, ""),
        ]
      case .esp:
        return [
          (Names.espInUDP, Names.wireguard, "at least 1.2"), (Names.espInUDP, Names.libipsec, "at least 3"),
          (Names.esp, Names.openvpnTUN, ""), (Names.esp, Names.vxlan, ""), (Names.l2tp, Names.openvpnGCM, ""),
          (Names.l2tp, Names.vxlan, ""), (Names.espInUDP, Names.esp, ""),
        ]
      }
    }
  }

  private let kind: Kind
  private let options: Options
  private let report: Report
  private let sides: (GifSide, GifSide)
  private var samples: [String: [String: [Sample]]] = [:]
  private var skipped: [String: String] = [:]

  static func run(options: Options) throws {
    try run(.gif, options)
  }

  /// The same for the tunnel that carries Ethernet frames.
  static func runL2TP(options: Options) throws { try run(.l2tp, options) }

  /// The same for tunnels that encrypt.
  static func runESP(options: Options) throws { try run(.esp, options) }

  private static func run(_ kind: Kind, _ options: Options) throws {
    let report = Report(kind.rawValue, options: options)
    var bench = try GifBench(kind, options, report)
    try bench.run()
    try report.save()
  }

  private init(_ kind: Kind, _ options: Options, _ report: Report) throws {
    (self.kind, self.options, self.report) = (kind, options, report)
    sides = (try GifSide(0), try GifSide(1))
    let cable = GifSide.cable
    try sides.0.must("ip link add \(cable) type veth peer name \(cable) netns \(sides.1.holder.pid)")
    for side in [sides.0, sides.1] {
      try side.must("ip link set lo up; ip addr add \(side.outer)/16 dev \(cable) && ip link set \(cable) up")
    }
  }

  private mutating func run() throws {
    var contestants = kind.contestants(options).filter {
      options.only.isEmpty || options.only.contains($0.name)
    }
    for contestant in contestants {
      let missing = (contestant.programs + ["iperf3"]).first { (try? sides.0.run("command -v \($0)")) != true }
      if let missing { skipped[contestant.name] = "there is no \(missing)" }
    }
    contestants.removeAll { skipped[$0.name] != nil }
    for round in 1...options.rounds {
      for contestant in contestants.shuffled() where skipped[contestant.name] == nil {
        do { try measure(contestant, round) } catch { skipped[contestant.name] = "\(error)" }
      }
    }
    for load in Load.allCases { present(load, contestants.filter { skipped[$0.name] == nil }.map(\.name)) }
    for (name, reason) in skipped.sorted(by: { $0.key < $1.key }) { report.skip(name, reason) }
    presentRatios()
  }

  private var loads: [Load] {
    Load.allCases.filter { options.loads.isEmpty || options.loads.contains($0.name) }
  }

  // MARK: One tunnel

  private mutating func measure(_ contestant: GifContestant, _ round: Int) throws {
    var carriers: [Child] = []
    defer {
      for child in carriers { child.end(with: SIGTERM) }
      for side in [sides.0, sides.1] { _ = try? side.run("ip link del \(contestant.interface(side)) 2>&-") }
    }
    for (side, other) in [sides, (sides.1, sides.0)] {
      try offloads(of: GifSide.cable, side, isOn: !contestant.isPlain)
      carriers += try contestant.start(side, other)
    }
    for (side, other) in [sides, (sides.1, sides.0)] {
      let interface = contestant.interface(side)
      for _ in 0..<200 where try !side.run("ip link show \(interface)") { usleep(20_000) }
      try side.must(contestant.join(side, other))
      if contestant.isBare {
        try side.must(
          "ip addr replace \(side.inner)/24 dev \(interface); ip link set \(interface) mtu \(GifSide.mtu) up")
      }
      try offloads(of: interface, side, isOn: !contestant.isPlain)
    }
    guard
      try sides.0.run("for i in 1 2 3 4 5 6 7 8; do ping -c 1 -W 1 \(sides.1.inner) && exit; sleep 0.2; done; exit 1")
    else { throw Failure("nothing gets through") }
    for load in loads where contestant.name != GifContestant.thousand || load.size == 64 {
      let sample = try calmly(load, carriers)
      samples[load.name, default: [:]][contestant.name, default: []].append(sample)
      note(
        "round \(round)/\(options.rounds)  " + pad(load.name, 17) + pad(contestant.name, 14) + pad(sample.rate, 8, 1)
          + " kpps" + pad(sample.cost, 8, 0) + " ns" + pad(sample.lost, 7, 2) + " % lost   steal "
          + "\(fixed(sample.steal, 1)) %, foreign \(fixed(sample.foreign, 1)) %")
    }
  }

  /// Not everything can be changed on every device.
  private func offloads(of interface: String, _ side: GifSide, isOn: Bool) throws {
    let word = isOn ? "on" : "off"
    for feature in ["tso", "gso", "gro"] { try side.run("ethtool -K \(interface) \(feature) \(word) 2>&-") }
  }

  /// Measures again, a few times at most, while the host takes the CPU away.
  private func calmly(_ load: Load, _ carriers: [Child]) throws -> Sample {
    var best: Sample?
    for _ in 1...3 {
      let sample = try measure(load, carriers)
      if sample.steal < best?.steal ?? .infinity { best = sample }
      if sample.steal <= 10 { break }
    }
    guard let best else { throw Failure("no measurement") }
    return best
  }

  private func measure(_ load: Load, _ carriers: [Child]) throws -> Sample {
    try Self.exchange(load, sides, carriers, options)
  }

  /// iperf3 from one side to the other. - Parameter carriers: the tunnel's processes.
  static func exchange(
    _ load: Load, _ sides: (GifSide, GifSide), _ carriers: [Child], _ options: Options
  ) throws -> Sample {
    let server = try sides.1.start(["iperf3", "-s", "-1", "-p", "5201"])
    for _ in 0..<250 where try !sides.1.run("ss -Hltn 'sport = 5201' | grep -q .") { usleep(20_000) }
    var words = [
      "iperf3", "-c", sides.1.inner, "-p", "5201", "-J", "-t", "\(options.seconds)", "--connect-timeout", "3000",
    ]
    if let size = load.size {
      words += ["-u", "-l", "\(size)", "-b", load.rate.map { "\($0 * size * 8)" } ?? "0"]
    }
    let machine = Machine.now()
    let before = carriers.map(\.cpu).reduce(0, +)
    let client = try sides.0.start(words, output: .pipe)
    let text = readAll(client.output)
    let ended = client.finish()
    guard ended.status == 0 else {
      server.kill()
      throw Failure("iperf3 failed: \(text.suffix(200))")
    }
    let tunnel = carriers.map(\.cpu).reduce(0, +) - before
    let softirq = Machine.now().softirqThreads - machine.softirqThreads
    var sample = try Self.parse(text, load)
    sample.tunnel = tunnel
    sample.all = tunnel + (ended.cpu + server.finish(patience: 3).cpu + softirq) * 1e9
    (sample.steal, sample.foreign) = Machine.now().since(machine, ours: sample.all / 1e9 - softirq)
    return sample
  }

  /// What the client's report says.
  private static func parse(_ text: String, _ load: Load) throws -> Sample {
    func number(_ value: Any?) -> Double { (value as? NSNumber)?.doubleValue ?? 0 }
    let report = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
    let end = report?["end"] as? [String: Any] ?? [:]
    var sample = Sample()
    if load.size == nil {
      let sum = end["sum_received"] as? [String: Any] ?? [:]
      // Headers of IPv4 and of TCP with timestamps.
      sample.packets = number(sum["bytes"]) / Double(GifSide.mtu - 52)
      sample.seconds = number(sum["seconds"])
    } else {
      let sum = end["sum"] as? [String: Any] ?? [:]
      let (sent, lost) = (number(sum["packets"]), number(sum["lost_packets"]))
      sample.packets = sent - lost
      sample.seconds = number(sum["seconds"])
      sample.lost = 100 * lost / max(sent, 1)
    }
    guard sample.packets > 0, sample.seconds > 0 else { throw Failure("iperf3 reports nothing") }
    return sample
  }

  // MARK: Tables

  private func middle(_ name: String, _ load: Load, _ value: (Sample) -> Double) -> Double? {
    median((samples[load.name]?[name] ?? []).map(value))
  }

  private func present(_ load: Load, _ names: [String]) {
    let names = names.filter { samples[load.name]?[$0] != nil }
    guard !names.isEmpty else { return }
    report.line()
    report.line(load.name)
    let widths = [-14, 9, 9, 9, 11, 8, 8, 7, 10]
    report.row(["tunnel", "kpps", "Mbit/s", "CPU ns", "tunnel's", "lost %", "worst", "steal%", "foreign%"], widths)
    for name in names {
      let own = samples[load.name]?[name] ?? []
      let rate = middle(name, load, \.rate) ?? 0
      let payload = Double(load.size ?? GifSide.mtu - 52)
      report.add(name, load.name, "rate", rate, "kpps")
      report.add(name, load.name, "cpu_per_packet", middle(name, load, \.cost), "ns")
      report.add(name, load.name, "tunnel_cpu_per_packet", middle(name, load, \.tunnelCost), "ns")
      report.add(name, load.name, "lost", middle(name, load, \.lost), "%")
      report.row(
        [
          name, fixed(rate, 1), fixed(rate * payload * 8 / 1000, 0), fixed(middle(name, load, \.cost) ?? 0, 0),
          fixed(middle(name, load, \.tunnelCost) ?? 0, 0), fixed(middle(name, load, \.lost) ?? 0, 2),
          fixed(own.map(\.lost).max() ?? 0, 2), fixed(own.map(\.steal).max() ?? 0, 1),
          fixed(middle(name, load, \.foreign) ?? 0, 0),
        ], widths)
    }
  }

  /// The ratios that are to be reached; above 1 ours is the better one.
  private func presentRatios() {
    report.line()
    report.line(
      "Multiples of the other: packets per second; packets per CPU second; the same without what the cable costs.")
    report.line("Medians of each round's ratio; above 1 the first is the better one.")
    let widths = [-28, -17, 7, 7, 7, -20]
    report.row(["", "load", "rate", "CPU", "added", "to reach"], widths)
    for (name, other, goal) in kind.pairs {
      for load in Load.allCases {
        let rounds = Array(zip(samples[load.name]?[name] ?? [], samples[load.name]?[other] ?? []))
        guard let rate = median(rounds.map { $0.rate / $1.rate }), let cost = median(rounds.map { $1.cost / $0.cost })
        else { continue }
        let added = zip(rounds, samples[load.name]?[GifContestant.bare] ?? []).map { pair, cable in
          (pair.1.cost - cable.cost) / (pair.0.cost - cable.cost)
        }
        let extra = load.rate == nil && load.size != nil ? nil : median(added)
        report.add(name, load.name, "rate_ratio to \(other)", rate, "")
        report.add(name, load.name, "cpu_ratio to \(other)", cost, "")
        report.add(name, load.name, "added_cpu_ratio to \(other)", extra, "")
        report.row(
          ["\(name) : \(other)", load.name, fixed(rate, 2), fixed(cost, 2), extra.map { fixed($0, 2) } ?? "-", goal],
          widths)
      }
    }
    report.line()
  }
}
