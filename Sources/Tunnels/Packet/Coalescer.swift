// Segments that came out of a tunnel together, put together again: the system takes them as one packet. (GRO; RFC 9293, RFC 768)
// Used by one worker. The reverse of ``Segments``: what is put together here and cut there is the same, to the byte.
import SwBPFPackets

/// Finds in a batch which packets go on where another one ended.
///
/// Put together are TCP segments and UDP datagrams of one flow and of equal size, of which only the last may be shorter, that
/// agree in all of their headers but what counts up, and whose checksums are right. What does not go on with its flow
/// comes behind what has come of it, so the order in a flow stays.
package struct Coalescer {
  /// Packets that are given to the system as one.
  package struct Run {
    /// Places in the batch.
    package fileprivate(set) var first: Int
    fileprivate(set) var last: Int
    /// 1 is a packet as it came.
    package fileprivate(set) var count = 1
    fileprivate(set) var length: Int
    fileprivate var shape: Shape?
    fileprivate var isChecked = false
    /// The system has put it together, or has not finished its checksum: it is given on as it came, and said to be so.
    package fileprivate(set) var isUndone = false
  }

  /// Where the parts of a packet are, and whether others may follow.
  fileprivate struct Shape {
    var isIPv6: Bool
    var isTCP: Bool
    var network: Int
    var headers: Int
    var payload: Int
    var mayBegin: Bool
  }

  /// Flows that are looked after at the same time.
  private static var mostOpen: Int { 8 }

  package private(set) var runs: [Run] = []
  /// The next packet of the same run, by place.
  private var following: [Int]
  /// Runs that may go on.
  private var open: [Int] = []

  /// - Parameter capacity: packets of a batch.
  package init(capacity: Int) {
    following = Array(repeating: -1, count: capacity)
    runs.reserveCapacity(capacity)
    open.reserveCapacity(Self.mostOpen)
  }

  /// Sorts a batch into ``runs``, in the order of their first packets.
  /// - Parameter isOn: when not, each packet is a run. What the system left undone with it is looked for all the same.
  package mutating func arrange(_ packets: borrowing [PacketRoom], _ count: Int, isOn: Bool) {
    runs.removeAll(keepingCapacity: true)
    open.removeAll(keepingCapacity: true)
    for place in 0..<count {
      following[place] = -1
      guard let shape = Shape(packets[place]) else {
        // Nobody knows which flow it is of.
        open.removeAll(keepingCapacity: true)
        runs.append(Run(first: place, last: place, length: packets[place].count))
        continue
      }
      let isUndone = Checksums.isUndone(packets[place].bytes, start: shape.network, isTCP: shape.isTCP)
      if let index = open.firstIndex(where: {
        isSameFlow(packets[runs[$0].first], packets[place], shape, runs[$0].shape)
      }) {
        if !isUndone && goesOn(open[index], packets, place, shape) {
          let run = open[index]
          following[runs[run].last] = place
          runs[run].last = place
          runs[run].count += 1
          runs[run].length += shape.payload
          if !shape.mayBegin || shape.payload < runs[run].shape?.payload ?? 0 { open.remove(at: index) }
          continue
        }
        open.remove(at: index)
      }
      runs.append(
        Run(first: place, last: place, length: packets[place].count, shape: shape, isUndone: isUndone))
      guard isOn && !isUndone && shape.mayBegin else { continue }
      if open.count == Self.mostOpen { open.removeFirst() }
      open.append(runs.count - 1)
    }
  }

  /// The packet of a run behind another one.
  @inline(__always)
  package func place(after place: Int) -> Int? { following[place] < 0 ? nil : following[place] }

  /// Bytes in front of the payload of each packet of a run.
  package func headerLength(of run: Run) -> Int { run.shape?.headers ?? 0 }

  /// Makes the headers of a run's first packet those of the whole, which is its bytes and the payloads of the others.
  /// - Parameter mtu: of the interface. What the system put together and is longer is to be cut to that: nobody tells how long
  ///   its segments were.
  /// - Returns: what the system has to know of it.
  package func join(_ run: Run, _ packets: inout [PacketRoom], mtu: Int) -> PacketOffload {
    var offload = PacketOffload()
    guard let shape = run.shape else { return offload }
    if run.isUndone { return undone(run, shape, mtu: mtu) }
    guard run.count > 1 else { return offload }
    let (first, network) = (run.first, shape.network)
    let transport = run.length - network
    if shape.isIPv6 {
      packets[first].store(be16: UInt16(run.length - IPv6View.fixedLength), at: 4)
    } else {
      packets[first].store(be16: UInt16(run.length), at: 2)
      packets[first].store(be16: 0, at: 10)
      packets[first].store(be16: InternetChecksum.of(packets[first].bytes.extracting(first: network)), at: 10)
    }
    if shape.isTCP {
      let flags = packets[run.last].bytes.u8(at: network + 13)
      packets[first].store(flags | packets[first].bytes.u8(at: network + 13), at: network + 13)
    } else {
      packets[first].store(be16: UInt16(transport), at: network + 4)
    }
    let place: UInt16 = shape.isTCP ? 16 : 6
    let pseudo = Checksums.pseudo(packets[first].bytes, length: transport, isTCP: shape.isTCP)
    packets[first].store(be16: ~pseudo.value, at: network + Int(place))
    offload.segments = shape.isTCP ? (shape.isIPv6 ? .tcp6 : .tcp4) : .udp
    offload.segmentSize = UInt16(shape.payload)
    offload.checksum = (UInt16(network), place)
    return offload
  }

  private func undone(_ run: Run, _ shape: Shape, mtu: Int) -> PacketOffload {
    var offload = PacketOffload()
    offload.checksum = (UInt16(shape.network), shape.isTCP ? 16 : 6)
    if shape.isTCP && run.length > mtu && mtu > shape.headers {
      offload.segments = shape.isIPv6 ? .tcp6 : .tcp4
      offload.segmentSize = UInt16(mtu - shape.headers)
    }
    return offload
  }

  // MARK: What belongs together

  private func isSameFlow(_ a: borrowing PacketRoom, _ b: borrowing PacketRoom, _ shape: Shape, _ other: Shape?) -> Bool
  {
    guard let other, other.isIPv6 == shape.isIPv6, other.isTCP == shape.isTCP else { return false }
    let (x, y) = (a.bytes, b.bytes)
    guard x.be32(at: shape.network) == y.be32(at: shape.network) else { return false }
    guard shape.isIPv6 else { return x.be64(at: 12) == y.be64(at: 12) }
    return x.be64(at: 8) == y.be64(at: 8) && x.be64(at: 16) == y.be64(at: 16) && x.be64(at: 24) == y.be64(at: 24)
      && x.be64(at: 32) == y.be64(at: 32)
  }

  private mutating func goesOn(_ index: Int, _ packets: borrowing [PacketRoom], _ place: Int, _ shape: Shape) -> Bool {
    let run = runs[index]
    guard let front = run.shape, front.headers == shape.headers, shape.payload > 0, shape.payload <= front.payload,
      run.length + shape.payload <= 0xffff
    else { return false }
    let (x, y) = (packets[run.first].bytes, packets[place].bytes)
    let network = shape.network
    if shape.isIPv6 {
      // Version, class and label; next header and hop limit.
      guard x.be32(at: 0) == y.be32(at: 0), x.be16(at: 6) == y.be16(at: 6) else { return false }
    } else {
      guard x.be16(at: 0) == y.be16(at: 0), x.be16(at: 6) == y.be16(at: 6), x.be16(at: 8) == y.be16(at: 8),
        y.be16(at: 4) == x.be16(at: 4) &+ UInt16(truncatingIfNeeded: run.count),
        InternetChecksum.of(y.extracting(first: network)) == 0
      else { return false }
    }
    if shape.isTCP {
      let expected = x.be32(at: network + 4) &+ UInt32(truncatingIfNeeded: run.count * front.payload)
      // PSH and FIN end a run; the window is that of the last segment, so it must not change.
      guard y.be32(at: network + 4) == expected, x.be32(at: network + 8) == y.be32(at: network + 8),
        (x.be16(at: network + 12) ^ y.be16(at: network + 12)) & ~9 == 0,
        x.be16(at: network + 14) == y.be16(at: network + 14), x.be16(at: network + 18) == y.be16(at: network + 18)
      else { return false }
      var offset = network + 20
      while offset < shape.headers {
        guard x.be32(at: offset) == y.be32(at: offset) else { return false }
        offset += 4
      }
    }
    if !run.isChecked {
      guard shape.isIPv6 || InternetChecksum.of(x.extracting(first: network)) == 0,
        Checksums.isRight(x, start: network, isTCP: shape.isTCP)
      else { return false }
      runs[index].isChecked = true
    }
    return Checksums.isRight(y, start: network, isTCP: shape.isTCP)
  }
}

extension Coalescer.Shape {
  /// - Returns: nil for what is no whole TCP or UDP packet right behind an IP header without options.
  init?(_ packet: borrowing PacketRoom) {
    let bytes = packet.bytes
    guard bytes.holds(IPv4View.fixedLength + 8) else { return nil }
    let transport: UInt8
    switch bytes.u8(at: 0) {
    case 0x45:
      // Neither a fragment nor longer than it says.
      guard bytes.be16(at: 6) & 0x3fff == 0, Int(bytes.be16(at: 2)) == packet.count else { return nil }
      (isIPv6, network, transport) = (false, IPv4View.fixedLength, bytes.u8(at: 9))
    case 0x60...0x6f:
      guard bytes.holds(IPv6View.fixedLength + 8), Int(bytes.be16(at: 4)) + IPv6View.fixedLength == packet.count else {
        return nil
      }
      (isIPv6, network, transport) = (true, IPv6View.fixedLength, bytes.u8(at: 6))
    default: return nil
    }
    if transport == IPProtocol.tcp {
      guard bytes.holds(20, at: network) else { return nil }
      let length = Int(bytes.u8(at: network + 12) >> 4) * 4
      guard length >= 20, bytes.holds(length, at: network) else { return nil }
      (isTCP, headers) = (true, network + length)
      payload = packet.count - headers
      // ACK, with or without ECE.
      mayBegin = payload > 0 && bytes.u8(at: network + 13) & ~0x40 == 0x10
    } else if transport == IPProtocol.udp {
      (isTCP, headers) = (false, network + 8)
      payload = packet.count - headers
      guard Int(bytes.be16(at: network + 4)) == packet.count - network else { return nil }
      // Without a checksum there is nothing to go by.
      mayBegin = payload > 0 && bytes.be16(at: network + 6) != 0
    } else {
      return nil
    }
  }
}
