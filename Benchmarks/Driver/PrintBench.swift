// Bench `print`: what a printed packet costs, live into /dev/null and from a file.

import Foundation

struct PrintBench {
  private let options: Options
  private let report: Report
  private let printers: [(name: String, command: [String])]

  static func run(in lab: Lab, options: Options) throws {
    let report = Report("print", options: options)
    let bench = try PrintBench(options: options, report: report)
    let cases = (options.sizes ?? [64]).flatMap { size in
      (options.rates ?? [300_000, 500_000]).map { Traffic(size: size, rate: $0, count: options.packets) }
    }
    var live = CaptureBench(
      in: lab, options: options, report: report,
      contestants: bench.printers.map { name, command in
        Contestant(
          name: name, kind: .printer, command: command + ["-p", "-i", lab.interface], endLines: .tcpdump)
      }, cases: cases)
    try live.run()
    for mix in PacketMix.all { try bench.measure(mix) }
    try report.save()
  }

  private init(options: Options, report: Report) throws {
    (self.options, self.report) = (options, report)
    var printers = Contestant.printers(options: options)
    // Whether this swbpf has --json, an empty savefile tells.
    let empty = options.tools + "/print-empty.pcap"
    try Data(PacketMix.savefileHeader).write(to: URL(fileURLWithPath: empty))
    let json = [options.swbpf, "--json"]
    if try Child(json + ["-r", empty], core: Machine.readerCore).finish().status == 0 {
      printers.append(("swbpf --json", json))
    } else {
      report.skip("swbpf --json", "this swbpf does not know it")
    }
    self.printers = printers.filter { options.only.isEmpty || options.only.contains($0.name) }
  }

  /// CPU per packet of one kind from a file; what starting and ending cost is measured with an empty one and taken off.
  private func measure(_ mix: PacketMix) throws {
    let count = min(options.packets, 500_000)
    let file = options.tools + "/print-\(mix.name).pcap"
    try Data(mix.savefile(count)).write(to: URL(fileURLWithPath: file))
    defer { try? FileManager.default.removeItem(atPath: file) }
    var samples: [String: [Double]] = [:]
    var steal: [Double] = []
    for _ in 1...options.rounds {
      let before = Machine.now()
      for (name, command) in printers.shuffled() {
        let idle = try cpu(command + ["-r", options.tools + "/print-empty.pcap"])
        samples[name, default: []].append((try cpu(command + ["-r", file]) - idle) * 1e9 / Double(count))
      }
      steal.append(Machine.now().since(before, ours: 0).steal)
    }
    present(mix, count, samples, steal: median(steal) ?? 0)
  }

  private func cpu(_ command: [String]) throws -> Double {
    let (status, cpu) = try Child(command, core: Machine.readerCore).finish()
    guard status == 0 else { throw Failure("failed: " + command.joined(separator: " ")) }
    return cpu
  }

  private func present(_ mix: PacketMix, _ count: Int, _ samples: [String: [Double]], steal: Double) {
    let name = "file-\(mix.name)"
    report.line()
    report.line(
      "\(name): \(count) packets of \(mix.explanation), median of \(options.rounds) rounds, steal \(fixed(steal, 1)) %")
    let widths = [-15, 9, 17, 10]
    report.row(["printer", "CPU ns", "least-most", "x tcpdump"], widths)
    let tcpdump = samples[Contestant.tcpdump(.printer)] ?? []
    for (printer, _) in printers {
      guard let own = samples[printer], let cost = median(own), let least = own.min(), let most = own.max() else {
        continue
      }
      let ratio = median(zip(own, tcpdump).map { $0 / $1 })
      report.add(printer, name, "cpu_per_packet", cost, "ns")
      report.add(printer, name, "ratio_tcpdump", ratio, "x")
      report.row(
        [printer, fixed(cost, 1), "\(fixed(least, 0))-\(fixed(most, 0))", ratio.map { fixed($0, 3) } ?? "-"], widths)
    }
    report.add("machine", name, "steal", steal, "%")
  }
}
