// Bench `control`: what a hundred broken clients of the control socket cost a capture, beside a program that burns the same
// CPU; and how often a reader wakes for frames it does not want to see.

import Foundation

struct ControlBench {
  private let lab: Lab
  private let options: Options
  private let report: Report

  static func run(in lab: Lab, options: Options) throws {
    let report = Report("control", options: options)
    let bench = ControlBench(lab: lab, options: options, report: report)
    try bench.hammer()
    try bench.wakeUps()
    try report.save()
  }

  // MARK: Broken clients

  private func hammer() throws {
    let traffic = Traffic(size: 64, rate: 300_000, count: options.packets)
    var lost: [String: [Double]] = [:]
    var connections: [Double] = []
    var cpu: [String: [Double]] = [:]
    let neighbours = ["broken clients", "burning CPU"]
    for round in 1...options.rounds {
      for neighbour in neighbours.shuffled() {
        let (loss, said, wall) = try beside(neighbour, traffic)
        lost[neighbour, default: []].append(loss)
        cpu[neighbour, default: []].append(100 * said.cpu / wall)
        if neighbour == neighbours[0] { connections.append(said.connections / wall) }
        note("round \(round)/\(options.rounds)  \(pad(neighbour, 15))" + pad(loss, 8, 3) + " % lost")
      }
    }
    report.line()
    report.line("\(traffic.name): \(traffic.count) frames, swbpf -w, the neighbour at half of the reader's core")
    let widths = [-15, 9, 9, 12, 15]
    report.row(["beside", "lost %", "worst", "its CPU %", "connections/s"], widths)
    for neighbour in neighbours {
      let own = lost[neighbour] ?? []
      let rate = neighbour == neighbours[0] ? median(connections) : nil
      report.add(neighbour, traffic.name, "lost", median(own), "%")
      report.add(neighbour, traffic.name, "lost_worst", own.max(), "%")
      report.add(neighbour, traffic.name, "neighbour_cpu", median(cpu[neighbour] ?? []), "%")
      report.add(neighbour, traffic.name, "connections", rate, "1/s")
      report.row(
        [
          neighbour, fixed(median(own) ?? 0, 3), fixed(own.max() ?? 0, 3), fixed(median(cpu[neighbour] ?? []) ?? 0, 1),
          rate.map { fixed($0, 0) } ?? "-",
        ], widths)
    }
    report.line()
  }

  private func beside(
    _ neighbour: String, _ traffic: Traffic
  ) throws -> (lost: Double, said: (cpu: Double, connections: Double), wall: Double) {
    let said = options.tools + "/control.err"
    let reader = try capture(lab.interface, [], said)
    let target = neighbour == "burning CPU" ? "burn" : try controlSocket(of: reader)
    let start = seconds(CLOCK_MONOTONIC)
    let other = try Child([options.tools + "/hammer", target], core: Machine.readerCore, input: true, output: .pipe)
    sleep(seconds: 0.3)
    let generator = try lab.prepare(traffic)
    generator.go()
    let sent = try generator.result()
    let wall = seconds(CLOCK_MONOTONIC) - start
    _ = write(other.input, "\n", 1)
    let words = readAll(other.output)
    _ = other.finish()
    sleep(seconds: 0.5)
    reader.end()
    guard let captured = Contestant.tcpdumpCounts(in: contents(said)).captured,
      let cpu = words.range(of: "cpu_ns="), let connections = words.range(of: "connections=")
    else { throw Failure("control: no counts") }
    let figures = (
      cpu: firstNumber(in: words[cpu.upperBound...]) / 1e9,
      connections: firstNumber(in: words[connections.upperBound...])
    )
    return (100 * (sent.delivered - captured) / sent.delivered, figures, wall)
  }

  private func capture(_ interface: String, _ more: [String], _ said: String) throws -> Child {
    let command = [options.swbpf, "-p", "-i", interface, "-w", "/dev/null"] + more
    let reader = try Child(command, core: Machine.readerCore, errors: .file(said))
    guard lab.waitUntilCapturing(reader, on: interface) else { throw Failure("swbpf does not capture on \(interface)") }
    sleep(seconds: 0.3)
    return reader
  }

  /// The socket of a capture of root's: PID-STARTTIME.sock.
  private func controlSocket(of reader: Child) throws -> String {
    let folder = "/run/swbpf"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    guard let name = names.first(where: { $0.hasPrefix("\(reader.pid)-") }) else {
      throw Failure("control: no socket of \(reader.pid) in \(folder)")
    }
    return folder + "/" + name
  }

  // MARK: Wake-ups

  private func wakeUps() throws {
    let traffic = Traffic(size: 64, rate: 100_000, count: min(options.packets, 300_000))
    report.line("\(traffic.name): \(traffic.count) frames going out of the captured interface")
    let widths = [-15, 12, 12, 12]
    report.row(["see-sent", "captured", "wake-ups", "CPU ms"], widths)
    for state in ["on", "off"] {
      let said = options.tools + "/control.err"
      let reader = try capture(lab.sender, ["--see-sent", state], said)
      let generator = try lab.prepare(traffic, shown: true)
      let (wakesBefore, cpuBefore) = (reader.wakeUps, reader.cpu)
      generator.go()
      _ = try generator.result()
      let (wakes, cpu) = (reader.wakeUps - wakesBefore, reader.cpu - cpuBefore)
      sleep(seconds: 0.5)
      reader.end()
      let captured = Contestant.tcpdumpCounts(in: contents(said)).captured
      report.add("see-sent \(state)", traffic.name, "captured", captured, "frames")
      report.add("see-sent \(state)", traffic.name, "wake_ups", wakes, "times")
      report.add("see-sent \(state)", traffic.name, "cpu", cpu / 1e6, "ms")
      report.row([state, captured.map { fixed($0, 0) } ?? "-", fixed(wakes, 0), fixed(cpu / 1e6, 1)], widths)
    }
    report.line()
  }
}
