// Carries what comes to ports of NAT traversal for those who negotiate keys to where net.ipsec.ike says, and their answers back.
// Used by the input worker, and by nobody else. (CPcapShim)
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFKern
import SwBPFPackets

/// Each peer has a socket of its own to the taker, who knows peers by its port. (RFC 3948, 2.2: behind four zero bytes, which stay)
///
/// Their number is bounded: who was never answered goes first, then who was silent for longest.
/// - Threads: one.
final class IKERelay: @unchecked Sendable {
  /// Peers at a time, and new ones in a second.
  static let mostPeers = 256
  /// Answers of one peer in one turn.
  private static let burst = 32
  private static let hops: UInt8 = 64

  private struct Peer: Hashable {
    /// As an interface would have it: its own address first.
    let pair: TunnelPair
    let ports: NATPorts
  }

  private struct Flow {
    let peer: Peer
    let descriptor: CInt
    /// Goes up with each packet.
    var used: UInt64
    var isAnswered = false
  }

  /// Readable while an answer waits.
  let descriptor: CInt
  private let shared: IPsecShared
  private var taker: Published<IKETaker?>.Copy
  private var flows: [UInt64: Flow] = [:]
  private var tags: [Peer: UInt64] = [:]
  private var lastTag: UInt64 = 0
  private var turn: UInt64 = 0
  private var newest: (second: Int, count: Int) = (0, 0)
  private let memory = PacketBatch(1, size: 65536, headroom: 0)
  private let train = DatagramTrain(capacity: 1)
  private var waiting = [UInt64](repeating: 0, count: 16)

  init(_ shared: IPsecShared) throws(BPF.Failure) {
    self.shared = shared
    taker = shared.taker.copy()
    descriptor = swpcap_poll_open()
    guard descriptor >= 0 else { throw .system(errno: -descriptor, call: "epoll_create") }
  }

  deinit {
    for flow in flows.values { close(flow.descriptor) }
    close(descriptor)
  }

  /// Goes by what is set now, and lets go of peers of ports that are closed.
  func refresh() {
    let old = taker.value
    shared.taker.refresh(&taker)
    for (tag, flow) in flows where taker.value != old || socket(of: flow.peer) == nil { end(tag) }
  }

  private func socket(of peer: Peer) -> NATSocket? {
    shared.sockets.known(isIPv6: peer.pair.isIPv6, port: peer.ports.own)
  }

  // MARK: To the taker

  /// Forwards a packet, or drops it: each is counted.
  @inline(never)
  func take(_ packet: PacketRoom, _ outer: OuterInfo, _ ports: NATPorts, _ broadcasts: [UInt32]) {
    shared.natCounters.addIKE(isForwarded: forward(packet, outer, ports, broadcasts))
  }

  private func forward(
    _ packet: PacketRoom, _ outer: OuterInfo, _ ports: NATPorts, _ broadcasts: [UInt32]
  ) -> Bool {
    // What comes from the taker's own address may be what was sent there: it would go round for ever.
    guard let taker = taker.value, packet.count > 4, let pair = outer.pair, ports.peer != 0,
      outer.source.unscoped != taker.endpoint.address.unscoped, !GifPacket.isMartian(outer.source, broadcasts)
    else { return false }
    let peer = Peer(pair: pair, ports: ports)
    guard let tag = tags[peer] ?? open(peer, taker), let flow = flows[tag] else { return false }
    turn += 1
    flows[tag]?.used = turn
    var sent = unsafe Glibc.send(flow.descriptor, packet.address, packet.count, 0)
    // An earlier packet found nobody; this one has not been sent yet.
    if sent < 0 && errno == ECONNREFUSED {
      sent = unsafe Glibc.send(flow.descriptor, packet.address, packet.count, 0)
    }
    return sent == packet.count
  }

  /// - Returns: nil when it cannot be, or not now.
  private func open(_ peer: Peer, _ taker: IKETaker) -> UInt64? {
    let second = Int(Clock.monotonic() / 1_000_000_000)
    if newest.second != second { newest = (second, 0) }
    guard newest.count < Self.mostPeers else { return nil }
    newest.count += 1
    if flows.count >= Self.mostPeers, let least = flows.min(by: { Self.isLess($0.value, $1.value) }) { end(least.key) }
    let (address, port) = (taker.endpoint.address, taker.endpoint.port)
    // SAFETY: 16 plain bytes.
    var bytes = unsafe unsafeBitCast(address.wire, to: InlineArray<16, UInt8>.self)
    let socket = unsafe withUnsafeBytes(of: &bytes) { bytes in
      unsafe swpcap_udp_connect(
        address.isIPv6 ? AF_INET6 : AF_INET, bytes.bindMemory(to: UInt8.self).baseAddress, address.scope, port)
    }
    guard socket >= 0 else { return nil }
    lastTag += 1
    guard swpcap_poll_add(descriptor, socket, lastTag) == 0 else {
      close(socket)
      return nil
    }
    flows[lastTag] = Flow(peer: peer, descriptor: socket, used: turn)
    tags[peer] = lastTag
    return lastTag
  }

  private static func isLess(_ one: Flow, _ other: Flow) -> Bool {
    one.isAnswered == other.isAnswered ? one.used < other.used : !one.isAnswered
  }

  private func end(_ tag: UInt64) {
    guard let flow = flows.removeValue(forKey: tag) else { return }
    tags[flow.peer] = nil
    close(flow.descriptor)
  }

  // MARK: Back

  /// Sends the answers that wait to whom they are for.
  func answer() {
    let count = unsafe swpcap_poll_wait(descriptor, &waiting, CInt(waiting.count), 0)
    guard count > 0 else { return }
    for tag in waiting.prefix(Int(count)) { answer(tag) }
  }

  private func answer(_ tag: UInt64) {
    guard let flow = flows[tag] else { return }
    guard let socket = socket(of: flow.peer) else { return end(tag) }
    for _ in 0..<Self.burst {
      var packet = memory.packets[0]
      packet.reset(headroom: 0, count: 0)
      let got = unsafe recv(flow.descriptor, packet.address, packet.room, 0)
      // The error of an earlier packet is gone by being told.
      guard got >= 0, packet.append(got) else { return }
      var isSent = false
      if ESPInUDP.mayAnswer(packet.bytes) {
        train.removeAll()
        train.add(packet)
        isSent =
          socket.send(train, DatagramWay(pair: flow.peer.pair, port: flow.peer.ports.peer, hops: Self.hops)) == 0
      }
      shared.natCounters.addAnswer(isSent: isSent)
      turn += 1
      flows[tag]?.used = turn
      if isSent { flows[tag]?.isAnswered = true }
    }
  }
}
