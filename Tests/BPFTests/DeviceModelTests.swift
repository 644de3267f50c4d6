// Random taps, reads and requests on an open bpf device, compared with a model of bpf(4)'s two buffers after each step.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import Testing

@testable import SwBPFBPF
@testable import TestSupport

/// What bpf(4) says of one descriptor without time-outs: FreeBSD's records of Ethernet frames.
private struct Model {
  struct Buffer {
    var bytes = 0
    var frames: [[UInt8]] = []
  }

  var size: Int
  var store = Buffer()
  var hold: Buffer?
  var immediate = false
  var attached = false
  var direction = BPF.Direction.inOut
  /// The program accepts frames whose first byte is even.
  var onlyEven = false
  var captured: UInt64 = 0
  var dropped: UInt64 = 0

  var isReady: Bool { !attached || hold != nil || (immediate && store.bytes > 0) }
  var readable: Int { store.bytes + (hold?.bytes ?? 0) }

  mutating func tap(_ frame: [UInt8], _ way: BPF.Way) {
    if !attached || (way == .sent ? !direction.seesSent : !direction.seesReceived) { return }
    if onlyEven && frame[0] % 2 == 1 { return }
    captured += 1
    let kept = min(frame.count, size - 26)
    var start = (store.bytes + 7) / 8 * 8
    if start + 26 + kept > size {
      if hold != nil {
        dropped += 1
        return
      }
      hold = store
      store = Buffer()
      start = 0
    }
    store.bytes = start + 26 + kept
    store.frames.append(Array(frame.prefix(kept)))
  }

  mutating func flush() {
    (store, hold, captured, dropped) = (Buffer(), nil, 0, 0)
  }

  /// A read: frames, or the error; nil where it would sleep.
  mutating func read(nonBlocking: Bool) -> Result<[[UInt8]], BPF.Failure>? {
    if hold == nil && store.bytes > 0 && (immediate || nonBlocking) {
      hold = store
      store = Buffer()
    }
    if let full = hold {
      hold = nil
      return .success(full.frames)
    }
    if !attached { return .failure(.notAttached) }
    return nonBlocking ? .failure(.wouldBlock) : nil
  }
}

private struct Difference: Error, CustomStringConvertible {
  var description: String
}

@Suite("Devices against a model", .timeLimit(.minutes(2)))
struct DeviceModelTests {
  @Test("readiness, reads, bytes and counts are the model's after each of many random steps", arguments: 1...12)
  func random(seed: UInt64) throws {
    var random = Linear(state: seed)
    for size in [32, 33, 64, 100, 512, 4096] {
      var log: [String] = []
      do {
        try run(size: size, steps: Requirement.short ? 200 : 600, &random, &log)
      } catch {
        Issue.record("seed \(seed), size \(size): \(error); the last steps: \(log.suffix(12))")
        return
      }
    }
  }

  private func run(size: Int, steps: Int, _ random: inout Linear, _ log: inout [String]) throws {
    var wire = Wire()
    let one = try device(bufferSize: size)
    let watcher = Watcher(try one.pollDescriptor())
    var model = Model(size: size)
    for step in 0..<steps {
      let what = random.below(32)
      log.append("\(step): \(what)")
      switch what {
      case 0..<14:
        let frames = (0..<(what == 0 ? 1 + random.below(6) : 1)).map { _ in
          frame(UInt8(random.below(256)), 1 + random.below(size + size / 4))
        }
        let way: BPF.Way = random.below(3) == 0 ? .sent : .received
        tap(frames, way, wire)
        for frame in frames { model.tap(frame, way) }
      case 14..<18: try compareRead(one, &model, nonBlocking: true)
      case 18..<22: if model.isReady { try compareRead(one, &model, nonBlocking: false) }
      case 22, 23:
        model.immediate = random.below(2) == 0
        one.setImmediate(model.immediate)
      case 24:
        one.flush()
        model.flush()
      case 25:
        let flushing = random.below(2) == 0
        model.onlyEven = random.below(2) == 0
        try one.setProgram(model.onlyEven ? even : nil, flushing: flushing)
        if flushing { model.flush() }
      case 26:
        model.direction = BPF.Direction.allCases[random.below(3)]
        try one.setDirection(model.direction)
      case 27:
        one.detach()
        model.attached = false
      case 28:
        wire.ifnet.depart()
        wire = Wire()
        model.attached = false
      case 29 where !model.attached:
        model.size = 32 + random.below(400)
        try one.setBufferSize(model.size)
        model.flush()
      default:
        try one.attach(to: wire.interface)
        model.attached = true
        model.flush()
      }
      try compare(one, model, watcher)
    }
  }

  private func tap(_ frames: [[UInt8]], _ way: BPF.Way, _ wire: Wire) {
    let all = frames.flatMap { $0 }
    all.withUnsafeBytes { bytes in
      var reader = TapReader()
      guard reader.begin(wire.point) else { return }
      var offset = 0
      for frame in frames {
        show(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + frame.count]), way, &reader)
        offset += frame.count
      }
      reader.end()
    }
  }

  private func compareRead(_ one: BPF.Descriptor, _ model: inout Model, nonBlocking: Bool) throws {
    let expected = model.read(nonBlocking: nonBlocking)
    one.setNonBlocking(nonBlocking)
    let read: Result<[[UInt8]], BPF.Failure>
    do throws(BPF.Failure) {
      let bytes = try one.readBuffer() ?? []
      read = .success((try? parse(bytes).map(\.frame)) ?? [])
    } catch {
      read = .failure(error)
    }
    guard read == expected else { throw Difference(description: "read \(read), not \(expected.map { "\($0)" } ?? "")") }
  }

  private func compare(_ one: BPF.Descriptor, _ model: Model, _ watcher: Watcher) throws {
    let counts = one.statistics
    let real: [Int?] = [
      watcher.isReadable.map { $0 ? 1 : 0 }, one.poll(.readable) == .readable ? 1 : 0, one.readableBytes,
      Int(counts.captured), Int(counts.dropped), counts.addsUp ? 1 : 0, one.isAttached ? 1 : 0, one.bufferSize,
    ]
    let wanted = [
      model.isReady ? 1 : 0, model.isReady ? 1 : 0, model.readable, Int(model.captured), Int(model.dropped), 1,
      model.attached ? 1 : 0, model.size,
    ]
    guard real == wanted else { throw Difference(description: "\(real), not \(wanted)") }
  }
}

/// Accepts frames whose first byte is even.
private let even = try! Program([
  .statement(0x30, 0), .jump(0x45, 1, 1, 0), .statement(6, 0xffff_ffff), .statement(6, 0),
])

/// A small generator that a seed determines.
private struct Linear {
  var state: UInt64
  mutating func below(_ limit: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(limit))
  }
}
