// What ESP costs a packet, per transform and size. `Benchmarks/run esp` builds and runs it and asks `openssl speed` for the
// same in turns; no network, no root.
import Glibc
import SwBPFESP
import SwBPFKern
import SwBPFPFKey
import SwBPFPackets

@main
struct ESPBench {
  /// Prints `transform size seal open` in ns of processor time per packet, the fastest of the rounds.
  /// Arguments: a transform as `openssl speed` names it, and how many bytes are encrypted, trailer included: multiples of 16.
  static func main() throws {
    // A process with one thread only gets cheaper mutexes than any of ours.
    let idle = Thread(name: "idle") { while true { sleep(3600) } }
    let words = Array(CommandLine.arguments.dropFirst())
    guard let name = words.first, let transform = Transform(name) else {
      print("usage: ESPBench \(Transform.names.joined(separator: "|")) SIZE…")
      return
    }
    let pair = try Pair(transform)
    for size in words.dropFirst().compactMap({ Int($0) }) {
      var seal = Double.infinity
      var open = Double.infinity
      for _ in 0..<15 {
        let cost = pair.run(size: size, times: 20000)
        seal = min(seal, cost.seal)
        open = min(open, cost.open)
      }
      print(name, size, (seal * 10).rounded() / 10, (open * 10).rounded() / 10)
    }
    withExtendedLifetime(idle) {}
  }
}

struct Transform {
  static let names = [
    "aes-128-gcm", "aes-256-gcm", "chacha20-poly1305", "aes-128-cbc+sha256", "aes-128-ctr+sha256", "sha256",
  ]

  let encryption: EncryptionAlgorithm
  let keyLength: Int
  let authentication: AuthenticationAlgorithm

  init?(_ name: String) {
    switch name {
    case "aes-128-gcm": (encryption, keyLength, authentication) = (.aesGCM16, 20, .none)
    case "aes-256-gcm": (encryption, keyLength, authentication) = (.aesGCM16, 36, .none)
    case "chacha20-poly1305": (encryption, keyLength, authentication) = (.chacha20Poly1305, 36, .none)
    case "aes-128-cbc+sha256": (encryption, keyLength, authentication) = (.aesCBC, 16, .hmacSHA256)
    case "aes-128-ctr+sha256": (encryption, keyLength, authentication) = (.aesCTR, 20, .hmacSHA256)
    case "sha256": (encryption, keyLength, authentication) = (.null, 0, .hmacSHA256)
    default: return nil
    }
  }
}

/// A sender and a receiver with the same keys.
final class Pair {
  private let out: Association
  private let taken: Association
  private let engines: [KeyEngine]
  private let worker: ESPWorker
  private let batch = PacketBatch(64, size: 2048, headroom: 64)

  init(_ transform: Transform) throws {
    worker = try ESPWorker()
    engines = [KeyEngine(epoch: Epoch(), now: 1), KeyEngine(epoch: Epoch(), now: 1)]
    var associations: [Association] = []
    for engine in engines {
      engine[.chacha20Poly1305] = true
      var new = SecurityAssociation(
        .esp, spi: 0x1000, from: IPAddress(v4: 0x0a00_0001), to: IPAddress(v4: 0x0a00_0002))
      new.encryption = transform.encryption
      new.authentication = transform.authentication
      new.encryptionKey = [UInt8](repeating: 1, count: transform.keyLength)
      new.authenticationKey = [UInt8](repeating: 2, count: transform.authentication.keyBits[0] / 8)
      new.replay = 32
      try engine.send(new.message(.add, withKeys: true) ?? [], from: engine.open())
      let reader = engine.epoch.reader()
      reader.enter()
      let found = engine.association(to: new.destination, spi: 0x1000, proto: .esp)?.takeUnretainedValue()
      reader.leave()
      guard let found else { throw PFKeyError.notFound }
      associations.append(found)
    }
    (out, taken) = (associations[0], associations[1])
  }

  /// ns of processor time per packet with so many encrypted bytes.
  func run(size: Int, times: Int) -> (seal: Double, open: Double) {
    var costs: (seal: Int64, open: Int64) = (0, 0)
    var packets = batch.packets
    let rounds = times / packets.count
    for _ in 0..<rounds {
      for index in packets.indices { packets[index].reset(headroom: 64, count: size - 2) }
      let begin = Pair.processorTime()
      for index in packets.indices {
        precondition(worker.seal(&packets[index], with: .passUnretained(out), nextHeader: 4, now: 1) == nil)
      }
      let middle = Pair.processorTime()
      for index in packets.indices {
        guard case .success = worker.open(&packets[index], with: .passUnretained(taken), now: 1) else {
          fatalError("not taken")
        }
      }
      costs.seal += middle - begin
      costs.open += Pair.processorTime() - middle
    }
    let count = Double(rounds * packets.count)
    return (Double(costs.seal) / count, Double(costs.open) / count)
  }

  private static func processorTime() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
