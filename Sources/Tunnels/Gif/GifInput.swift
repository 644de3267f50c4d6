// What comes out of a gif: judged, tapped, given to the system. (`in_gif_input`, `in6_gif_input`, `gif_input`)
// Used by the input worker.
import Glibc
import SwBPFBPF
import SwBPFKern
import SwBPFPFKey
import SwBPFPackets
import Synchronization

/// Packets of one batch. Those of one interface that came one after the other are a pass.
struct GifInput: ~Copyable {
  private let shared: TunnelShared
  /// The packets of the pass.
  private var packets: [PacketRoom] = []
  private var outers: [OuterInfo] = []
  private var reader = TapReader()
  private var coalescer = Coalescer(capacity: GifInput.batch)
  private let parts = PacketParts(capacity: GifInput.batch)
  private let keys: KeyEngine
  private let questions: KeyQuestions

  /// Packets of a batch at most.
  static let batch = 128

  init(_ shared: TunnelShared, _ keys: KeyEngine) {
    self.shared = shared
    self.keys = keys
    questions = KeyQuestions(keys)
  }

  /// Carries packets that came out of ESP, where policies of gif's outer packets ask for it. (`ipsec4_common_input_cb`)
  /// - Parameter outers: with what is inside as the transport.
  mutating func take(
    opened: [PacketRoom], _ infos: [OuterInfo], _ table: TunnelTable, _ broadcasts: [UInt32]
  ) {
    var current = -1
    for index in opened.indices {
      guard let pair = infos[index].pair, let number = table.number(of: pair) else {
        stray(1)
        continue
      }
      if number != current {
        pass(current, table, broadcasts, isOpened: true)
        current = number
      }
      packets.append(opened[index])
      outers.append(infos[index])
    }
    pass(current, table, broadcasts, isOpened: true)
  }

  /// Carries what waits at a socket, up to a batch.
  /// - Returns: how many packets came.
  mutating func serve(_ receiver: RawReceiver, _ table: TunnelTable, _ broadcasts: [UInt32]) -> Int {
    guard let count = try? receiver.receive() else { return 0 }
    var current = -1
    for index in 0..<count {
      guard let (outer, packet) = receiver.take(index), let pair = outer.pair else {
        stray(1)
        continue
      }
      if let number = table.ipsecTable.first(of: pair) {
        refuseClear(number, table)
        continue
      }
      guard let number = table.number(of: pair) else {
        stray(1)
        continue
      }
      if number != current {
        pass(current, table, broadcasts)
        current = number
      }
      packets.append(packet)
      outers.append(outer)
    }
    pass(current, table, broadcasts)
    return count
  }

  /// Between these addresses policies demand ESP, and the packet came without. (`ipsec4_in_reject`)
  @inline(never)
  private func refuseClear(_ number: Int, _ table: TunnelTable) {
    stray(1)
    guard let ipsec = table.ipsecs[number] else { return }
    var counts = TunnelCounts()
    counts.refused = 1
    ipsec.counters.add(counts)
    ipsec.trouble.note(.ipsecInput(.clear))
  }

  private func stray(_ count: Int) { shared.strays.wrappingAdd(UInt64(count), ordering: .relaxed) }

  /// - Parameter isOpened: they came out of ESP.
  @inline(never)
  private mutating func pass(
    _ number: Int, _ table: TunnelTable, _ broadcasts: [UInt32], isOpened: Bool = false
  ) {
    guard !packets.isEmpty else { return }
    defer {
      packets.removeAll(keepingCapacity: true)
      outers.removeAll(keepingCapacity: true)
    }
    guard let gif = table.gifs[number] else { return stray(packets.count) }
    if !isOpened, keys.hasPolicies, let drop = refusal() { return refuseAll(gif, drop) }
    let settings = gif.variant.value
    var counts = TunnelCounts()
    let kept = judge(gif, settings, broadcasts, &counts)
    if kept > 0 && gif.point.hasPeers { tap(kept, gif) }
    deliver(kept, gif, settings, &counts)
    gif.counters.add(counts)
  }

  /// What policies say of the pass without ESP: all its packets have the same addresses and are the same.
  @inline(never)
  private func refusal() -> IPsecDrop? {
    guard let outer = outers.first else { return nil }
    return questions.mayEnterClear(
      outer, upper: outer.transport, now: UInt64(max(0, Clock.wall() / 1_000_000_000)))
  }

  @inline(never)
  private func refuseAll(_ gif: Gif, _ drop: IPsecDrop) {
    stray(packets.count)
    var counts = TunnelCounts()
    counts.refused = UInt64(packets.count)
    gif.counters.add(counts)
    gif.trouble.note(.ipsecInput(drop))
  }

  /// Gives the packets to the system, those of one flow together.
  @inline(never)
  private mutating func deliver(_ kept: Int, _ gif: Gif, _ settings: GifSettings, _ counts: inout TunnelCounts) {
    coalescer.arrange(packets, kept, isOn: settings.coalesces && kept > 1)
    for index in coalescer.runs.indices {
      let run = coalescer.runs[index]
      let queue = gif.inlets[queue(of: packets[run.first], gif.inlets.count)]
      let error: CInt
      // A run counts as the packets that came; what the system had put together before is one.
      var place: Int? = run.first
      if run.count == 1 && !run.isUndone {
        error = queue.write(packets[run.first])
      } else {
        let headers = coalescer.headerLength(of: run)
        let offload = coalescer.join(run, &packets, mtu: settings.mtu)
        parts.removeAll()
        parts.add(packets[run.first], from: 0)
        while let last = place, let next = coalescer.place(after: last) {
          parts.add(packets[next], from: headers)
          place = next
        }
        error = queue.write(parts, offload, headerLength: headers)
        place = run.first
      }
      if error == 0 {
        while let next = place {
          counts.received(packets[next].count)
          place = coalescer.place(after: next)
        }
      } else {
        counts.inputDrops += UInt64(run.count)
        gif.trouble.note(.deliver(error))
      }
    }
  }

  /// Leaves the packets that the interface takes, in their order.
  /// - Returns: how many.
  @inline(never)
  private mutating func judge(
    _ gif: Gif, _ settings: GifSettings, _ broadcasts: [UInt32], _ counts: inout TunnelCounts
  ) -> Int {
    var back: RouteAnswer?
    if settings.filtersIngress, let pair = settings.pair {
      back = gif.routes.lookup(pair.destination, from: pair.source)
    }
    var kept = 0
    for index in packets.indices {
      var packet = packets[index]
      if let drop = GifPacket.decapsulate(&packet, outers[index], settings, broadcasts: broadcasts, back: back) {
        counts.refused += 1
        gif.trouble.note(.input(drop))
      } else {
        packets[kept] = packet
        kept += 1
      }
    }
    if counts.refused > 0 { stray(Int(counts.refused)) }
    return kept
  }

  @inline(never)
  private mutating func tap(_ count: Int, _ gif: Gif) {
    guard reader.begin(gif.point) else { return }
    for index in 0..<count { packets[index].tap(by: &reader, .received, gif.index) }
    reader.end()
    for index in 0..<count { packets[index].removeFirst(4) }
  }

  /// The queue of a flow: the system sends what it answers by the same one.
  private func queue(of packet: borrowing PacketRoom, _ count: Int) -> Int {
    if count == 1 { return 0 }
    let bytes = packet.bytes
    var hash: UInt64 = 0
    if bytes.u8(at: 0) >> 4 == 6 {
      hash = bytes.be64(at: 16) ^ bytes.be64(at: 32)
      if bytes.byteCount >= 44 { hash ^= UInt64(bytes.be32(at: 40)) << 17 }
    } else {
      hash = bytes.be64(at: 12)
      // Fragments of one packet have no ports but the first.
      if bytes.be16(at: 6) & 0x3fff == 0, bytes.byteCount >= 24 { hash ^= UInt64(bytes.be32(at: 20)) << 17 }
    }
    return Int(hash.multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15).low >> 32) % count
  }
}
