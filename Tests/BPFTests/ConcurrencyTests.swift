// Taps, requests and readers at once; run under ThreadSanitizer and AddressSanitizer too.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import Synchronization
import TestSupport
import Testing

@testable import SwBPFBPF

/// How long each race runs.
private let seconds = Requirement.short ? 0.3 : Requirement.sanitizer != nil ? 0.7 : 1.0

/// Taps passes of 16 numbered frames until told to stop. - Returns: frames tapped, by way of `total`.
private func tapper(_ wire: Wire, stop: Flag, total: Counter) -> Thread {
  Thread(name: "tap") {
    var reader = TapReader()
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 * 64, alignment: 8)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0)
    var next: UInt64 = 0
    while !stop.isSet {
      for index in 0..<16 { memory.storeBytes(of: next + UInt64(index), toByteOffset: index * 64 + 8, as: UInt64.self) }
      if reader.begin(wire.point) {
        for index in 0..<16 {
          let bytes = UnsafeRawBufferPointer(rebasing: memory[index * 64..<index * 64 + 64])
          show(bytes, index % 2 == 0 ? .received : .sent, &reader)
        }
        reader.end()
      }
      next += 16
    }
    total.add(next)
  }
}

private final class Counter: Sendable {
  private let value = Atomic<UInt64>(0)
  func add(_ more: UInt64) { value.wrappingAdd(more, ordering: .relaxed) }
  var sum: UInt64 { value.load(ordering: .relaxed) }
}

/// The numbers of the stored frames.
private func numbers(_ descriptor: BPF.Descriptor, into all: inout [UInt64]) {
  while let slot = try? descriptor.takeSlot(rotating: true) {
    // A slot is no sequence.
    // swift-format-ignore: ReplaceForEachWithForLoop
    slot.eachRecord { record in
      all.append(record.frame.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self) })
    }
  }
}

@Suite("Concurrency", .serialized, .timeLimit(.minutes(2)))
struct ConcurrencyTests {
  @Test("C-036, C-040: threads attach, change, detach and close while threads tap; nothing is left")
  func storm() throws {
    let wire = Wire()
    let (stop, total, bad) = (Flag(), Counter(), Counter())
    var threads = (0..<2).map { _ in tapper(wire, stop: stop, total: total) }
    for number in 0..<4 {
      threads.append(
        Thread(name: "requests") {
          var round = number
          while !stop.isSet {
            guard let one = try? descriptor(slotSize: 512, slots: 3) else { return bad.add(1) }
            do {
              try one.attach(to: wire.interface)
              try one.setProgram(round % 2 == 0 ? whole : nothing, flushing: round % 3 == 0)
              try one.setDirection(BPF.Direction.allCases[round % 3])
              if round % 5 == 0 { one.flush() }
              if round % 2 == 0 { one.detach() }
              if round % 7 == 0 { try one.attach(to: wire.interface, cooked: true) }
            } catch { bad.add(1) }
            if !one.statistics.addsUp { bad.add(1) }
            _ = one.drain()
            if !one.statistics.addsUp { bad.add(1) }
            round += 1
          }
        })
    }
    pause(seconds)
    stop.set()
    for thread in threads { thread.join() }
    #expect(bad.sum == 0 && wire.interface.peerCount == 0 && !wire.interface.hasPeers)
    #expect(eventually { Epoch.shared.pendingCount == 0 })
  }

  @Test("C-035: interfaces depart while threads tap and readers sleep")
  func departures() throws {
    let end = monotonicSeconds() + seconds
    var wires: [Wire] = []
    while monotonicSeconds() < end {
      let wire = Wire()
      wires.append(wire)
      let (stop, total) = (Flag(), Counter())
      let peers = try (0..<3).map { _ in try descriptor(slotSize: 512, slots: 3) }
      for peer in peers { try peer.attach(to: wire.interface) }
      let tap = tapper(wire, stop: stop, total: total)
      let readers = peers.map { peer in
        Thread(name: "reader") { while (try? peer.read(timeout: .milliseconds(5))) != nil {} }
      }
      usleep(2000)
      wire.ifnet.depart()
      for reader in readers { reader.join() }
      stop.set()
      tap.join()
      #expect(peers.allSatisfy { !$0.isAttached && $0.statistics.addsUp })
    }
    #expect(eventually { Epoch.shared.pendingCount == 0 })
  }

  @Test("C-038: who stays sees every frame once and in order while others come and go; who leaves sees a run of them")
  func exactlyOnce() throws {
    let wire = Wire()
    let stays = try descriptor(slotSize: 1 << 16, slots: 64)
    try stays.attach(to: wire.interface)
    let (stop, total, bad) = (Flag(), Counter(), Counter())
    let others = Thread(name: "others") {
      while !stop.isSet {
        guard let one = try? descriptor(slotSize: 1 << 16, slots: 64) else { return bad.add(1) }
        do { try one.attach(to: wire.interface) } catch { bad.add(1) }
        usleep(300)
        one.detach()
        var seen: [UInt64] = []
        numbers(one, into: &seen)
        if one.statistics.dropped == 0 && zip(seen, seen.dropFirst()).contains(where: { $1 != $0 + 1 }) { bad.add(1) }
        if seen.count % 16 != 0 && one.statistics.dropped == 0 { bad.add(1) }
      }
    }
    let tap = tapper(wire, stop: stop, total: total)
    var seen: [UInt64] = []
    let end = monotonicSeconds() + seconds
    while monotonicSeconds() < end { numbers(stays, into: &seen) }
    stop.set()
    tap.join()
    others.join()
    numbers(stays, into: &seen)
    let count = stays.statistics
    #expect(bad.sum == 0 && count.addsUp && count.captured == total.sum)
    #expect(count.delivered == UInt64(seen.count) && count.waiting == 0)
    #expect(zip(seen, seen.dropFirst()).allSatisfy { $0 < $1 })
    if count.dropped == 0 { #expect(seen.count == Int(total.sum)) }
    #expect(eventually { Epoch.shared.pendingCount == 0 })
  }

  @Test("every reading of the counters adds up while threads tap, read, flush, toggle and swap programs")
  func readings() throws {
    let wire = Wire()
    let one = try descriptor(slotSize: 1024, slots: 3)
    try one.attach(to: wire.interface)
    let (stop, total, bad) = (Flag(), Counter(), Counter())
    var threads = (0..<2).map { _ in tapper(wire, stop: stop, total: total) }
    threads.append(
      Thread(name: "reader") {
        while !stop.isSet { _ = try? one.read(timeout: .milliseconds(2)) }
      })
    threads.append(
      Thread(name: "requests") {
        var round = 0
        while !stop.isSet {
          round += 1
          do {
            try one.setDirection(BPF.Direction.allCases[round % 3])
            try one.setProgram(round % 2 == 0 ? starting(with: 0) : nothing, flushing: false)
          } catch { bad.add(1) }
          one.setImmediate(round % 2 == 0)
          if round % 50 == 0 { one.flush() }
        }
      })
    let end = monotonicSeconds() + seconds
    var readings = 0
    while monotonicSeconds() < end {
      if !one.statistics.addsUp { bad.add(1) }
      readings += 1
    }
    stop.set()
    for thread in threads { thread.join() }
    #expect(bad.sum == 0 && readings > 10)
    #expect(eventually { Epoch.shared.pendingCount == 0 })
  }
}
