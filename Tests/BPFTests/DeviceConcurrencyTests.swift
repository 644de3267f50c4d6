// Several threads on one open bpf device; run under ThreadSanitizer too.
import Glibc
import SwBPFKern
import Synchronization
import Testing

@testable import SwBPFBPF
@testable import TestSupport

/// How long each race runs.
private let seconds = Requirement.short ? 0.3 : Requirement.sanitizer != nil ? 0.7 : 1.0

/// Taps passes of eight numbered frames of many sizes until told to stop.
private func tapper(_ wire: Wire, stop: Flag) -> Running<UInt64> {
  Running { () throws(BPF.Failure) in
    var reader = TapReader()
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 8 * 512, alignment: 8)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0x5a)
    var next: UInt64 = 0
    while !stop.isSet {
      for index in 0..<8 { memory.storeBytes(of: next + UInt64(index), toByteOffset: index * 512, as: UInt64.self) }
      if reader.begin(wire.point) {
        for index in 0..<8 {
          let length = 60 + Int(next + UInt64(index)) % 200
          show(UnsafeRawBufferPointer(rebasing: memory[index * 512..<index * 512 + length]), .received, &reader)
        }
        reader.end()
      }
      next += 8
    }
    return next
  }
}

/// The number of a tapped frame; nil for one that is not as it was tapped, cut to `snapshot`.
private func number(_ record: ReadRecord, snapshot: Int) -> UInt64? {
  guard record.frame.count >= 8 else { return nil }
  let number = record.frame.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
  let length = 60 + Int(number % 200)
  guard record.length == length && record.captured == min(length, snapshot) else { return nil }
  return record.frame[8...].allSatisfy { $0 == 0x5a } ? number : nil
}

/// Reads until the interface has departed. - Returns: the numbers read; nil when a record was damaged.
private func reader(_ one: BPF.Descriptor, snapshot: Int = .max) -> Running<[UInt64]?> {
  Running { () throws(BPF.Failure) in
    var all: [UInt64] = []
    while true {
      do throws(BPF.Failure) {
        guard let bytes = try one.readBuffer() else { continue }
        guard let records = try? parse(bytes) else { return nil }
        let numbers = records.compactMap { number($0, snapshot: snapshot) }
        // Each buffer is a run of what was tapped, in order.
        guard numbers.count == records.count, zip(numbers, numbers.dropFirst()).allSatisfy({ $0 < $1 }) else {
          return nil
        }
        all += numbers
      } catch {
        if error == .notAttached { return all }
        if error != .interrupted && error != .wouldBlock { throw error }
      }
    }
  }
}

@Suite("Devices and threads", .serialized, .timeLimit(.minutes(2)))
struct DeviceConcurrencyTests {
  @Test("C-045: of several readers exactly one gets each record", arguments: [false, true])
  func readers(immediate: Bool) throws {
    let wire = Wire()
    let one = try device(bufferSize: 2048, on: wire)
    one.setImmediate(immediate)
    let stop = Flag()
    let readers = (0..<3).map { _ in reader(one) }
    let tap = tapper(wire, stop: stop)
    pause(seconds)
    stop.set()
    let tapped = try tap.end()
    one.setImmediate(true)
    #expect(eventually { one.statistics.waiting == 0 })
    wire.ifnet.depart()
    var all: [UInt64] = []
    for reader in readers { all += try #require(try reader.end()) }
    let counts = one.statistics
    #expect(counts.captured == tapped && counts.addsUp)
    #expect(counts.delivered == UInt64(all.count) && Set(all).count == all.count)
    if counts.dropped == 0 { #expect(all.count == Int(tapped)) }
  }

  @Test("C-217: two threads read one descriptor with snapshot length 86 and time-out 100 ms under traffic")
  func multiRead() throws {
    let wire = Wire()
    let one = try device(on: wire)
    try one.setProgram(keeping(86))
    try one.setReadTimeout(100_000_000)
    let stop = Flag()
    let readers = (0..<2).map { _ in reader(one, snapshot: 86) }
    let tap = tapper(wire, stop: stop)
    pause(seconds)
    stop.set()
    let tapped = try tap.end()
    #expect(eventually { one.statistics.waiting == 0 }, "the time-out brings the rest")
    wire.ifnet.depart()
    var all: [UInt64] = []
    for reader in readers { all += try #require(try reader.end()) }
    #expect(one.statistics.captured == tapped && one.statistics.delivered == UInt64(all.count))
    #expect(Set(all).count == all.count && !all.isEmpty)
  }

  @Test(
    "requests, reads, polls and taps at once: every read is whole records, and in the end the event says what is so")
  func storm() throws {
    let wire = Wire()
    let one = try device(bufferSize: 1024, on: wire)
    let event = try one.pollDescriptor()
    let (stop, over) = (Flag(), Flag())
    let tap = tapper(wire, stop: stop)
    let readers = (0..<2).map { _ in
      Running { () throws(BPF.Failure) in
        while !over.isSet {
          do throws(BPF.Failure) {
            guard let bytes = try one.readBuffer() else { continue }
            if (try? parse(bytes)) == nil { return false }
          } catch {
            // Another size since it was asked for, no interface, nothing there.
            if ![EINVAL, ENXIO, EAGAIN].contains(error.errno) { throw error }
          }
        }
        return true
      }
    }
    let poller = Running { () throws(BPF.Failure) in
      let watcher = Watcher(event)
      while !stop.isSet {
        _ = watcher.waits(seconds: 0.002)
        _ = try one.poll(.readable, timeout: 1_000_000)
        if !one.statistics.addsUp { return false }
      }
      return true
    }
    let requests = (1...2).map { seed in
      Running { () throws(BPF.Failure) in
        var round = seed
        while !stop.isSet {
          try request(round, of: one, on: wire)
          round += seed
        }
      }
    }
    pause(seconds)
    stop.set()
    _ = try tap.end()
    for request in requests { try request.end() }
    #expect(try poller.end())
    over.set()
    one.detach()
    for reader in readers { #expect(try reader.end()) }
    let watcher = Watcher(event)
    #expect(watcher.isReadable == true && one.statistics.addsUp)
    one.setImmediate(false)
    do { try one.attach(to: wire.interface) } catch { Issue.record(error) }
    #expect(watcher.isReadable == false)
    #expect(eventually { Epoch.shared.pendingCount == 0 })
  }

  private func request(_ round: Int, of one: BPF.Descriptor, on wire: Wire) throws(BPF.Failure) {
    do {
      switch round % 13 {
      case 0: one.flush()
      case 1: try one.setProgram(round % 2 == 0 ? whole : nil, flushing: round % 3 == 0)
      case 2: one.setImmediate(round % 2 == 0)
      case 3: try one.setReadTimeout(round % 2 == 0 ? 0 : 300_000)
      case 4: one.setNonBlocking(round % 2 == 0)
      case 5: one.setStampFormat([.microtime, .nanotime.monotonic, .bintime, .none][round % 4])
      case 6: one.cancelPollTimer()
      case 7: _ = one.readableBytes
      case 8: try one.setDirection(BPF.Direction.allCases[round % 3])
      case 9: if round % 7 == 0 { one.detach() }
      case 10: if !one.isAttached { try one.setBufferSize(512 + round % 1024) }
      case 11: _ = one.poll([.readable, .writable])
      default: try one.attach(to: wire.interface)
      }
    } catch {
      // The other thread may have attached it meanwhile.
      if (error as? BPF.Failure)?.errno != EINVAL { throw .system(errno: 0, call: "\(error)") }
    }
  }
}
