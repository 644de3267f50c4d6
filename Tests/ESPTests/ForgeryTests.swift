// What is not as it was sent does not get through.
import SwBPFESP
import SwBPFPFKey
import Testing

@Suite struct ForgeryTests {
  let associations = Associations()

  /// Looks the packet's SPI up, as an input routine does.
  private func input(_ packet: [UInt8], _ worker: ESPWorker) -> Result<Opened, ESPDrop> {
    guard let association = associations.find(packet[..<4].reduce(0) { $0 << 8 | UInt32($1) }) else {
      worker.counts[.noAssociation] += 1
      return .failure(.noAssociation)
    }
    return worker.opened(packet, association)
  }

  @Test("T-138 a packet with any bit changed is a counted drop, with every transform", arguments: Transform.protecting)
  func flips(_ transform: Transform) throws {
    let worker = try ESPWorker()
    for flags in [[], .extendedSequence] as [SAFlags] {
      let association = try associations.add(
        transform, spi: flags.isEmpty ? 0x8001_0000 : 0x8002_0040, replay: 4, flags: flags)
      // Numbers in front of the window, in it and behind it differ in what refuses them.
      association.sequence.store(100, ordering: .relaxed)
      #expect(try input(worker.sealed(payload(40), association).get(), worker).get().payload == payload(40))
      let packet = try worker.sealed(payload(40), association).get()
      var expected = worker.counts
      for bit in 0..<packet.count * 8 {
        var changed = packet
        changed[bit / 8] ^= 1 << (bit % 8)
        let result = input(changed, worker)
        switch bit / 8 {
        case ..<4: #expect(result == .failure(.noAssociation))
        // The high bits first: what is low enough is late, what has come is a replay.
        case 4..<8: #expect([.failure(.authentication), .failure(.late), .failure(.replayed)].contains(result))
        default: #expect(result == .failure(.authentication))
        }
        guard case .failure(let drop) = result else { continue }
        expected[drop] += 1
      }
      #expect(worker.counts == expected)
      // T-137: none of them moved the window.
      #expect(try input(packet, worker).get().payload == payload(40))
    }
  }

  @Test("any other length of a packet is a counted drop", arguments: Transform.protecting)
  func lengths(_ transform: Transform) throws {
    let worker = try ESPWorker()
    let association = try associations.add(transform, spi: 0x8001_0000, replay: 4)
    let packet = try worker.sealed(payload(60), association).get()
    for length in 0..<packet.count {
      let result = worker.opened(Array(packet[..<length]), association)
      #expect(result == .failure(.length) || result == .failure(.authentication))
    }
    for more in 1..<40 {
      let result = worker.opened(packet + [UInt8](repeating: 0, count: more), association)
      #expect(result == .failure(.length) || result == .failure(.authentication))
    }
    #expect(worker.counts.dropped == UInt64(packet.count + 39))
    #expect(try worker.opened(packet, association).get().payload == payload(60))
  }

  @Test(
    "T-137 forged packets with high numbers move no window, with every transform", arguments: Transform.protecting,
    [[], .extendedSequence] as [SAFlags])
  func high(_ transform: Transform, _ flags: SAFlags) throws {
    let worker = try ESPWorker()
    let association = try associations.add(transform, spi: 0x8001_0000, replay: 4, flags: flags)
    var held: [[UInt8]] = []
    for _ in 0..<40 {
      let packet = try worker.sealed(payload(24), association).get()
      held.append(packet)
      for number in [UInt32.max, 0x8000_0000, number32(packet) + 1, number32(packet) + 32, number32(packet) + 1000] {
        var forged = packet
        for index in 0..<4 { forged[4 + index] = UInt8(truncatingIfNeeded: number >> (24 - 8 * index)) }
        #expect(worker.opened(forged, association) == .failure(.authentication))
      }
    }
    for packet in held[8...] { #expect(try worker.opened(packet, association).get().payload == payload(24)) }
    // An extended number that is late looks like one of 2^32 later, whose check value is another one.
    let late = flags.isEmpty ? ESPDrop.late : .authentication
    for packet in held[..<8] { #expect(worker.opened(packet, association) == .failure(late)) }
    for packet in held[8...] { #expect(worker.opened(packet, association) == .failure(.replayed)) }
  }

  @Test("T-136 with a window a packet comes once, late ones and number 0 not at all; without one all come")
  func replays() throws {
    let worker = try ESPWorker()
    let transform = Transform(.aesGCM16, 160)
    let window = try associations.add(transform, spi: 0x1000, replay: 4)
    let none = try associations.add(transform, spi: 0x2000) { $0.encryptionKey[0] ^= 1 }
    for association in [window, none] {
      // Number 0 is one that no sender of ours has: a cyclic one would.
      association.sequence.store(.max, ordering: .relaxed)
    }
    let zero = try associations.add(transform, spi: 0x3000, flags: .cyclicSequence) { $0.encryptionKey[0] ^= 2 }
    let zeroChecked = try associations.add(Transform(.null, 0, .hmacSHA256), spi: 0x4000, replay: 4)
    let zeroSender = try associations.add(
      Transform(.null, 0, .hmacSHA256), spi: 0x5000, flags: .cyclicSequence
    ) { $0.authenticationKey = (0..<32).map { 128 + $0 } }
    for sender in [zero, zeroSender] { sender.sequence.store(UInt64(UInt32.max), ordering: .relaxed) }
    let cyclic = try worker.sealed(payload(9), zeroSender).get()
    #expect(number32(cyclic) == 0)
    #expect(worker.opened(cyclic, zeroChecked) == .failure(.late))
    #expect(try worker.opened(cyclic, zeroSender).get().payload == payload(9))
    let packet = try worker.sealed(payload(9), zero).get()
    for _ in 0..<3 { #expect(try worker.opened(packet, zero).get().payload == payload(9)) }

    for association in [window, none] { association.sequence.store(0, ordering: .relaxed) }
    let packets = try (0..<50).map { _ in try worker.sealed(payload(30), window).get() }
    #expect(try worker.opened(packets[45], window).get().payload == payload(30))
    for index in 0..<50 {
      let result = worker.opened(packets[index], window)
      switch index {
      case ...13: #expect(result == .failure(.late))
      case 45: #expect(result == .failure(.replayed))
      default: #expect(try result.get().payload == payload(30))
      }
    }
    let free = try (0..<50).map { _ in try worker.sealed(payload(30), none).get() }
    for packet in free.reversed() + free { #expect(try worker.opened(packet, none).get().payload == payload(30)) }
    #expect(ESPDrop.late.errno == ESPDrop.replayed.errno)
  }
}
