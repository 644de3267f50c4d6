import Glibc
import SwBPFBPF
import SwBPFLiveCapture
import Testing

@testable import TestSupport

@Suite("Readers that come and go", .needsNamespaces)
struct StressTests {
  @Test(
    "C-035 C-036 four threads attach and detach during traffic; a reader that stays misses nothing",
    .timeLimit(.minutes(2)))
  func attachAndDetach() throws {
    let wire = try Wire()
    let engine = try wire.far.engine()
    let steady = try wire.far.reader(engine, "vb", .in, .init(slotSize: 1 << 20, slots: 32))
    let rounds = Requirement.short || Requirement.sanitizer != nil ? 40 : 200
    let problems = Box<[String]>([])
    let interface = try wire.far.inside { try engine.interface(named: "vb") }
    let stop = Box(false)
    let sent = Box<UInt64>(0)
    let sender = startThread {
      do {
        while !stop.value {
          try wire.send(sent.value..<(sent.value + 20))
          sent.value += 20
          usleep(200)
        }
      } catch { problems.value.append("sender: \(error)") }
    }
    let threads = (0..<4).map { thread in
      startThread {
        do {
          for round in 0..<rounds {
            let reader = try BPF.Descriptor(.init(slotSize: 8192, slots: 3))
            reader.setImmediate(true)
            if (round + thread) % 3 == 0 { try reader.setFilter("ether[21] & 1 = 0") }
            try reader.setDirection(BPF.Direction.allCases[(round + thread) % 3])
            try reader.attach(to: interface)
            if round % 4 == 0 { try reader.setPromiscuous() }
            usleep(UInt32.random(in: 0..<1500))
            if round % 2 == 0 { try reader.setFilter("") }
            let numbers = try reader.collect(1, within: 0.005).compactMap(\.number)
            if zip(numbers, numbers.dropFirst()).contains(where: { $0 >= $1 }) {
              problems.value.append("order: \(numbers)")
            }
            let counts = reader.statistics
            if counts.offered != counts.hidden + counts.refused + counts.captured
              || counts.captured != counts.delivered + counts.dropped + counts.waiting
            {
              problems.value.append("\(counts)")
            }
            if round % 5 != 0 { reader.detach() }
          }
        } catch { problems.value.append("thread \(thread): \(error)") }
      }
    }
    for thread in threads { pthread_join(thread, nil) }
    stop.value = true
    pthread_join(sender, nil)
    let total = sent.value
    let arrived = eventually {
      steady.statistics.captured + engine.statistics(of: "vb").dropped >= total
    }
    #expect(arrived)
    #expect(problems.value.isEmpty, "\(problems.value.prefix(3))")
    #expect(steady.statistics.captured + engine.statistics(of: "vb").dropped == total)
    #expect(interface.peerCount == 1)
    steady.detach()
    #expect(interface.peerCount == 0 && !interface.hasPeers)
    #expect(try wire.far.ip("-d link show dev vb").contains("promiscuity 0"))
    engine.close()
  }

  @Test("interfaces come and go under a reader of all of them, which misses nothing elsewhere", .timeLimit(.minutes(2)))
  func churn() throws {
    let wire = try Wire()
    let engine = try wire.far.engine()
    let reader = try BPF.Descriptor(.init(slotSize: 1 << 20, slots: 32))
    reader.setImmediate(true)
    try wire.far.inside { try engine.attachToAll(reader) }
    let stop = Box(false)
    let sent = Box<UInt64>(0)
    let sender = startThread {
      while !stop.value {
        guard (try? wire.send(sent.value..<(sent.value + 10))) != nil else { return }
        sent.value += 10
        usleep(100)
      }
    }
    var seen: [UInt64] = []
    func read() throws {
      for one in try reader.collect(1, within: 0.01) where one.bytes.starts(with: [0x88, 0xb5]) {
        if let number = UDPSender.number(in: one.bytes.dropFirst(20)), number < back { seen.append(number) }
      }
    }
    for round in 0..<(Requirement.short ? 5 : 20) as Range<UInt64> {
      try wire.far.ip("link add vx type veth peer name vy")
      try wire.far.ip("link set vx up")
      try wire.far.ip("link set vy up")
      if let other = try? FrameSender(in: wire.far, interface: "vx") {
        for _ in 0..<20 { try? other.send(wire.numbered(back | round)) }
      }
      try wire.far.ip("link del vx")
      try read()
    }
    stop.value = true
    pthread_join(sender, nil)
    let lost = engine.statistics.dropped
    let end = monotonicSeconds() + 5
    while seen.count + Int(lost) < Int(sent.value) && monotonicSeconds() < end { try read() }
    #expect(lost > 0 || seen == Array(0..<sent.value))
    #expect(reader.statistics.dropped == 0)
    engine.close()
  }

  @Test("no thread of an idle capture wakes up", .timeLimit(.minutes(1)))
  func idle() throws {
    let wire = try Wire()
    let engine = try wire.far.engine()
    let reader = try wire.far.reader(engine, "vb")
    try wire.send(0..<3)
    #expect(try reader.collect(3).count == 3)
    // What the attachment left to do is done by now.
    pause(1)
    let before = wire.far.threads()
    pause(2)
    let after = wire.far.threads()
    #expect(before.count >= 2, "\(before)")
    #expect(before == after)
    engine.close()
  }
}

extension Host {
  /// The threads of this process that live in this host (an engine's do): name and number of context switches.
  func threads() -> [String] {
    var status = stat()
    fstat(netns, &status)
    return entries("/proc/self/task").compactMap { thread in
      var its = stat()
      guard stat("/proc/self/task/\(thread)/ns/net", &its) == 0, its.st_ino == status.st_ino else { return nil }
      let lines = readText("/proc/self/task/\(thread)/status").split(separator: "\n")
      let switches = lines.filter { $0.contains("ctxt_switches") }.compactMap { $0.split(separator: "\t").last }
      return "\(thread) \(lines.first ?? "") \(switches)"
    }.sorted()
  }
}

private func entries(_ path: String) -> [String] {
  guard let folder = opendir(path) else { return [] }
  defer { closedir(folder) }
  var names: [String] = []
  while let entry = readdir(folder) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if !name.hasPrefix(".") { names.append(name) }
  }
  return names
}
