// What it costs to attach and detach peers while frames flow. `Benchmarks/run stress` builds it and runs it in a network
// namespace. Argument: a file for the rows.

import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFFilterMachine
import SwBPFKern
import SwBPFLiveCapture
import SwBPFStress

/// CPU time of the calling thread, ns.
private func threadTime() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

private func text(_ path: String) -> String {
  guard let file = fopen(path, "r") else { return "" }
  defer { fclose(file) }
  var buffer = [UInt8](repeating: 0, count: 4096)
  return String(decoding: buffer[..<fread(&buffer, 1, buffer.count, file)], as: UTF8.self)
}

/// CPU time of the threads of this process with one of these names, ns. (schedstat)
private func time(of names: Set<String>) -> Int64 {
  guard let folder = opendir("/proc/self/task") else { return 0 }
  defer { closedir(folder) }
  var sum: Int64 = 0
  while let entry = readdir(folder) {
    let task = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    guard names.contains(text("/proc/self/task/\(task)/comm").filter({ $0 != "\n" })) else { continue }
    sum += text("/proc/self/task/\(task)/schedstat").split(separator: " ").first.flatMap { Int64($0) } ?? 0
  }
  return sum
}

private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
private func digits(_ value: Double) -> String { String(Double(Int(value * 100)) / 100) }

/// What one contestant took: CPU us of each round per cycle, wall times of all.
private struct Contestant {
  let name: String
  let cycles: Int
  let body: () throws -> Void
  var rounds: [Double] = []
  var walls = Latencies()

  init(_ name: String, _ cycles: Int, _ body: @escaping () throws -> Void) {
    (self.name, self.cycles, self.body) = (name, cycles, body)
  }

  mutating func round() throws {
    let others: Set = ["swbpf-epoch", "swbpf-control"]
    let (own, theirs) = (threadTime(), time(of: others))
    for _ in 0..<cycles {
      let began = Clock.monotonic()
      try body()
      walls.add(Clock.monotonic() - began)
    }
    rounds.append(Double(threadTime() - own + time(of: others) - theirs) / 1000 / Double(cycles))
  }
}

@main
enum StressBench {
  static let rate = 300_000
  static let rounds = 9
  nonisolated(unsafe) static var rows: [String] = []
  /// A contestant's name; nil: all.
  nonisolated(unsafe) static var only: String?

  /// More of the processor for the session of this process than for others.
  static func favourThisSession() {
    guard let file = fopen("/proc/self/autogroup", "w") else { return }
    fputs("-20", file)
    fclose(file)
  }

  static func main() throws {
    guard sysconf(CInt(_SC_NPROCESSORS_ONLN)) >= 2 else { fatalError("needs two cores") }
    favourThisSession()
    only = CommandLine.arguments.dropFirst(2).first
    let ground = try Ground.own()
    let findings = Findings()
    var plan = StressPlan()
    plan.rate = rate
    // The ring and the reader have core 1, the sender and the storm share core 0.
    swpcap_thread_pin(1)
    // The ring that swbpf -w takes.
    var large = RingOptions()
    large.prefersLarge = true
    let engine = try CaptureEngine(large)
    let interface = try engine.interface(named: ground.main)
    let witness = try Witness(.inOut, findings)
    try witness.descriptor.attach(to: interface)
    try witness.start()
    swpcap_thread_pin(0)
    let sender = try Sender(ground, plan, model: nil, findings: findings)
    try sender.start()
    usleep(300_000)

    var contestants = try makeContestants(interface, ground).filter { only == nil || $0.name == only }
    for index in contestants.indices { try contestants[index].round() }
    for index in contestants.indices { contestants[index].rounds = [] }
    let heap = swpcap_heap_used()
    var quiet: [Double] = []
    var stormy: [Double] = []
    for _ in 0..<rounds {
      quiet.append(try reader(witness) { usleep(300_000) })
      for index in contestants.indices {
        if index == 0 {
          stormy.append(try reader(witness) { try contestants[0].round() })
        } else {
          try contestants[index].round()
        }
      }
    }
    let grown = Int64(swpcap_heap_used()) - Int64(heap)
    sender.pause()
    settle(engine, ground, witness)
    report(contestants)
    print(
      "reader's CPU per frame: quiet \(digits(median(quiet))) ns, beside the storm \(digits(median(stormy))) ns, "
        + "ratio \(digits(median(zip(stormy, quiet).map { $0 / $1 }))), at most 1.5")
    row("reader", "ratio", median(zip(stormy, quiet).map { $0 / $1 }), "")
    var losses = Losses()
    losses.ring = engine.statistics(of: ground.main).dropped
    losses.unsure = sender.unsure.load(ordering: .acquiring)
    let (arriving, leaving) = (sender.arriving.load(ordering: .acquiring), sender.leaving.load(ordering: .acquiring))
    let balance = witness.balance(arriving: arriving, leaving: leaving, injected: 0, losses)
    if let fault = balance.fault { findings.report(.sent, fault) }
    let lost = losses.ring + balance.losses.slots
    print("frames: \(balance.sent) sent, \(balance.seen) seen, lost \(lost)")
    row("reader", "lost", Double(lost), "frames")
    print(
      "memory: heap \(grown) bytes more after \(rounds) rounds, \(Epoch.shared.pendingCount) things wait to be freed")
    row("memory", "heap_growth", Double(grown), "bytes")
    sender.stop()
    witness.stop()
    engine.close()
    ground.remove()
    for (check, broken) in findings.all { print("BROKEN: \(check.rawValue): \(broken.example)") }
    save()
    if !findings.isEmpty { exit(1) }
  }

  /// Waits until the ring is empty and the reader has looked at all it has.
  static func settle(_ engine: CaptureEngine, _ ground: Ground, _ witness: Witness) {
    var calm = 0
    for _ in 0..<500 where calm < 3 {
      usleep(20_000)
      let ring = engine.statistics(of: ground.main)
      calm = ring.processed >= ring.accepted && witness.isCaughtUp ? calm + 1 : 0
    }
  }

  /// CPU ns of ring and reader threads for each frame that passed meanwhile.
  static func reader(_ witness: Witness, _ body: () throws -> Void) throws -> Double {
    let names: Set = ["swbpf-ring", "swbpf-witness"]
    let (before, frames) = (time(of: names), witness.descriptor.statistics.captured)
    try body()
    return Double(time(of: names) - before) / Double(max(1, witness.descriptor.statistics.captured - frames))
  }

  private static func makeContestants(_ interface: BPF.Interface, _ ground: Ground) throws -> [Contestant] {
    let open = try BPF.Descriptor(.init(slotSize: 16384, slots: 3))
    var errors = [CChar](repeating: 0, count: Int(SWPCAP_ERRBUF))
    // Another engine, whose rings do not linger, for what only the first peer pays.
    var options = RingOptions()
    options.linger = 0
    let other = try CaptureEngine(options)
    let idle = try other.interface(named: ground.side)
    return [
      Contestant("attach, detach", 20_000) {
        try open.attach(to: interface)
        open.detach()
      },
      Contestant("open, attach, detach, close", 10_000) {
        let peer = try BPF.Descriptor(.init(slotSize: 16384, slots: 3))
        try peer.attach(to: interface)
        peer.detach()
      },
      Contestant("open, attach, close of a device", 10_000) {
        let peer = try BPF.Descriptor(.device())
        try peer.attach(to: interface)
      },
      Contestant("socket, bind, close", 20) {
        let socket = swpcap_packet_socket(0)
        swpcap_packet_bind(socket, CInt(swpcap_link_index(ground.main)))
        close(socket)
      },
      Contestant("libpcap activate, close", 10) {
        var error: CInt = 0
        guard let live = swpcap_live_open(ground.main, 65535, -1, &error, &errors) else { fatalError("pcap: \(error)") }
        swpcap_live_close(live)
      },
      try widening(ground),
      Contestant("first peer: opens the ring", 3) {
        let peer = try BPF.Descriptor(.init(slotSize: 16384, slots: 3))
        try peer.attach(to: idle)
        peer.detach()
        // The ring goes 10 ms later.
        usleep(30_000)
        withExtendedLifetime(other) {}
      },
    ]
  }

  /// A peer that wants everything, beside one whose program the kernel runs; narrowed again before the next one.
  private static func widening(_ ground: Ground) throws -> Contestant {
    let engine = try CaptureEngine()
    let interface = try engine.interface(named: ground.sidePeer)
    var configuration = BPF.Descriptor.Configuration(slotSize: 16384, slots: 3)
    configuration.pushesDown = true
    let narrow = try BPF.Descriptor(configuration)
    try narrow.setProgram(
      try Program([.statement(0x28, 12), .jump(0x15, 0x800, 0, 1), .statement(0x06, 64), .statement(0x06, 0)]))
    try narrow.attach(to: interface)
    let wide = try BPF.Descriptor(.init(slotSize: 16384, slots: 3))
    return Contestant("first peer that widens the filter", 4) {
      try wide.attach(to: interface)
      wide.detach()
      usleep(30_000)
      withExtendedLifetime((engine, narrow)) {}
    }
  }

  private static func report(_ contestants: [Contestant]) {
    let socket = median(contestants.first { $0.name.hasPrefix("socket") }?.rounds ?? [1])
    for one in contestants {
      let cpu = median(one.rounds)
      print(
        "\(one.name): CPU \(digits(cpu)) us a cycle (\(digits(one.rounds.min() ?? 0)) to \(digits(one.rounds.max() ?? 0))), "
          + "\(digits(cpu / socket)) of a packet socket; wall p50 \(one.walls.permille(500)) p99 \(one.walls.permille(990)) "
          + "p99.9 \(one.walls.permille(999)) max \(one.walls.longest) ns")
      row(one.name, "cpu", cpu, "us")
      row(one.name, "ratio_socket", cpu / socket, "")
      row(one.name, "p99", Double(one.walls.permille(990)), "ns")
    }
  }

  private static func row(_ subject: String, _ metric: String, _ value: Double, _ unit: String) {
    rows.append(
      #"{"bench":"stress","case":"300000 pps","metric":"\#(metric)","subject":"\#(subject)","unit":"\#(unit)","value":\#(digits(value))}"#
    )
  }

  private static func save() {
    let path = CommandLine.arguments[1]
    guard let file = fopen(path, "w") else { fatalError("\(path): errno \(errno)") }
    fputs("[\n" + rows.joined(separator: ",\n") + "\n]\n", file)
    fclose(file)
    print("rows: \(path)")
  }
}
