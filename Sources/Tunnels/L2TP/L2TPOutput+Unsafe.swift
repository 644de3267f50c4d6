// What leaves by an l2tp: read from its device, tapped, put behind session and outer headers, sent. (`l2tp_transmit`, `in_l2tp_output`)
// One value for each thread that sends at a time: output workers, and writers of bpf devices.
import Glibc
import SwBPFBPF
import SwBPFFilterMachine
import SwBPFKern
import SwBPFPackets

/// A batch of frames on their way out.
///
/// A pass: frames are read until none waits or the batch is full; then all are tapped, then encapsulated, then sent with as few
/// calls as there are families. No lock is held over a system call.
@safe struct L2TPOutput: ~Copyable {
  /// Bytes kept free in front: outer header, id, cookie; the frame's own header where it is cut into segments.
  static let headroom = 128
  private let memory: PacketBatch
  /// The frames of the batch, and one more to read into.
  private var packets: [PacketRoom]
  private var spare: PacketRoom
  private let capacity: Int
  private var outer: OuterBatch
  /// Bytes of each frame of the batch.
  private var sizes: [Int]
  private var reader = TapReader()
  /// As that of ``IPsecOutput``.
  private(set) var mayRest = false
  private let policies: PolicyOutput

  /// In the network namespace of the calling thread.
  /// - Parameter policies: nobody else's; it says how many frames a batch has.
  /// - Throws: EPERM without CAP_NET_RAW.
  init(_ policies: PolicyOutput) throws(BPF.Failure) {
    self.policies = policies
    capacity = policies.capacity
    memory = PacketBatch(capacity + 1, size: 65536 + 64, headroom: Self.headroom)
    packets = Array(memory.packets.dropLast())
    spare = memory.packets[capacity]
    outer = try OuterBatch(capacity: capacity)
    sizes = Array(repeating: 0, count: capacity)
  }

  /// - Parameter isUsed: whether there are interfaces.
  mutating func rest(isUsed: Bool) { policies.rest(isUsed: isUsed) }

  // MARK: From the device

  /// Carries what waits at a queue, up to about a batch.
  /// - Returns: false when the device is gone.
  mutating func serve(
    _ l2tp: L2TP, _ queue: TunDevice, _ settings: L2TPSettings, _ shared: TunnelShared, _ table: TunnelTable
  ) -> Bool {
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
      if offload.segments != .none {
        reads = Int.min
        count = cut(offload, count, l2tp, settings, shared, table)
      } else if Checksums.complete(&spare, offload) {
        swap(&packets[count], &spare)
        count += 1
      } else {
        refuse(1, l2tp, .output(.truncated))
      }
      if count == capacity {
        pass(count, l2tp, settings, shared, table)
        count = 0
      }
    }
    if count > 0 { pass(count, l2tp, settings, shared, table) }
    return isThere
  }

  /// Cuts the super-frame that was read: each segment behind a copy of its Ethernet header and tags.
  /// - Parameter count: frames that the batch has already.
  /// - Returns: how many it has now; less than its capacity.
  private mutating func cut(
    _ offload: PacketOffload, _ count: Int, _ l2tp: L2TP, _ settings: L2TPSettings, _ shared: TunnelShared,
    _ table: TunnelTable
  ) -> Int {
    let whole = spare
    var inner = offload
    guard let link = EthernetFrame.networkOffset(whole.bytes), let checksum = offload.checksum, checksum.start > link
    else {
      refuse(1, l2tp, .output(.truncated))
      return count
    }
    inner.checksum = (checksum.start - UInt16(link), checksum.offset)
    spare.removeFirst(link)
    guard var segments = Segments(of: spare, inner) else {
      refuse(1, l2tp, .output(.truncated))
      return count
    }
    var count = count
    while true {
      packets[count].reset(headroom: Self.headroom, count: 0)
      guard segments.next(of: spare, into: &packets[count]), packets[count].prepend(link) else { return count }
      packets[count].copy(from: whole.bytes.extracting(first: link), at: 0)
      count += 1
      if count == capacity {
        pass(count, l2tp, settings, shared, table)
        count = 0
      }
    }
  }

  // MARK: From a writer

  /// Carries one frame.
  /// - Parameter isTapped: false when the interface's readers are not to see it.
  /// - Returns: 0 or a positive errno.
  mutating func send(
    _ bytes: ArraySlice<UInt8>, _ l2tp: L2TP, _ settings: L2TPSettings, _ shared: TunnelShared, _ table: TunnelTable,
    isTapped: Bool
  ) -> CInt {
    packets[0].reset(headroom: Self.headroom, count: bytes.count)
    unsafe packets[0].copy(from: bytes.span.bytes, at: 0)
    pass(1, l2tp, settings, shared, table, isTapped: isTapped)
    return outer.errors[0]
  }

  // MARK: A pass

  private func refuse(_ count: Int, _ l2tp: L2TP, _ mishap: Mishap) {
    var counts = TunnelCounts()
    counts.outputErrors = UInt64(count)
    l2tp.counters.add(counts)
    l2tp.trouble.note(mishap)
  }

  @inline(never)
  private mutating func pass(
    _ count: Int, _ l2tp: L2TP, _ settings: L2TPSettings, _ shared: TunnelShared, _ table: TunnelTable,
    isTapped: Bool = true
  ) {
    outer.begin(count)
    if let drop = L2TPPacket.refusal(settings) { return refuseAll(count, l2tp, .output(drop), drop.errno) }
    guard let pair = settings.pair else { return }
    if isTapped && l2tp.point.hasPeers { tap(count, l2tp) }
    let route = l2tp.routes.lookup(pair.destination, from: pair.source)
    if route.interface != l2tp.index, let nested = table.nesting(route) {
      noteNested(nested.tunnel, nested.count, l2tp, shared)
      return refuseAll(count, l2tp, nil, EIO)
    }
    // What the system knows of the path; a frame cannot be told to be shorter.
    let mtu = max(Int(route.pathMTU), pair.isIPv6 ? 1280 : 68)
    if policies.hasPolicies, !policies.leavesAlone(pair, uppers: [L2TPPacket.transport]) {
      return carryByPolicies(count, l2tp, settings, pair, route, mtu: mtu, shared, table)
    }
    carry(count, l2tp, settings, pair, route, mtu: mtu, shared, table)
    outer.flush(l2tp)
    add(count, to: l2tp.counters)
  }

  /// Puts the batch behind session and outer headers and gives it to its sender.
  @inline(never)
  private mutating func carry(
    _ count: Int, _ l2tp: L2TP, _ settings: L2TPSettings, _ pair: TunnelPair, _ route: RouteAnswer, mtu: Int,
    _ shared: TunnelShared, _ table: TunnelTable
  ) {
    for index in 0..<count {
      sizes[index] = packets[index].count
      if let passed = EthernetFrame.tunnelled(packets[index].bytes), table.sends(passed) {
        noteNested(l2tp, 1, l2tp, shared)
        outer.refuse(index, EIO)
      } else if let drop = L2TPPacket.encapsulate(&packets[index], settings, by: route, own: l2tp.index) {
        outer.refuse(index, drop.errno)
        Self.note(drop, l2tp)
      } else {
        outer.add(packets[index], index, to: pair.destination, mtu: mtu, l2tp, shared)
      }
    }
  }

  @inline(never)
  private static func note(_ drop: TunnelDrop, _ l2tp: L2TP) { l2tp.trouble.note(.output(drop)) }

  /// Counts what became of the batch.
  @inline(never)
  private func add(_ count: Int, to counters: TunnelCounters) {
    var counts = TunnelCounts()
    for index in 0..<count {
      if outer.errors[index] == 0 { counts.sent(sizes[index]) } else { counts.outputErrors += 1 }
    }
    counters.add(counts)
  }

  /// As the policies for the outer packets say: in ESP, or not at all.
  @inline(never)
  private mutating func carryByPolicies(
    _ count: Int, _ l2tp: L2TP, _ settings: L2TPSettings, _ pair: TunnelPair, _ route: RouteAnswer, mtu: Int,
    _ shared: TunnelShared, _ table: TunnelTable
  ) {
    var kept: [PacketRoom] = []
    var places: [Int] = []
    var counted: [Int] = []
    for index in 0..<count {
      let size = packets[index].count
      if let passed = EthernetFrame.tunnelled(packets[index].bytes), table.sends(passed) {
        noteNested(l2tp, 1, l2tp, shared)
        outer.refuse(index, EIO)
      } else if let drop = L2TPPacket.prepend(to: &packets[index], settings, by: route, own: l2tp.index) {
        outer.refuse(index, drop.errno)
        l2tp.trouble.note(.output(drop))
      } else {
        kept.append(packets[index])
        places.append(index)
        counted.append(size)
      }
    }
    var outside = IPsecSettings()
    (outside.pair, outside.ttl, outside.hopLimit) = (pair, L2TPPacket.hops, L2TPPacket.hops)
    let results = policies.carry(
      kept, upper: L2TPPacket.transport, l2tp, outside, mtu: mtu, counted: counted)
    for (place, result) in zip(places, results) { outer.refuse(place, result) }
    var counts = TunnelCounts()
    counts.outputErrors = UInt64(count - kept.count)
    l2tp.counters.add(counts)
  }

  @inline(never)
  private mutating func refuseAll(_ count: Int, _ l2tp: L2TP, _ mishap: Mishap?, _ error: CInt) {
    for index in 0..<count { outer.refuse(index, error) }
    var counts = TunnelCounts()
    counts.outputErrors = UInt64(count)
    l2tp.counters.add(counts)
    if let mishap { l2tp.trouble.note(mishap) }
  }

  /// Says which tunnel is one too many.
  @inline(never)
  private func noteNested(_ nested: Tunnel, _ count: Int, _ l2tp: L2TP, _ shared: TunnelShared) {
    let mishap = Mishap.nested(in: nested.name, count: count)
    l2tp.trouble.note(mishap)
    if nested !== l2tp { nested.trouble.note(mishap) }
    if nested.trouble.mayLog() { shared.onLog(.notice, mishap.text) }
  }

  /// Shows the batch to the interface's readers.
  @inline(never)
  private mutating func tap(_ count: Int, _ l2tp: L2TP) {
    guard reader.begin(l2tp.point) else { return }
    for index in 0..<count { packets[index].tapFrame(by: &reader, .sent, l2tp.index) }
    reader.end()
  }
}

extension PacketRoom {
  /// Offers the packet, an Ethernet frame, to a pass. (`bpf_mtap`)
  func tapFrame(by reader: inout TapReader, _ way: BPF.Way, _ interface: UInt32) {
    let now = Clock.wall()
    let metadata = FrameMetadata(
      packetType: way == .sent ? 4 : 0, protocolType: bytes.holds(14) ? bytes.be16(at: 12) : 0, hardwareType: 1,
      interfaceIndex: interface)
    // SAFETY: the packet's bytes stay where they are until the pass has ended.
    unsafe reader.tap(
      TapFrame(
        base: UnsafeRawPointer(address), captured: UInt32(count), length: UInt32(count),
        seconds: UInt32(truncatingIfNeeded: now / 1_000_000_000),
        nanoseconds: UInt32(truncatingIfNeeded: now % 1_000_000_000), metadata: metadata), way)
  }
}
