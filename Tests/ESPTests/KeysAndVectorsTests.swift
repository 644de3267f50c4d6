// Vectors never come again under a key, and keys go with their association.
import Glibc
import SwBPFKern
import SwBPFPFKey
import Testing

@testable import SwBPFESP

@Suite struct KeysAndVectorsTests {
  static let counting = [
    Transform(.aesGCM16, 160), Transform(.aesCTR, 288, .hmacSHA384), Transform(.chacha20Poly1305, 288),
  ]

  @Test("a key that is added again, by a restart or by a changed file, meets no vector again", arguments: counting)
  func restarts(_ transform: Transform) throws {
    var seen: Set<UInt64> = []
    let worker = try ESPWorker()
    for _ in 0..<50 {
      let associations = Associations()
      let association = try associations.add(transform, spi: 0x1000)
      for number in 1...20 {
        let packet = try worker.sealed(payload(40), association).get()
        #expect(number32(packet) == UInt32(number))
        #expect(seen.insert(vector64(packet)).inserted)
      }
    }
  }

  @Test("vectors of CBC are never the same and do not follow each other")
  func cbc() throws {
    let association = try Associations().add(Transform(.aesCBC, 128, .hmacSHA256), spi: 0x1000)
    let worker = try ESPWorker()
    let other = try ESPWorker()
    var seen: Set<[UInt8]> = []
    for index in 0..<1000 {
      let packet = try (index % 2 == 0 ? worker : other).sealed(payload(40), association).get()
      #expect(seen.insert(Array(packet[8..<24])).inserted)
    }
    // Each bit of 16 bytes is set in about half of them.
    for bit in 0..<128 {
      let set = seen.count { $0[bit / 8] >> (bit % 8) & 1 == 1 }
      #expect((300...700).contains(set))
    }
  }

  @Test("workers on one association share its numbers: none is lost, none comes twice")
  func workersShare() throws {
    let association = try Associations().add(Transform(.aesGCM16, 160), spi: 0x1000)
    let results = Collected()
    let rounds = 500
    let threads = try (0..<4).map { _ in
      let worker = try ESPWorker()
      return Thread(name: "esp-test") {
        var numbers: [UInt64] = []
        for _ in 0..<rounds {
          guard let packet = try? worker.sealed(payload(64), association).get() else { continue }
          numbers.append(UInt64(number32(packet)) << 32 ^ vector64(packet))
          numbers.append(UInt64(number32(packet)))
        }
        results.add(numbers)
      }
    }
    for thread in threads { thread.join() }
    let numbers = results.all
    #expect(numbers.count == 4 * rounds * 2)
    #expect(Set(stride(from: 1, to: numbers.count, by: 2).map { numbers[$0] }) == Set(1...UInt64(4 * rounds)))
    #expect(Set(stride(from: 0, to: numbers.count, by: 2).map { numbers[$0] }).count == 4 * rounds)
  }

  @Test("an association that goes takes keys and contexts with it")
  func gone() throws {
    let associations = Associations()
    let worker = try ESPWorker()
    weak var state: ESPState?
    var keys: [KeyMaterial] = []
    do {
      let association = try associations.add(Transform(.aesCBC, 128, .hmacSHA256), spi: 0x1000)
      _ = try worker.opened(worker.sealed(payload(64), association).get(), association).get()
      state = ESPState.of(.passUnretained(association)).takeUnretainedValue()
      keys = [association.encryptionKey, association.authenticationKey]
    }
    #expect(state != nil)
    #expect(keys.allSatisfy { !$0.isErased })
    associations.flush()
    while associations.engine.epoch.pendingCount > 0 { usleep(1000) }
    #expect(associations.find(0x1000) == nil)
    #expect(state == nil)
    #expect(keys.allSatisfy { $0.isErased && $0.copy().allSatisfy { $0 == 0 } })
  }
}

/// What threads have found.
private final class Collected: @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  private var numbers: [UInt64] = []

  func add(_ more: [UInt64]) { lock.withLock { numbers += more } }
  var all: [UInt64] { lock.withLock { numbers } }
}
