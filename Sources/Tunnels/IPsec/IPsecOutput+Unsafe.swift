// What leaves by an ipsec interface: read from its device, tapped, put into ESP, sent. (`if_ipsec_output`, `ipsecif4_output`)
// One value for each thread that sends at a time: output workers, and writers of bpf devices.
import Glibc
import SwBPFBPF
import SwBPFESP
import SwBPFKern
import SwBPFPFKey
import SwBPFPackets

/// A batch of packets on their way out.
///
/// A pass: packets are read until none waits or the batch is full; then all are tapped; then those of one association get
/// their sequence numbers, are encrypted and sent, and nobody else sends by it meanwhile.
@safe struct IPsecOutput: ~Copyable {
  /// Bytes kept free in front: an outer header, UDP's and ESP's, and a family word for the tap.
  static let headroom = 128
  private let shared: IPsecShared
  private let memory: PacketBatch
  /// Fragments of inner packets.
  private let cuts: PacketBatch
  private var cutCount = 0
  /// What was read last were several packets of no great length, and no more waits: more are on their way, and taken together
  /// they cost less.
  private(set) var mayRest = false
  /// What is said to the senders of packets that are too long.
  private let words: PacketBatch
  /// The packets of the batch, and one more to read into.
  private var packets: [PacketRoom]
  private var spare: PacketRoom
  private let capacity: Int
  private var batch: OuterBatch
  private var train = SealedTrain()
  private var sizes: [Int]
  private var isDropped: [Bool]
  private var reader = TapReader()
  private var questions: KeyQuestions
  /// nil while there is no interface: their number is limited.
  private var esp: ESPWorker?

  /// In the network namespace of the calling thread.
  /// - Parameter capacity: packets of a batch.
  /// - Throws: EPERM without CAP_NET_RAW.
  init(_ shared: IPsecShared, capacity: Int = 64) throws(BPF.Failure) {
    self.shared = shared
    self.capacity = capacity
    memory = PacketBatch(capacity + 1, size: 65536 + 64, headroom: Self.headroom)
    cuts = PacketBatch(64, size: 9216, headroom: Self.headroom)
    words = PacketBatch(1, size: 2048, headroom: Self.headroom)
    packets = Array(memory.packets.dropLast())
    spare = memory.packets[capacity]
    batch = try OuterBatch(capacity: capacity)
    sizes = Array(repeating: 0, count: capacity)
    isDropped = Array(repeating: false, count: capacity)
    questions = KeyQuestions(shared.keys)
  }

  /// - Parameter isUsed: whether there are interfaces.
  mutating func rest(isUsed: Bool) { if !isUsed { esp = nil } }

  // MARK: From the device

  /// Carries what waits at a queue, up to about a batch.
  /// - Returns: false when the device is gone.
  mutating func serve(_ ipsec: IPsec, _ queue: TunDevice, _ settings: IPsecSettings, _ table: TunnelTable) -> Bool {
    var count = 0
    var reads = 0
    var isThere = true
    mayRest = false
    for _ in 0..<capacity {
      var offload = PacketOffload()
      let size = queue.read(into: &spare, headroom: Self.headroom, &offload)
      guard size > 0 else {
        isThere = size == 0 || size == -Int(EINTR) || size == -Int(EAGAIN)
        mayRest = reads > 1
        break
      }
      reads += 1
      if var segments = Segments(of: spare, offload) {
        // The system takes them together already.
        reads = Int.min
        while true {
          packets[count].reset(headroom: Self.headroom, count: 0)
          guard segments.next(of: spare, into: &packets[count]) else { break }
          count += 1
          if count == capacity {
            pass(count, ipsec, settings, table)
            count = 0
          }
        }
      } else if Segments.isBroken(spare, offload) || !Checksums.complete(&spare, offload) {
        refuse(1, ipsec, .output(.truncated))
      } else {
        swap(&packets[count], &spare)
        count += 1
      }
      if count == capacity {
        pass(count, ipsec, settings, table)
        count = 0
      }
    }
    if count > 0 { pass(count, ipsec, settings, table) }
    return isThere
  }

  // MARK: From a writer

  /// Carries one packet.
  /// - Parameter isTapped: false when the interface's readers are not to see it.
  /// - Returns: 0 or a positive errno.
  mutating func send(_ bytes: ArraySlice<UInt8>, _ ipsec: IPsec, _ settings: IPsecSettings, isTapped: Bool) -> CInt {
    packets[0].reset(headroom: Self.headroom, count: bytes.count)
    unsafe packets[0].copy(from: bytes.span.bytes, at: 0)
    pass(1, ipsec, settings, shared.tunnels.table.value, isTapped: isTapped)
    return batch.errors[0]
  }

  // MARK: A pass

  private func refuse(_ count: Int, _ ipsec: IPsec, _ mishap: Mishap) {
    var counts = TunnelCounts()
    counts.outputErrors = UInt64(count)
    ipsec.counters.add(counts)
    ipsec.trouble.note(mishap)
  }

  @inline(never)
  private mutating func pass(
    _ all: Int, _ ipsec: IPsec, _ settings: IPsecSettings, _ table: TunnelTable, isTapped: Bool = true
  ) {
    batch.begin(all)
    if let drop = IPsecPacket.refusal(settings) { return refuseAll(all, ipsec, .output(drop), drop.errno) }
    guard let pair = settings.pair else { return }
    let route = ipsec.routes.lookup(pair.destination, from: pair.source)
    if route.interface != ipsec.index, let nested = table.nesting(route) { return refuseNested(all, ipsec, nested) }
    let count = settings.forwardsIPv6 ? all : leaveOutIPv6(all, ipsec)
    if count == 0 { return }
    if isTapped && ipsec.point.hasPeers { tap(count, ipsec) }
    for index in 0..<count {
      sizes[index] = packets[index].count
      isDropped[index] = false
    }
    if !route.exists || route.interface == ipsec.index || !IPsecPacket.isUsable(pair) {
      for index in 0..<count { drop(index, ipsec, .tunnel(.unreachable)) }
    } else if let esp = worker() {
      let mtu =
        pair.isIPv6 ? (settings.usesPathMTU ? max(Int(route.pathMTU), 1280) : 1280) : max(Int(route.pathMTU), 68)
      let way = Way(
        tunnel: ipsec, tunnels: shared.tunnels, settings: settings, pair: pair, mtu: mtu,
        now: UInt64(max(0, Clock.wall() / 1_000_000_000)))
      carry(count, way, esp)
      shared.counters.add(esp.counts)
      esp.counts = ESPCounts()
    } else {
      for index in 0..<count { drop(index, ipsec, .esp(.library)) }
    }
    if add(count, to: ipsec) > 0 { ipsec.lastSent.store(Clock.monotonic(), ordering: .relaxed) }
  }

  private mutating func worker() -> ESPWorker? {
    if esp == nil { esp = try? ESPWorker() }
    return esp
  }

  /// Counts what became of the batch.
  /// - Returns: how many packets were sent.
  @inline(never) @discardableResult
  private func add(_ count: Int, to tunnel: Tunnel) -> UInt64 {
    var counts = TunnelCounts()
    for index in 0..<count {
      if batch.errors[index] == 0 && !isDropped[index] { counts.sent(sizes[index]) } else { counts.outputErrors += 1 }
    }
    tunnel.counters.add(counts)
    return counts.sentPackets
  }

  @inline(never)
  private mutating func drop(_ index: Int, _ tunnel: Tunnel, _ drop: IPsecDrop) {
    isDropped[index] = true
    batch.refuse(index, drop.errno)
    tunnel.trouble.note(.ipsecOutput(drop))
  }

  @inline(never)
  private mutating func refuseAll(_ count: Int, _ ipsec: IPsec, _ mishap: Mishap, _ error: CInt) {
    for index in 0..<count { batch.refuse(index, error) }
    refuse(count, ipsec, mishap)
  }

  @inline(never)
  private mutating func refuseNested(_ count: Int, _ ipsec: IPsec, _ nested: (tunnel: Tunnel, count: Int)) {
    let mishap = Mishap.nested(in: nested.tunnel.name, count: nested.count)
    refuseAll(count, ipsec, mishap, EIO)
    nested.tunnel.trouble.note(mishap)
    if nested.tunnel.trouble.mayLog() { shared.tunnels.onLog(.notice, mishap.text) }
  }

  /// Without link2 IPv6 goes nowhere, and nobody is told but the counter.
  /// - Returns: how many packets are left, in their order.
  @inline(never)
  private mutating func leaveOutIPv6(_ count: Int, _ ipsec: IPsec) -> Int {
    var kept = 0
    for index in 0..<count {
      if packets[index].count > 0 && packets[index].bytes.u8(at: 0) >> 4 == 6 { continue }
      if kept != index { packets.swapAt(kept, index) }
      kept += 1
    }
    if kept < count {
      var counts = TunnelCounts()
      counts.outputDrops = UInt64(count - kept)
      ipsec.counters.add(counts)
    }
    return kept
  }

  /// Shows the batch to the interface's readers, each packet behind its family word.
  @inline(never)
  private mutating func tap(_ count: Int, _ ipsec: IPsec) {
    guard reader.begin(ipsec.point) else { return }
    for index in 0..<count { packets[index].tap(by: &reader, .sent, ipsec.index) }
    reader.end()
    for index in 0..<count { packets[index].removeFirst(4) }
  }

  // MARK: Into ESP

  /// What the packets of a pass have in common.
  private struct Way {
    let tunnel: Tunnel
    let tunnels: TunnelShared
    let settings: IPsecSettings
    let pair: TunnelPair
    /// Of outer packets.
    let mtu: Int
    /// Seconds since 1970.
    let now: UInt64
    /// A tunnel of another kind: policies may say nothing of its packets.
    var isOther = false
    /// What the packets are; nil: IPv4 or IPv6, as their first bytes say.
    var upper: UInt8?
  }

  /// Carries packets of another kind of tunnel, of whose outer packets policies say something, and counts them.
  /// - Parameters:
  ///   - others: what is behind the outer header, with room in front; at most a batch.
  ///   - upper: nil: IPv4 or IPv6.
  ///   - settings: addresses, hops, congestion bits.
  ///   - mtu: of outer packets.
  ///   - counted: bytes of each that count.
  mutating func carry(
    others: [PacketRoom], upper: UInt8?, _ tunnel: Tunnel, _ settings: IPsecSettings, mtu: Int, counted: [Int]
  ) {
    batch.begin(others.count)
    guard let pair = settings.pair else { return }
    let own = packets
    defer { packets = own }
    for index in others.indices {
      packets[index] = others[index]
      sizes[index] = counted[index]
      isDropped[index] = false
    }
    if let esp = worker() {
      var way = Way(
        tunnel: tunnel, tunnels: shared.tunnels, settings: settings, pair: pair, mtu: mtu,
        now: UInt64(max(0, Clock.wall() / 1_000_000_000)))
      way.isOther = true
      way.upper = upper
      carry(others.count, way, esp)
      shared.counters.add(esp.counts)
      esp.counts = ESPCounts()
    } else {
      for index in others.indices { drop(index, tunnel, .esp(.library)) }
    }
    add(others.count, to: tunnel)
  }

  /// What became of the packets of the last batch: 0 or a positive errno.
  func error(of index: Int) -> CInt { batch.errors[index] }

  /// Packets with one policy that come one after the other go together.
  private mutating func carry(_ count: Int, _ way: Way, _ esp: ESPWorker) {
    var index = 0
    while index < count {
      guard case .success(let upper) = check(index, way) else {
        index += 1
        continue
      }
      var end = index + 1
      while end < count, case .success(upper) = Self.upper(of: packets[end], way) { end += 1 }
      switch questions.outbound(way.pair, way.settings.ports, upper: upper, now: way.now, isOther: way.isOther) {
      case .association(let association):
        carry(index..<end, by: association, upper, way, esp, shared.order(association))
      case .clear:
        for place in index..<end { send(packets[place], place, upper, trafficClass(of: packets[place], way), way) }
        flush(way)
      case .missing(let policy, let request):
        for place in index..<end {
          questions.acquire(way.pair, way.settings.ports, policy, request)
          drop(place, way.tunnel, .noAssociation)
        }
      case .refused(let reason): for place in index..<end { drop(place, way.tunnel, reason) }
      }
      index = end
    }
  }

  private mutating func check(_ index: Int, _ way: Way) -> Result<UInt8, TunnelDrop> {
    let result = Self.upper(of: packets[index], way)
    if case .failure(let reason) = result { drop(index, way.tunnel, .tunnel(reason)) }
    return result
  }

  @inline(__always)
  private static func upper(of packet: borrowing PacketRoom, _ way: Way) -> Result<UInt8, TunnelDrop> {
    if let upper = way.upper { return .success(upper) }
    return IPsecPacket.nextHeader(of: packet)
  }

  @inline(__always)
  private func trafficClass(of packet: borrowing PacketRoom, _ way: Way) -> UInt8 {
    way.upper == nil ? ECN.ingress(inner: packet.trafficClass, way.settings.ecn) : 0
  }

  private mutating func carry(
    _ range: Range<Int>, by association: Association, _ upper: UInt8, _ way: Way, _ esp: ESPWorker,
    _ order: SendOrder
  ) {
    order.lock.lock()
    sealAll(range, by: association, upper, way, esp)
    flush(way)
    order.lock.unlock()
  }

  /// (Scripts/check-hot-path looks here)
  @inline(never)
  private mutating func sealAll(
    _ range: Range<Int>, by association: Association, _ upper: UInt8, _ way: Way, _ esp: ESPWorker
  ) {
    let fragment = association.natTraversal?.fragment ?? 0
    for index in range {
      switch fragment == 0 ? .fits : InnerCut(packets[index], fragment: fragment) {
      case .fits: seal(packets[index], index, association, upper, way, esp)
      case .cut(let limit): cut(index, limit, association, upper, way, esp)
      case .impossible: drop(index, way.tunnel, .cutTooSmall)
      case .tell(let mtu):
        tell(index, mtu, way.tunnel)
        drop(index, way.tunnel, .mustNotBeCut)
      }
    }
  }

  /// Each fragment goes in a packet of its own.
  @inline(never)
  private mutating func cut(
    _ index: Int, _ limit: Int, _ association: Association, _ upper: UInt8, _ way: Way, _ esp: ESPWorker
  ) {
    guard var fragments = InnerFragments(of: packets[index], limit: limit) else {
      return drop(index, way.tunnel, .tunnel(.truncated))
    }
    while true {
      if cutCount == cuts.packets.count { flush(way) }
      var cut = cuts.packets[cutCount]
      cut.reset(headroom: Self.headroom, count: 0)
      guard fragments.next(of: packets[index], into: &cut) else { return }
      cutCount += 1
      seal(cut, index, association, upper, way, esp)
    }
  }

  /// Tells the sender what would fit.
  @inline(never)
  private mutating func tell(_ index: Int, _ mtu: Int, _ tunnel: Tunnel) {
    var word = words.packets[0]
    word.reset(headroom: Self.headroom, count: 0)
    if TooBig.write(about: packets[index], mtu: mtu, into: &word) {
      _ = tunnel.queues[0].write(word)
    }
  }

  /// Puts one packet into ESP, where it lies, and gives it to whoever sends it.
  private mutating func seal(
    _ packet: consuming PacketRoom, _ index: Int, _ association: Association, _ upper: UInt8, _ way: Way,
    _ esp: ESPWorker
  ) {
    let trafficClass = trafficClass(of: packet, way)
    let ports = association.natTraversal
    let limit = 65535 - (way.pair.isIPv6 ? 0 : IPv4View.fixedLength) - (ports == nil ? 0 : ESPInUDP.headerLength)
    // SAFETY: the caller has a reference.
    if let reason = unsafe esp.seal(
      &packet, with: .passUnretained(association), nextHeader: upper, limit: limit, now: way.now)
    {
      return drop(index, way.tunnel, .esp(reason))
    }
    guard let ports else { return send(packet, index, IPProtocol.esp, trafficClass, way) }
    let next = SealedTrain.Car(
      packet: packet, index: index, trafficClass: trafficClass, own: ports.sourcePort, peer: ports.destinationPort)
    let length = packet.count + ESPInUDP.headerLength + way.pair.headerLength
    guard way.settings.sendsTrains, length <= way.mtu, let socket = way.settings.socket, socket.port == next.own else {
      flushTrain(way)
      return sendAlone(next, way)
    }
    if !train.takes(next) { flushTrain(way) }
    train.add(next)
  }

  // MARK: To the system

  /// An outer header in front, and out.
  @inline(never)
  private mutating func send(
    _ packet: consuming PacketRoom, _ index: Int, _ transport: UInt8, _ trafficClass: UInt8, _ way: Way
  ) {
    if let reason = OuterHeader.prepend(
      to: &packet, way.pair, transport: transport, trafficClass: trafficClass,
      hops: way.pair.isIPv6 ? way.settings.hopLimit : way.settings.ttl)
    {
      return drop(index, way.tunnel, .tunnel(reason))
    }
    if transport == IPProtocol.udp && way.pair.isIPv6 {
      Checksums.finish(&packet, start: IPv6View.fixedLength, offset: 6, transport: IPProtocol.udp)
    }
    batch.add(packet, index, to: way.pair.destination, mtu: way.mtu, way.tunnel, way.tunnels)
  }

  /// With a UDP header of its own; over IPv4 without a checksum.
  private mutating func sendAlone(_ car: SealedTrain.Car, _ way: Way) {
    var packet = car.packet
    guard ESPInUDP.prepend(to: &packet, from: car.own, to: car.peer) else {
      return drop(car.index, way.tunnel, .tunnel(.noRoom))
    }
    send(packet, car.index, IPProtocol.udp, car.trafficClass, way)
  }

  /// What waits to leave together leaves. A single one needs no help of the system's.
  @inline(never)
  private mutating func flushTrain(_ way: Way) {
    guard let first = train.cars.first else { return }
    if train.cars.count > 1, let socket = way.settings.socket {
      // What came before leaves before.
      batch.flush(way.tunnel)
      let datagram = DatagramWay(
        pair: way.pair, port: first.peer, trafficClass: first.trafficClass,
        hops: way.pair.isIPv6 ? way.settings.hopLimit : way.settings.ttl)
      switch train.send(by: socket, datagram) {
      case 0: return train.removeAll()
      case let error where error == EAGAIN || error == ENOBUFS:
        for car in train.cars { batch.refuse(car.index, error) }
        way.tunnel.trouble.note(.send(error))
        return train.removeAll()
      // A source that is not this system's, an interface that computes no checksums: one by one it works.
      default: break
      }
    }
    for car in train.cars { sendAlone(car, way) }
    train.removeAll()
  }

  private mutating func flush(_ way: Way) {
    flushTrain(way)
    batch.flush(way.tunnel)
    cutCount = 0
  }
}

/// Packets of one association in ESP, of equal size but the last, that leave with one call.
struct SealedTrain {
  struct Car {
    let packet: PacketRoom
    /// Place in the pass.
    let index: Int
    let trafficClass: UInt8
    /// UDP ports.
    let own: UInt16
    let peer: UInt16
  }

  private(set) var cars: [Car] = []
  private let train = DatagramTrain()

  init() { cars.reserveCapacity(NATSocket.mostOfTrain) }

  func takes(_ car: Car) -> Bool {
    guard let first = cars.first else { return true }
    return train.takes(car.packet.count) && first.trafficClass == car.trafficClass && first.peer == car.peer
  }

  mutating func add(_ car: Car) {
    train.add(car.packet)
    cars.append(car)
  }

  mutating func removeAll() {
    cars.removeAll(keepingCapacity: true)
    train.removeAll()
  }

  /// - Returns: 0 or a positive errno.
  func send(by socket: NATSocket, _ way: DatagramWay) -> CInt { socket.send(train, way) }
}
