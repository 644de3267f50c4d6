// What a tunnel does to a packet where it lies: outer headers, ESP.
import SwBPFESP
import SwBPFInterfaces
import SwBPFKern
import SwBPFPFKey
import SwBPFPackets
import SwBPFTunnels

/// A batch of packets that goes out and comes in again; one half is counted.
final class TunnelWork {
  static let workloads: [(name: String, make: @Sendable () throws -> Workload)] = [
    ("gif-encapsulate", { gif(in: false) }),
    ("gif-decapsulate", { gif(in: true) }),
    ("l2tp-encapsulate", { l2tp(in: false) }),
    ("l2tp-decapsulate", { l2tp(in: true) }),
    ("esp-seal-576", { try esp(in: false) }),
    ("esp-open-576", { try esp(in: true) }),
  ]

  private static let count = 64
  private let batch = PacketBatch(count, size: 2048, headroom: 128)
  private var packets: [PacketRoom]
  private let payload: [UInt8]

  private init(_ payload: [UInt8]) {
    self.payload = payload
    packets = batch.packets
  }

  private func reset() {
    let payload = payload
    for index in packets.indices {
      packets[index].reset(headroom: 128, count: payload.count)
      packets[index].copy(from: payload.span.bytes, at: 0)
    }
  }

  private static let own = IPAddress(v4: 0x0a01_0001)
  private static let other = IPAddress(v4: 0x0a01_0002)

  private static func workload(
    _ work: TunnelWork, in isIn: Bool, _ encapsulate: @escaping () -> Void, _ decapsulate: @escaping () -> Void
  ) -> Workload {
    Workload(
      count: count,
      prepare: {
        work.reset()
        if isIn { encapsulate() }
      }, run: isIn ? decapsulate : encapsulate)
  }

  // MARK: Kinds

  private static func gif(in isIn: Bool) -> Workload {
    let work = TunnelWork(datagram(size: 1200, port: 9, ethernet: false))
    var settings = GifSettings()
    settings.isUp = true
    settings.pair = TunnelPair(source: own, destination: other)
    settings.filtersIngress = false
    var received = settings
    received.pair = TunnelPair(source: other, destination: own)
    var route = RouteAnswer()
    route.interface = 7
    return workload(
      work, in: isIn,
      {
        for index in work.packets.indices {
          let refusal = GifPacket.encapsulate(&work.packets[index], settings, by: route, own: 8)
          precondition(refusal == nil, "a packet that does not go out")
        }
      },
      {
        for index in work.packets.indices {
          guard let outer = OuterInfo.takeIPv4(off: &work.packets[index], interface: 1) else { fatalError("no header") }
          let refusal = GifPacket.decapsulate(&work.packets[index], outer, received, broadcasts: [], back: nil)
          precondition(refusal == nil, "a packet that does not come in")
        }
      })
  }

  private static func l2tp(in isIn: Bool) -> Workload {
    let work = TunnelWork(datagram(size: 1200, port: 9))
    var settings = L2TPSettings()
    settings.isUp = true
    settings.pair = TunnelPair(source: own, destination: other)
    settings.session = L2TPSession(local: 7, remote: 7)
    var received = settings
    received.pair = TunnelPair(source: other, destination: own)
    var route = RouteAnswer()
    route.interface = 7
    return workload(
      work, in: isIn,
      {
        for index in work.packets.indices {
          let refusal = L2TPPacket.encapsulate(&work.packets[index], settings, by: route, own: 8)
          precondition(refusal == nil, "a frame that does not go out")
        }
      },
      {
        for index in work.packets.indices {
          guard let outer = OuterInfo.takeIPv4(off: &work.packets[index], interface: 1) else { fatalError("no header") }
          let refusal = L2TPPacket.decapsulate(&work.packets[index], outer, received, broadcasts: [])
          precondition(refusal == nil, "a frame that does not come in")
        }
      })
  }

  /// AES-128-GCM; libcrypto's instructions are counted, too.
  private static func esp(in isIn: Bool) throws -> Workload {
    let work = TunnelWork([UInt8](repeating: 0x45, count: 574))
    let worker = try ESPWorker()
    let (sender, receiver) = try (association(), association())
    return workload(
      work, in: isIn,
      {
        for index in work.packets.indices {
          let drop = worker.seal(&work.packets[index], with: .passUnretained(sender.0), nextHeader: 4, now: 1)
          precondition(drop == nil, "a packet that is not sealed")
        }
      },
      {
        for index in work.packets.indices {
          guard case .success = worker.open(&work.packets[index], with: .passUnretained(receiver.0), now: 1) else {
            fatalError("a packet that is not opened")
          }
        }
      })
  }

  private static func association() throws -> (Association, KeyEngine) {
    let engine = KeyEngine(epoch: Epoch(), now: 1)
    var new = SecurityAssociation(.esp, spi: 0x1000, from: own, to: other)
    new.encryption = .aesGCM16
    new.encryptionKey = [UInt8](repeating: 1, count: 20)
    new.replay = 32
    try engine.send(new.message(.add, withKeys: true) ?? [], from: engine.open())
    let reader = engine.epoch.reader()
    reader.enter()
    defer { reader.leave() }
    guard let found = engine.association(to: other, spi: 0x1000, proto: .esp)?.takeUnretainedValue() else {
      throw PFKeyError.notFound
    }
    return (found, engine)
  }
}
