// What leaves by a gif: read from its device, tapped, put behind outer headers, sent. (`gif_output`, `gif_transmit_direct`)
// One value for each thread that sends at a time: output workers, and writers of bpf devices.
import Glibc
import SwBPFBPF
import SwBPFFilterMachine
import SwBPFKern
import SwBPFPackets

/// A batch of packets on their way out.
///
/// A pass: packets are read until none waits or the batch is full; then all are tapped, then encapsulated, then sent with as
/// few calls as there are families. No lock is held over a system call.
@safe struct GifOutput: ~Copyable {
  /// Bytes kept free in front: an outer header, and a family word for the tap.
  static let headroom = 128
  private let memory: PacketBatch
  private let pieces: PacketBatch
  /// The packets of the batch, and one more to read into.
  private var packets: [PacketRoom]
  private var spare: PacketRoom
  private let capacity: Int
  private var pieceCount = 0
  /// Which packet of the batch each one that waits in the sender belongs to.
  private var owners: [Int]
  private let senders: (v4: RawSender, v6: RawSender)
  /// Inner bytes of each packet of the batch, and what became of it.
  private var sizes: [Int]
  private var errors: [CInt]
  private var reader = TapReader()
  private let policies: PolicyOutput

  /// In the network namespace of the calling thread.
  /// - Parameter policies: nobody else's; it says how many packets a batch has.
  /// - Throws: EPERM without CAP_NET_RAW.
  init(_ policies: PolicyOutput) throws(BPF.Failure) {
    self.policies = policies
    capacity = policies.capacity
    memory = PacketBatch(capacity + 1, size: 65536, headroom: Self.headroom)
    // Longer ones come from longer MTUs than a gif has.
    pieces = PacketBatch(2 * capacity, size: 9216, headroom: 0)
    packets = Array(memory.packets.dropLast())
    spare = memory.packets[capacity]
    senders = (
      try RawSender(ipv6: false, capacity: 2 * capacity), try RawSender(ipv6: true, capacity: 2 * capacity)
    )
    owners = Array(repeating: 0, count: 2 * capacity)
    sizes = Array(repeating: 0, count: capacity)
    errors = Array(repeating: 0, count: capacity)
  }

  /// - Parameter isUsed: whether there are interfaces.
  mutating func rest(isUsed: Bool) { policies.rest(isUsed: isUsed) }

  // MARK: From the device

  /// Carries what waits at a queue, up to about a batch.
  /// - Returns: false when the device is gone.
  mutating func serve(
    _ gif: Gif, _ queue: TunDevice, _ settings: GifSettings, _ shared: TunnelShared, _ table: TunnelTable
  ) -> Bool {
    var count = 0
    var isThere = true
    for _ in 0..<capacity {
      var offload = PacketOffload()
      let size = queue.read(into: &spare, headroom: Self.headroom, &offload)
      guard size > 0 else {
        isThere = size == 0 || size == -Int(EINTR) || size == -Int(EAGAIN)
        break
      }
      if var segments = Segments(of: spare, offload) {
        while true {
          packets[count].reset(headroom: Self.headroom, count: 0)
          guard segments.next(of: spare, into: &packets[count]) else { break }
          count += 1
          if count == capacity {
            pass(count, gif, settings, shared, table)
            count = 0
          }
        }
      } else if Segments.isBroken(spare, offload) || !Checksums.complete(&spare, offload) {
        refuse(1, gif, .output(.truncated))
      } else {
        swap(&packets[count], &spare)
        count += 1
      }
      if count == capacity {
        pass(count, gif, settings, shared, table)
        count = 0
      }
    }
    if count > 0 { pass(count, gif, settings, shared, table) }
    return isThere
  }

  // MARK: From a writer

  /// Carries one packet.
  /// - Parameter isTapped: false when the interface's readers are not to see it.
  /// - Returns: 0 or a positive errno.
  mutating func send(
    _ bytes: ArraySlice<UInt8>, _ gif: Gif, _ settings: GifSettings, _ shared: TunnelShared, _ table: TunnelTable,
    isTapped: Bool
  ) -> CInt {
    packets[0].reset(headroom: Self.headroom, count: bytes.count)
    unsafe packets[0].copy(from: bytes.span.bytes, at: 0)
    pass(1, gif, settings, shared, table, isTapped: isTapped)
    return errors[0]
  }

  // MARK: A pass

  private func refuse(_ count: Int, _ gif: Gif, _ mishap: Mishap) {
    var counts = TunnelCounts()
    counts.outputErrors = UInt64(count)
    gif.counters.add(counts)
    gif.trouble.note(mishap)
  }

  @inline(never)
  private mutating func pass(
    _ count: Int, _ gif: Gif, _ settings: GifSettings, _ shared: TunnelShared, _ table: TunnelTable,
    isTapped: Bool = true
  ) {
    if let drop = GifPacket.refusal(settings) { return refuseAll(count, gif, .output(drop), drop.errno) }
    guard let pair = settings.pair else { return }
    if table.ipsecTable.has(pair) { return refuseAll(count, gif, .ipsecOutput(.clear), ENETUNREACH) }
    let route = gif.routes.lookup(pair.destination, from: pair.source)
    if route.interface != gif.index, let nested = table.nesting(route) {
      return refuseNested(count, gif, nested, shared)
    }
    if isTapped && gif.point.hasPeers { tap(count, gif) }
    if policies.hasPolicies && carryByPolicies(count, gif, settings, pair, route) { return }
    let sender = pair.isIPv6 ? senders.v6 : senders.v4
    carry(count, gif, settings, pair, route, sender, shared)
    flush(sender, gif)
    add(count, to: gif.counters)
  }

  /// Puts the batch behind outer headers and gives it to its sender. (Scripts/check-hot-path looks here)
  @inline(never)
  private mutating func carry(
    _ count: Int, _ gif: Gif, _ settings: GifSettings, _ pair: TunnelPair, _ route: RouteAnswer, _ sender: RawSender,
    _ shared: TunnelShared
  ) {
    let mtu = Self.mtu(pair, settings, route)
    for index in 0..<count {
      sizes[index] = packets[index].count
      errors[index] = 0
      if let drop = GifPacket.encapsulate(&packets[index], settings, by: route, own: gif.index) {
        errors[index] = drop.errno
        Self.note(drop, gif)
      } else if packets[index].count <= mtu {
        add(packets[index], index, gif, sender, pair.destination)
      } else {
        fragment(index, gif, sender, pair.destination, mtu: mtu, shared)
      }
    }
  }

  /// - Returns: false, and nothing was done, when no policy is for them, or there is no way anyhow.
  @inline(never)
  private mutating func carryByPolicies(
    _ count: Int, _ gif: Gif, _ settings: GifSettings, _ pair: TunnelPair, _ route: RouteAnswer
  ) -> Bool {
    guard !pair.destination.isUnspecified, route.exists, route.interface != gif.index,
      !policies.leavesAlone(pair, uppers: [IPProtocol.ipv4, IPProtocol.ipv6])
    else { return false }
    var outer = IPsecSettings()
    (outer.pair, outer.ecn, outer.ttl, outer.hopLimit) = (pair, settings.ecn, settings.ttl, settings.hopLimit)
    let batch = Array(packets[..<count])
    let results = policies.carry(
      batch, upper: nil, gif, outer, mtu: Self.mtu(pair, settings, route), counted: batch.map(\.count))
    for index in results.indices { errors[index] = results[index] }
    return true
  }

  /// Of outer packets.
  @inline(__always)
  private static func mtu(_ pair: TunnelPair, _ settings: GifSettings, _ route: RouteAnswer) -> Int {
    let wanted = !pair.isIPv6 || settings.usesPathMTU ? Int(route.pathMTU) : 1280
    return max(wanted, pair.isIPv6 ? 1280 : 68)
  }

  @inline(never)
  private static func note(_ drop: TunnelDrop, _ gif: Gif) { gif.trouble.note(.output(drop)) }

  /// Counts what became of the batch.
  private func add(_ count: Int, to counters: TunnelCounters) {
    var counts = TunnelCounts()
    for index in 0..<count {
      if errors[index] == 0 { counts.sent(sizes[index]) } else { counts.outputErrors += 1 }
    }
    counters.add(counts)
  }

  @inline(never)
  private mutating func refuseAll(_ count: Int, _ gif: Gif, _ mishap: Mishap, _ error: CInt) {
    for index in 0..<count { errors[index] = error }
    refuse(count, gif, mishap)
  }

  @inline(never)
  private mutating func refuseNested(
    _ count: Int, _ gif: Gif, _ nested: (tunnel: Tunnel, count: Int), _ shared: TunnelShared
  ) {
    for index in 0..<count { errors[index] = EIO }
    var counts = TunnelCounts()
    counts.outputErrors = UInt64(count)
    gif.counters.add(counts)
    let mishap = Mishap.nested(in: nested.tunnel.name, count: nested.count)
    gif.trouble.note(mishap)
    nested.tunnel.trouble.note(mishap)
    if nested.tunnel.trouble.mayLog() { shared.onLog(.notice, mishap.text) }
  }

  /// Shows the batch to the interface's readers, each packet behind its family word.
  @inline(never)
  private mutating func tap(_ count: Int, _ gif: Gif) {
    guard reader.begin(gif.point) else { return }
    for index in 0..<count { packets[index].tap(by: &reader, .sent, gif.index) }
    reader.end()
    for index in 0..<count { packets[index].removeFirst(4) }
  }

  /// Gives one outer packet to its sender, cut.
  @inline(never)
  private mutating func fragment(
    _ index: Int, _ gif: Gif, _ sender: RawSender, _ destination: IPAddress, mtu: Int, _ shared: TunnelShared
  ) {
    // No fragment is longer than its room, whatever the way takes.
    guard
      var fragments = Fragments(
        of: packets[index], mtu: min(mtu, pieces.packets[0].capacity), identification: shared.nextIdentification())
    else { return add(packets[index], index, gif, sender, destination) }
    while true {
      // Before the piece is written: a flush frees the pieces.
      if sender.isFull || pieceCount == pieces.packets.count { flush(sender, gif) }
      var piece = pieces.packets[pieceCount]
      guard fragments.next(of: packets[index], into: &piece) else { return }
      pieceCount += 1
      add(piece, index, gif, sender, destination)
    }
  }

  @inline(__always)
  private mutating func add(
    _ packet: PacketRoom, _ owner: Int, _ gif: Gif, _ sender: RawSender, _ destination: IPAddress
  ) {
    if sender.isFull { flush(sender, gif) }
    owners[sender.count] = owner
    sender.add(packet, to: destination)
  }

  @inline(never)
  private mutating func flush(_ sender: RawSender, _ gif: Gif) {
    let results = sender.flush()
    for index in results.indices where results[index] != 0 {
      errors[owners[index]] = results[index]
      gif.trouble.note(.send(results[index]))
      // The way has become narrower since it was asked for.
      if results[index] == EMSGSIZE { gif.routes.flush() }
    }
    pieceCount = 0
  }
}

extension PacketRoom {
  /// Offers the packet to a pass behind its address family, 2 or 24 in host order as BSD has them, which is put in front of it for
  /// the time of the pass. (`bpf_mtap_af`)
  mutating func tap(by reader: inout TapReader, _ way: BPF.Way, _ interface: UInt32) {
    let family: UInt32 =
      switch bytes.byteCount > 0 ? bytes.u8(at: 0) >> 4 : 0 {
      case 4: 2
      case 6: 24
      default: 0
      }
    let hasRoom = prepend(4)
    precondition(hasRoom, "no room for the family word")
    store(be32: family.bigEndian, at: 0)
    let now = Clock.wall()
    // SAFETY: the packet's bytes stay where they are until the pass has ended.
    unsafe reader.tap(
      TapFrame(
        base: UnsafeRawPointer(address), captured: UInt32(count), length: UInt32(count),
        seconds: UInt32(truncatingIfNeeded: now / 1_000_000_000),
        nanoseconds: UInt32(truncatingIfNeeded: now % 1_000_000_000),
        metadata: FrameMetadata(packetType: way == .sent ? 4 : 0, interfaceIndex: interface)), way)
  }
}
