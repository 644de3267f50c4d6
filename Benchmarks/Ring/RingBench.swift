// Readers of one ring, for the benchmarks' driver: `RingBench peers IF N [BASE STEP]`, `latency IF MS`, `sequence IF`.
// Each prints `ready` when it captures, runs until SIGINT, and then says one `key=value` line.

import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFKern
import SwBPFLiveCapture
import Synchronization

private let isOver = Atomic<Bool>(false)

/// Waits for SIGINT or SIGTERM, which every thread has blocked.
private func waitForSignal() {
  var set = sigset_t()
  var number: CInt = 0
  sigemptyset(&set)
  sigaddset(&set, SIGINT)
  sigaddset(&set, SIGTERM)
  sigwait(&set, &number)
}

private func blockSignals() {
  var set = sigset_t()
  sigemptyset(&set)
  sigaddset(&set, SIGINT)
  sigaddset(&set, SIGTERM)
  pthread_sigmask(SIG_BLOCK, &set, nil)
}

private func say(_ text: String) {
  print(text)
  fflush(nil)
}

/// Gives the slots of all descriptors back as they fill, on one thread.
private func discard(_ descriptors: [BPF.Descriptor]) throws -> Thread {
  let ready = swpcap_event_open()
  for descriptor in descriptors { descriptor.follow(event: dup(ready), full: 1) }
  return try Thread(starting: "bench-reader") {
    while !isOver.load(ordering: .acquiring) {
      if swpcap_wait(ready, -1, 200) > 0 { swpcap_event_clear(ready) }
      for descriptor in descriptors {
        while let slot = try? descriptor.takeSlot(rotating: false) { _ = slot.count }
      }
    }
  }
}

@main
enum RingBench {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count >= 3 else { fatalError("RingBench peers IF N [BASE STEP] | latency IF MS | sequence IF") }
    blockSignals()
    switch arguments[1] {
    case "peers":
      let ports = arguments.dropFirst(4).compactMap { Int($0) }
      try peers(arguments[2], Int(arguments[3]) ?? 1, ports: ports.count == 2 ? (ports[0], ports[1]) : nil)
    case "latency": try latency(arguments[2], milliseconds: Int(arguments[3]) ?? 0)
    default: try sequence(arguments[2])
    }
  }

  /// N readers, each of a port of its own, or one of all datagrams.
  private static func peers(_ interface: String, _ count: Int, ports: (first: Int, step: Int)?) throws {
    let engine = try CaptureEngine()
    var descriptors: [BPF.Descriptor] = []
    for place in 0..<count {
      var configuration = BPF.Descriptor.Configuration(slotSize: 1 << 20, slots: 8)
      configuration.pushesDown = true
      let descriptor = try BPF.Descriptor(configuration)
      try descriptor.setFilter(ports.map { "udp port \($0.first + place * $0.step)" } ?? "udp")
      try engine.attach(descriptor, to: interface)
      descriptors.append(descriptor)
    }
    let thread = try discard(descriptors)
    say("ready")
    waitForSignal()
    engine.drain()
    let ring = engine.statistics(of: interface)
    var captured: UInt64 = 0
    var dropped: UInt64 = 0
    for descriptor in descriptors {
      captured += descriptor.statistics.captured
      dropped += descriptor.statistics.dropped
    }
    say("captured=\(captured) drops=\(dropped + ring.dropped)")
    isOver.store(true, ordering: .releasing)
    thread.join()
    exit(0)
  }

  /// How long a frame is on its way from the kernel's stamp to the reader: a histogram in steps of 50 us.
  private static func latency(_ interface: String, milliseconds: Int) throws {
    let engine = try CaptureEngine()
    let descriptor = try BPF.Descriptor(
      .init(slotSize: 1 << 20, slots: 8, format: .savefile(nanoseconds: true)))
    descriptor.setImmediate(milliseconds == 0)
    try descriptor.setFilter("udp")
    try engine.attach(descriptor, to: interface)
    let thread = try Thread(starting: "bench-reader") {
      while !isOver.load(ordering: .acquiring) {
        let timeout = Duration.milliseconds(milliseconds == 0 ? 200 : milliseconds)
        guard let slot = try? descriptor.nextSlot(timeout: timeout) else { continue }
        let now = Clock.wall()
        slot.eachRecord { record in
          let stamp = Int64(record.seconds) * 1_000_000_000 + Int64(record.nanoseconds)
          counts.add(now - stamp)
        }
      }
    }
    say("ready")
    waitForSignal()
    usleep(300_000)
    isOver.store(true, ordering: .releasing)
    thread.join()
    let filled = counts.steps.enumerated().filter { $0.element > 0 }
    say("histogram=" + filled.map { "\($0.offset):\($0.element)" }.joined(separator: ","))
    exit(0)
  }

  /// Looks at the number of every frame: the generator counts them from 0, at byte 42.
  private static func sequence(_ interface: String) throws {
    let engine = try CaptureEngine()
    let descriptor = try BPF.Descriptor(.init(slotSize: 1 << 20, slots: 16))
    try descriptor.setFilter("udp")
    try engine.attach(descriptor, to: interface)
    let thread = try Thread(starting: "bench-reader") {
      while !isOver.load(ordering: .acquiring) {
        guard let slot = try? descriptor.nextSlot(timeout: .milliseconds(200)) else { continue }
        slot.eachRecord { record in
          numbers.see(record.frame)
        }
      }
    }
    say("ready")
    waitForSignal()
    engine.drain()
    usleep(500_000)
    let counts = descriptor.statistics
    let ring = engine.statistics(of: interface)
    isOver.store(true, ordering: .releasing)
    thread.join()
    say(
      "captured=\(counts.captured) drops=\(counts.dropped + ring.dropped) delivered=\(counts.delivered)"
        + " missing=\(numbers.missing) wrong=\(numbers.wrong) next=\(numbers.next)"
        + " balance=\(counts.captured == counts.delivered + counts.dropped + counts.waiting)")
    exit(0)
  }
}

/// Written by the reader's thread alone.
private final class Steps: @unchecked Sendable {
  var steps = [UInt64](repeating: 0, count: 20_000)
  func add(_ nanoseconds: Int64) { steps[min(max(Int(nanoseconds / 50_000), 0), steps.count - 1)] += 1 }
}

private final class Numbers: @unchecked Sendable {
  var next: UInt64 = 0
  var missing: UInt64 = 0
  var wrong: UInt64 = 0

  func see(_ frame: RawSpan) {
    guard frame.byteCount >= 50 else { return }
    let number = UInt64(bigEndian: frame.unsafeLoadUnaligned(fromByteOffset: 42, as: UInt64.self))
    if number < next { wrong += 1 } else { missing += number - next }
    next = number + 1
  }
}

private let counts = Steps()
private let numbers = Numbers()
