// What comes out of an l2tp: judged, tapped, given to the system. (`in_l2tp_input`, `l2tp_input`)
// Used by the input worker.
import Glibc
import SwBPFBPF
import SwBPFKern
import SwBPFPFKey
import SwBPFPackets
import Synchronization

/// Packets of one batch. Those of one interface that came one after the other are a pass.
struct L2TPInput: ~Copyable {
  private let shared: TunnelShared
  /// The packets of the pass.
  private var packets: [PacketRoom] = []
  private var outers: [OuterInfo] = []
  private var reader = TapReader()
  /// What is behind the Ethernet headers of frames that have the same one.
  private var inner: [PacketRoom] = []
  private var coalescer = Coalescer(capacity: L2TPInput.batch)
  private let parts = PacketParts(capacity: L2TPInput.batch)
  private let keys: KeyEngine
  private let questions: KeyQuestions

  /// Packets of a batch at most.
  static let batch = 128

  init(_ shared: TunnelShared, _ keys: KeyEngine) {
    self.shared = shared
    self.keys = keys
    questions = KeyQuestions(keys)
  }

  /// Carries messages that came out of ESP, where policies of l2tp's outer packets ask for it.
  mutating func take(
    opened: [PacketRoom], _ infos: [OuterInfo], _ table: TunnelTable, _ broadcasts: [UInt32]
  ) {
    var current = -1
    for index in opened.indices {
      guard let number = number(opened[index], table) else { continue }
      if number != current {
        pass(current, table, broadcasts)
        current = number
      }
      packets.append(opened[index])
      outers.append(infos[index])
    }
    pass(current, table, broadcasts)
  }

  /// Carries what waits at a socket, up to a batch.
  /// - Returns: how many packets came.
  mutating func serve(_ receiver: RawReceiver, _ table: TunnelTable, _ broadcasts: [UInt32]) -> Int {
    guard let count = try? receiver.receive() else { return 0 }
    var current = -1
    for index in 0..<count {
      guard let (outer, packet) = receiver.take(index), let number = number(packet, table) else { continue }
      if keys.hasPolicies, let drop = refusal(outer) {
        refuse(number, drop, table)
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

  /// The tunnel that a packet is for. Control messages, and what is for nobody, are for others who listen to the protocol: the
  /// system gives them copies of their own. (`rip_input`)
  private func number(_ packet: borrowing PacketRoom, _ table: TunnelTable) -> Int? {
    guard case .session(let id) = L2TPPacket.recipient(packet) else { return nil }
    if let number = table.number(of: id) { return number }
    stray()
    return nil
  }

  /// What policies say of a message that came without ESP.
  @inline(never)
  private func refusal(_ outer: OuterInfo) -> IPsecDrop? {
    questions.mayEnterClear(
      outer, upper: L2TPPacket.transport, now: UInt64(max(0, Clock.wall() / 1_000_000_000)))
  }

  @inline(never)
  private func refuse(_ number: Int, _ drop: IPsecDrop, _ table: TunnelTable) {
    stray()
    guard let l2tp = table.l2tps[number] else { return }
    var counts = TunnelCounts()
    counts.refused = 1
    l2tp.counters.add(counts)
    l2tp.trouble.note(.ipsecInput(drop))
  }

  /// (NOL2TP)
  private func stray() { shared.strays.wrappingAdd(1, ordering: .relaxed) }

  @inline(never)
  private mutating func pass(_ number: Int, _ table: TunnelTable, _ broadcasts: [UInt32]) {
    guard !packets.isEmpty else { return }
    defer {
      packets.removeAll(keepingCapacity: true)
      outers.removeAll(keepingCapacity: true)
    }
    guard let l2tp = table.l2tps[number] else { return }
    let settings = l2tp.variant.value
    var counts = TunnelCounts()
    let kept = judge(l2tp, settings, broadcasts, &counts)
    if kept > 0 && l2tp.point.hasPeers { tap(kept, l2tp) }
    deliver(kept, l2tp, settings, &counts)
    l2tp.counters.add(counts)
  }

  /// Leaves the frames that the interface takes, in their order.
  /// - Returns: how many.
  @inline(never)
  private mutating func judge(
    _ l2tp: L2TP, _ settings: L2TPSettings, _ broadcasts: [UInt32], _ counts: inout TunnelCounts
  ) -> Int {
    var kept = 0
    for index in packets.indices {
      var packet = packets[index]
      if let drop = L2TPPacket.decapsulate(&packet, outers[index], settings, broadcasts: broadcasts) {
        counts.refused += 1
        l2tp.trouble.note(.input(drop))
        if drop != .cookie && drop != .truncated { stray() }
      } else {
        packets[kept] = packet
        kept += 1
      }
    }
    return kept
  }

  @inline(never)
  private mutating func tap(_ count: Int, _ l2tp: L2TP) {
    guard reader.begin(l2tp.point) else { return }
    for index in 0..<count { packets[index].tapFrame(by: &reader, .received, l2tp.index) }
    reader.end()
  }

  // MARK: To the system

  /// Gives the frames to the system in their order, those of one flow together where their headers are the same.
  @inline(never)
  private mutating func deliver(
    _ kept: Int, _ l2tp: L2TP, _ settings: L2TPSettings, _ counts: inout TunnelCounts
  ) {
    var first = 0
    while first < kept {
      var end = first + 1
      if settings.coalesces && EthernetFrame.isIP(packets[first].bytes) {
        while end < kept, EthernetFrame.haveOneHeader(packets[first].bytes, packets[end].bytes) { end += 1 }
      }
      if end - first > 1 {
        deliverTogether(first, end, l2tp, &counts)
      } else {
        let error = queue(of: packets[first], l2tp).write(packets[first])
        note(error, l2tp, packets[first].count, &counts)
      }
      first = end
    }
  }

  /// Frames with the same Ethernet header, without tags.
  @inline(never)
  private mutating func deliverTogether(_ first: Int, _ end: Int, _ l2tp: L2TP, _ counts: inout TunnelCounts) {
    let header = EthernetFrame.headerLength
    gather(first, end)
    coalescer.arrange(inner, inner.count, isOn: true)
    for index in coalescer.runs.indices {
      let run = coalescer.runs[index]
      guard run.count > 1 else {
        let frame = packets[first + run.first]
        note(queue(of: frame, l2tp).write(frame), l2tp, frame.count, &counts)
        continue
      }
      let headers = coalescer.headerLength(of: run)
      var offload = coalescer.join(run, &inner, mtu: .max)
      if let (start, offset) = offload.checksum { offload.checksum = (start + UInt16(header), offset) }
      let frame = packets[first + run.first]
      parts.removeAll()
      // The same memory, from the Ethernet header on.
      parts.add(frame, from: 0)
      var place = run.first
      while let next = coalescer.place(after: place) {
        parts.add(inner[next], from: headers)
        place = next
      }
      let error = queue(of: frame, l2tp).write(parts, offload, headerLength: headers + header)
      // A run counts as the frames that came.
      var counted: Int? = run.first
      while let next = counted {
        note(error, l2tp, packets[first + next].count, &counts)
        counted = coalescer.place(after: next)
      }
    }
  }

  @inline(never)
  private mutating func gather(_ first: Int, _ end: Int) {
    inner.removeAll(keepingCapacity: true)
    for index in first..<end {
      inner.append(packets[index])
      inner[index - first].removeFirst(EthernetFrame.headerLength)
    }
  }

  /// The queue of a flow: the system sends what it answers by the same one.
  private func queue(of frame: borrowing PacketRoom, _ l2tp: L2TP) -> TunDevice.Inlet {
    let count = l2tp.inlets.count
    return l2tp.inlets[count == 1 ? 0 : Int(EthernetFrame.flow(frame.bytes)) % count]
  }

  private func note(_ error: CInt, _ l2tp: L2TP, _ size: Int, _ counts: inout TunnelCounts) {
    if error == 0 {
      counts.received(size)
    } else {
      counts.inputDrops += 1
      l2tp.trouble.note(.deliver(error))
    }
  }
}
