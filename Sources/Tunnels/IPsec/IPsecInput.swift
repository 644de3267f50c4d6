// What comes out of an ipsec interface: found, decrypted, judged, tapped, given to the system. (`ipsecif4_input`, `if_ipsec_input`)
// Used by the input worker.
import Glibc
import SwBPFBPF
import SwBPFESP
import SwBPFKern
import SwBPFPFKey
import SwBPFPackets
import Synchronization

/// Packets of one batch. Those of one interface that came one after the other are a pass.
@safe struct IPsecInput: ~Copyable {
  private let shared: IPsecShared
  /// The packets of the pass.
  private var packets: [PacketRoom] = []
  private var outers: [OuterInfo] = []
  private var ports: [NATPorts] = []
  /// What ESP said that they are.
  private var uppers: [UInt8] = []
  private var current = -1
  /// What is `current` while the pass is for tunnels of other kinds.
  private static let others = -2
  private var gif: GifInput
  private var l2tp: L2TPInput
  private var reader = TapReader()
  private var delivery = Delivery(capacity: IPsecInput.batch)
  private let receiver: NATReceiver
  private var questions: KeyQuestions
  /// nil while there is no interface: their number is limited.
  private var esp: ESPWorker?
  // SAFETY: the association of the packet before, which is kept by `held`.
  private var known: Unmanaged<Association>?
  private var held: Association?

  /// Packets of a batch at most.
  static let batch = 128

  init(_ shared: IPsecShared) throws(BPF.Failure) {
    self.shared = shared
    receiver = try NATReceiver()
    questions = KeyQuestions(shared.keys)
    gif = GifInput(shared.tunnels, shared.keys)
    l2tp = L2TPInput(shared.tunnels, shared.keys)
  }

  /// - Parameter isUsed: whether there are interfaces.
  mutating func rest(isUsed: Bool) {
    (unsafe known, held) = (nil, nil)
    if !isUsed { esp = nil }
  }

  /// Carries what waits at a raw socket, up to a batch.
  /// - Returns: how many packets came.
  mutating func serve(_ receiver: RawReceiver, _ table: TunnelTable, _ broadcasts: [UInt32]) -> Int {
    guard let count = try? receiver.receive() else { return 0 }
    for index in 0..<count {
      guard let (outer, packet) = receiver.take(index) else {
        stray(1)
        continue
      }
      add(packet, outer, NATPorts(), table, broadcasts)
    }
    pass(table, broadcasts)
    return count
  }

  /// Carries what waits at a socket of NAT traversal, up to a batch.
  /// - Parameter relay: gets what is not ESP's but for those who negotiate keys.
  /// - Returns: how many packets came.
  mutating func serve(
    _ socket: NATSocket, _ table: TunnelTable, _ broadcasts: [UInt32], _ relay: IKERelay
  ) -> Int {
    var all = 0
    for index in 0..<receiver.receive(socket) {
      guard let piece = receiver.take(index, of: socket) else {
        stray(1)
        continue
      }
      let ports = NATPorts(own: socket.port, peer: piece.port)
      for number in 0..<piece.count {
        let packet = piece.packet(number)
        all += 1
        switch ESPInUDP.kind(of: packet.bytes) {
        case .esp: add(packet, piece.outer, ports, table, broadcasts)
        case .keepalive: noteKeepalive()
        case .ike: relay.take(packet, piece.outer, ports, broadcasts)
        case .short: stray(1)
        }
      }
    }
    pass(table, broadcasts)
    return all
  }

  @inline(never)
  private func noteKeepalive() { shared.natCounters.add(keepalives: 1) }

  /// (NOIPSEC)
  private func stray(_ count: Int) { shared.tunnels.strays.wrappingAdd(UInt64(count), ordering: .relaxed) }

  private mutating func add(
    _ packet: PacketRoom, _ outer: OuterInfo, _ ports: NATPorts, _ table: TunnelTable, _ broadcasts: [UInt32]
  ) {
    guard let pair = outer.pair else { return stray(1) }
    var found = table.ipsecTable.number(of: pair, ports)
    if found == nil, ports.isNone, table.sends(pair) { found = Self.others }
    guard let number = found else { return stray(1) }
    if number != current || packets.count == Self.batch {
      pass(table, broadcasts)
      current = number
    }
    packets.append(packet)
    outers.append(outer)
    self.ports.append(ports)
  }

  @inline(never)
  private mutating func pass(_ table: TunnelTable, _ broadcasts: [UInt32]) {
    guard !packets.isEmpty else { return }
    defer {
      packets.removeAll(keepingCapacity: true)
      outers.removeAll(keepingCapacity: true)
      ports.removeAll(keepingCapacity: true)
      uppers.removeAll(keepingCapacity: true)
    }
    if current == Self.others { return passToOthers(table, broadcasts) }
    guard let ipsec = table.ipsecs[current] else { return stray(packets.count) }
    let settings = ipsec.variant.value
    var counts = TunnelCounts()
    if esp == nil { esp = try? ESPWorker() }
    guard let esp else { return }
    var kept = open(ipsec, settings, esp, &counts)
    shared.counters.add(esp.counts)
    esp.counts = ESPCounts()
    kept = judge(kept, ipsec, settings, broadcasts, &counts)
    if counts.refused > 0 { stray(Int(counts.refused)) }
    if kept > 0 && ipsec.point.hasPeers { tap(kept, ipsec) }
    delivery.deliver(&packets, kept, to: ipsec, coalesces: settings.coalesces, &counts)
    ipsec.counters.add(counts)
  }

  // MARK: For other kinds of tunnels

  /// What comes out of ESP is a gif's or an l2tp's, whose outer packets policies put into it.
  @inline(never)
  private mutating func passToOthers(_ table: TunnelTable, _ broadcasts: [UInt32]) {
    let now = UInt64(max(0, Clock.wall() / 1_000_000_000))
    var (ip, frames) = ([PacketRoom](), [PacketRoom]())
    var (ipOuters, frameOuters) = ([OuterInfo](), [OuterInfo]())
    for index in packets.indices {
      var (packet, outer) = (packets[index], outers[index])
      switch openForOthers(&packet, outer, now) {
      case .success(let upper) where upper == L2TPPacket.transport:
        outer.transport = upper
        frames.append(packet)
        frameOuters.append(outer)
      case .success(let upper):
        outer.transport = upper
        ip.append(packet)
        ipOuters.append(outer)
      case .failure: stray(1)
      }
    }
    if let esp {
      shared.counters.add(esp.counts)
      esp.counts = ESPCounts()
    }
    if !ip.isEmpty { gif.take(opened: ip, ipOuters, table, broadcasts) }
    if !frames.isEmpty { l2tp.take(opened: frames, frameOuters, table, broadcasts) }
  }

  private mutating func openForOthers(
    _ packet: inout PacketRoom, _ outer: OuterInfo, _ now: UInt64
  ) -> Result<UInt8, IPsecDrop> {
    if esp == nil { esp = try? ESPWorker() }
    guard let esp else { return .failure(.esp(.library)) }
    guard packet.bytes.holds(8) else {
      esp.counts[.length] += 1
      return .failure(.esp(.length))
    }
    find(packet.bytes.be32(at: 0), outer)
    guard let association = held else {
      esp.counts[.noAssociation] += 1
      return .failure(.esp(.noAssociation))
    }
    guard association.isFrom(outer.source), association.natTraversal == nil else { return .failure(.otherAssociation) }
    // SAFETY: there is a reference.
    switch unsafe esp.open(&packet, with: .passUnretained(association), now: now) {
    case .failure(let drop): return .failure(.esp(drop))
    case .success(let upper):
      guard [IPProtocol.ipv4, IPProtocol.ipv6, L2TPPacket.transport].contains(upper) else { return .failure(.payload) }
      if let drop = questions.mayEnter(outer, upper: upper, now: now, isOther: true) { return .failure(drop) }
      return .success(upper)
    }
  }

  // MARK: Out of ESP

  /// Leaves the packets that came out of ESP, in their order.
  /// - Returns: how many.
  @inline(never)
  private mutating func open(
    _ ipsec: IPsec, _ settings: IPsecSettings, _ esp: ESPWorker, _ counts: inout TunnelCounts
  ) -> Int {
    let now = UInt64(max(0, Clock.wall() / 1_000_000_000))
    var kept = 0
    for index in packets.indices {
      var packet = packets[index]
      switch open(&packet, index, settings, esp, now) {
      case .success(let upper):
        packets[kept] = packet
        outers[kept] = outers[index]
        uppers.append(upper)
        kept += 1
      case .failure(let drop):
        counts.refused += 1
        Self.note(drop, ipsec)
      }
    }
    return kept
  }

  @inline(never)
  private static func note(_ drop: IPsecDrop, _ ipsec: IPsec) { ipsec.trouble.note(.ipsecInput(drop)) }

  private mutating func open(
    _ packet: inout PacketRoom, _ index: Int, _ settings: IPsecSettings, _ esp: ESPWorker, _ now: UInt64
  ) -> Result<UInt8, IPsecDrop> {
    let outer = outers[index]
    guard settings.isUp else { return .failure(.tunnel(.down)) }
    guard let pair = settings.pair else { return .failure(.tunnel(.unconfigured)) }
    guard pair == outer.pair, settings.ports == ports[index] else { return .failure(.noInterface) }
    guard packet.bytes.holds(8) else {
      esp.counts[.length] += 1
      return .failure(.esp(.length))
    }
    let spi = packet.bytes.be32(at: 0)
    // SAFETY: `held` is its reference, here and below.
    if unsafe !(known?._withUnsafeGuaranteedRef { $0.spi == spi && $0.isUsable && $0.isTo(outer.destination) } ?? false)
    {
      find(spi, outer)
    }
    guard let association = unsafe known else {
      esp.counts[.noAssociation] += 1
      return .failure(.esp(.noAssociation))
    }
    let isNone = ports[index].isNone
    let isRight = unsafe association._withUnsafeGuaranteedRef {
      $0.isFrom(outer.source) && ($0.natTraversal == nil) == isNone
    }
    guard isRight else { return .failure(.otherAssociation) }
    let result = unsafe esp.open(&packet, with: association, now: now)
    guard case .success(let upper) = result else {
      if case .failure(let drop) = result { return .failure(.esp(drop)) }
      return .failure(.payload)
    }
    return upper == IPProtocol.ipv4 || upper == IPProtocol.ipv6 ? .success(upper) : .failure(.payload)
  }

  /// Looks for an association, which is then the known one.
  @inline(never)
  private mutating func find(_ spi: UInt32, _ outer: OuterInfo) {
    held = questions.inbound(to: outer.destination, spi: spi)
    unsafe known = held.map { unsafe .passUnretained($0) }
  }

  /// Leaves the packets that the policies and the interface take, in their order.
  /// - Returns: how many.
  @inline(never)
  private mutating func judge(
    _ count: Int, _ ipsec: IPsec, _ settings: IPsecSettings, _ broadcasts: [UInt32], _ counts: inout TunnelCounts
  ) -> Int {
    let now = UInt64(max(0, Clock.wall() / 1_000_000_000))
    var last: (upper: UInt8, drop: IPsecDrop?)?
    var kept = 0
    for index in 0..<count {
      let upper = uppers[index]
      if last?.upper != upper { last = (upper, questions.mayEnter(outers[index], upper: upper, now: now)) }
      var packet = packets[index]
      let drop =
        last?.drop
        ?? IPsecPacket.take(&packet, nextHeader: upper, outers[index], settings, broadcasts: broadcasts)
      if let drop {
        counts.refused += 1
        Self.note(drop, ipsec)
      } else {
        packets[kept] = packet
        kept += 1
      }
    }
    return kept
  }

  @inline(never)
  private mutating func tap(_ count: Int, _ ipsec: IPsec) {
    guard reader.begin(ipsec.point) else { return }
    for index in 0..<count { packets[index].tap(by: &reader, .received, ipsec.index) }
    reader.end()
    for index in 0..<count { packets[index].removeFirst(4) }
  }
}
