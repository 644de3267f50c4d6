// Lookups of the key engine: they should cost the same with one entry and with thousands.
import Glibc
import SwBPFKern
import SwBPFPFKey
import SwBPFPackets

enum PFKeyRows {
  static let own = IPAddress(v4: 0x0a00_0001)
  static let upper: UInt8 = 4

  /// The address of a peer.
  static func peer(_ number: Int) -> IPAddress { IPAddress(v4: 0x0b00_0000 + UInt32(number)) }

  static func run(rounds: Int) {
    associations(rounds: rounds)
    policies(rounds: rounds)
  }

  /// Each to a peer of its own, with an SPI and a reqid of its own.
  private static func associations(rounds: Int) {
    let counts = [1, 1000, 100_000]
    let engines = counts.map { count in
      engine(count) { number in
        var new = SecurityAssociation(.esp, spi: UInt32(1000 + number), from: own, to: peer(number))
        new.mode = .transport
        new.reqid = UInt16(truncatingIfNeeded: number % 16000 + 1)
        new.encryption = .aesCBC
        new.encryptionKey = [UInt8](repeating: 1, count: 16)
        new.authentication = .hmacSHA256
        new.authenticationKey = [UInt8](repeating: 2, count: 32)
        return new.message(.add, withKeys: true)
      }
    }
    Table.show(
      "association of a packet that came, by (destination, SPI, protocol)", rounds: rounds,
      [Yardstick().pair]
        + zip(counts, engines).map { count, engine in
          let reader = ReaderBox(engine)
          return Contestant("\(count) associations") { times in
            reader.reader.enter()
            var found = 0
            var number = 0
            for _ in 0..<times {
              number = next(number, count)
              if engine.association(to: peer(number), spi: UInt32(1000 + number), proto: .esp) != nil { found += 1 }
            }
            reader.reader.leave()
            precondition(found == times)
          }
        })
    Table.show(
      "association for a packet to send, by (source, destination, protocol, reqid)", rounds: rounds,
      [Yardstick().pair]
        + zip(counts, engines).map { count, engine in
          let reader = ReaderBox(engine)
          return Contestant("\(count) associations") { times in
            reader.reader.enter()
            var found = 0
            var number = 0
            for _ in 0..<times {
              number = next(number, count)
              let request = PolicyRequest(.esp, .transport, .unique, reqid: UInt16(number % 16000 + 1))
              if engine.association(for: request, from: Endpoint(own), to: Endpoint(peer(number))) != nil { found += 1 }
            }
            reader.reader.leave()
            precondition(found == times)
          }
        })
  }

  /// Each for one pair of addresses; then as many for ranges, which are walked through.
  private static func policies(rounds: Int) {
    let counts = [1, 100, 10_000]
    for (title, prefix, times) in [
      ("policy for one pair of addresses", nil, 1_000_000), ("policy for ranges, walked through", 31 as UInt8, 2000),
    ] as [(String, UInt8?, Int)] {
      let contestants = counts.map { count in
        let engine = engine(count) { number in
          let range = AddressRange(peer(2 * number), prefix: prefix)
          return SecurityPolicy(Selector(.outbound, from: AddressRange(own), to: range, upper: upper), .discard)
            .addMessage()
        }
        let reader = ReaderBox(engine)
        return Contestant("\(count) policies") { times in
          reader.reader.enter()
          var found = 0
          var number = 0
          for _ in 0..<times {
            number = next(number, count)
            let to = Endpoint(peer(2 * number))
            if engine.match(.outbound, from: Endpoint(own), to: to, upper: upper) != nil { found += 1 }
          }
          reader.reader.leave()
          precondition(found == times)
        }
      }
      Table.show(title, rounds: rounds, times: times, [Yardstick().pair] + contestants)
    }
  }

  /// Steps through so many entries in an order that no cache foresees.
  @inline(__always) private static func next(_ number: Int, _ count: Int) -> Int { (number + 7919) % count }

  private static func engine(_ count: Int, _ message: (Int) -> [UInt8]?) -> KeyEngine {
    let engine = KeyEngine(now: 1000)
    let socket = engine.open()
    for number in 0..<count {
      guard let bytes = message(number) else { fatalError("no message") }
      do {
        try engine.send(bytes, from: socket)
      } catch { fatalError("\(error)") }
      guard let answer = socket.receive(), answer[2] == 0 else { fatalError("entry \(number) was refused") }
    }
    return engine
  }

  private final class ReaderBox {
    let reader: Epoch.Reader
    init(_ engine: KeyEngine) { reader = engine.epoch.reader() }
  }
}
