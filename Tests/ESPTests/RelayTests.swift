// A way that loses, doubles and re-orders: what arrives is what should, once.
import Glibc
import SwBPFESP
import SwBPFPFKey
import SwBPFPackets
import Testing

@Suite struct RelayTests {
  /// 10^6 packets with SWBPF_LONG=1.
  static let count = getenv("SWBPF_LONG") == nil ? 3000 : 1_000_000

  @Test(
    "exactly the right packets come through a relay that re-orders, doubles and loses",
    arguments: [
      (Transform(.aesGCM16, 160), SAFlags(), UInt8(4), UInt64(0)),
      (Transform(.chacha20Poly1305, 288), .extendedSequence, 8, UInt64(UInt32.max) - 2000),
      (Transform(.aesCBC, 128, .hmacSHA256), .extendedSequence, 64, UInt64(UInt32.max) - 1000),
      (Transform(.aesCTR, 160, .hmacSHA384), SAFlags(), 32, 0),
    ])
  func relay(_ transform: Transform, _ flags: SAFlags, _ replay: UInt8, _ start: UInt64) throws {
    let near = Associations()
    let far = Associations()
    let sender = try ESPWorker()
    let receiver = try ESPWorker()
    let out = try near.add(transform, spi: 0x1000, replay: replay, flags: flags)
    let taken = try far.add(transform, spi: 0x1000, replay: replay, flags: flags)
    out.sequence.store(start, ordering: .relaxed)
    var random = SplitMix(seed: UInt64(replay))
    let size = UInt64(replay) * 8
    // An extended number that is late looks like one of 2^32 later, whose check value is another one.
    let late = flags.contains(.extendedSequence) ? ESPDrop.authentication : .late
    var waiting: [(number: UInt64, packet: [UInt8])] = []
    // Those that take a longer way than the window is wide.
    var slow: [(number: UInt64, packet: [UInt8])] = []
    var arrived: Set<UInt64> = []
    var top: UInt64 = 0
    var counts = ESPCounts()
    var wrong = 0

    func deliver(_ one: (number: UInt64, packet: [UInt8])) {
      let (number, packet) = one
      let expected: Result<Opened, ESPDrop>
      if top >= size && number <= top - size {
        expected = .failure(late)
        counts[late] += 1
      } else if arrived.contains(number) {
        expected = .failure(.replayed)
        counts[.replayed] += 1
      } else {
        expected = .success(Opened(payload: text(number), nextHeader: 41))
        arrived.insert(number)
        top = max(top, number)
        counts.receivedPackets += 1
        counts.receivedBytes += UInt64(text(number).count)
      }
      if receiver.opened(packet, taken) != expected { wrong += 1 }
    }

    for number in (start + 1)...(start + UInt64(RelayTests.count)) {
      let packet = try sender.sealed(text(number), out, nextHeader: 41).get()
      if random.next() % 50 == 0 { continue }
      if random.next() % 50 == 0 { slow.append((number, packet)) }
      if random.next() % 50 != 0 { waiting.append((number, packet)) }
      while let first = slow.first, first.number + 3 * size < number { deliver(slow.removeFirst()) }
      while waiting.count > Int(size) * 3 / 4 + 4 {
        // Most go near the front; some stay for long.
        let index = Int(random.next() % (random.next() % 4 == 0 ? UInt64(waiting.count) : 20))
        deliver(waiting[index])
        if random.next() % 20 != 0 { waiting.remove(at: index) }
      }
    }
    for one in waiting { deliver(one) }
    #expect(wrong == 0)
    #expect(receiver.counts == counts)
    #expect(counts[late] > 0 && counts[.replayed] > 0)
    #expect(arrived.count > RelayTests.count / 2)
  }

  private func text(_ number: UInt64) -> [UInt8] {
    (0..<(8 + Int(number % 40))).map { UInt8(truncatingIfNeeded: number >> UInt64($0 % 8 * 8)) }
  }
}
