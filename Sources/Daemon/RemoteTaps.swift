// bpf descriptors for other processes. Main thread only.
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFDaemonClient
import SwBPFFilterMachine
import SwBPFInterfaces
import SwBPFLiveCapture

/// Makes descriptors with shared slots, attaches them to the daemon's interfaces, and does what their owners ask for.
package final class RemoteTaps: RemoteService {
  typealias Answer = (body: [UInt8], descriptors: [CInt])

  private let directory: any BPF.InterfaceDirectory
  private let accounts: Accounts
  /// What the kernel counted at the ring of an interface.
  private let ring: (String) -> RingStatistics
  private var peers: [UInt64: [UInt32: RemotePeer]] = [:]
  private var lastNumber: UInt32 = 0

  package init(
    _ directory: any BPF.InterfaceDirectory, limits: DaemonLimits,
    ring: @escaping (String) -> RingStatistics = { _ in RingStatistics() }
  ) {
    self.directory = directory
    self.ring = ring
    accounts = Accounts(limits)
    // A client that has gone is no reason to end: its pipe has no reader when a tap tells it of something.
    swpcap_signal_ignore(SIGPIPE)
  }

  package func perform(
    _ kind: MessageKind, _ body: [UInt8], client: UInt64, caller: Caller, allows: (Right) -> Bool
  ) throws(InterfaceFailure) -> (body: [UInt8], descriptors: [CInt]) {
    guard let fields = MessageBody(body, tags: RemoteTag.all) else { throw failure(EINVAL) }
    if kind == .bpfOpen { return try open(fields, client, caller) }
    guard let number = fields.number(RemoteTag.descriptor, UInt32.self) else { throw failure(EINVAL) }
    guard let peer = peers[client]?[number] else { throw failure(EBADF) }
    do {
      switch kind {
      case .bpfAttach: return (try attach(peer, fields, allows), [])
      case .bpfRequest: return (try request(peer, fields, allows), [])
      case .bpfWrite:
        guard let frame = fields[RemoteTag.frame] else { throw failure(EINVAL) }
        // Where it is at no interface there is nothing that a right could be asked for.
        guard peer.name.map({ allows(.inject(interface: $0)) }) ?? true else { throw failure(EPERM, "write") }
        try peer.descriptor.write(Array(frame))
      case .bpfClose:
        peers[client]?[number] = nil
        close(peer)
      default: throw failure(EOPNOTSUPP)
      }
      return ([], [])
    } catch let error as InterfaceFailure {
      throw error
    } catch let error as BPF.Failure {
      throw failure(error.errno)
    } catch { throw failure(EINVAL) }
  }

  private func failure(_ errno: CInt, _ request: String = "bpf") -> InterfaceFailure {
    InterfaceFailure(errno: errno, request: request, text: "")
  }

  // MARK: Coming and going

  private func open(_ fields: MessageBody, _ client: UInt64, _ caller: Caller) throws(InterfaceFailure) -> Answer {
    guard let size = fields.number(RemoteTag.slotSize, UInt64.self),
      let slots = fields.number(RemoteTag.slots, UInt64.self),
      let nanoseconds = fields.number(RemoteTag.nanoseconds, UInt8.self), nanoseconds < 2,
      let memory = RemotePeer.memory(slotSize: size, slots: slots)
    else { throw failure(EINVAL) }
    let error = accounts.takePeer(caller.user, memory: memory)
    if error != 0 { throw failure(error) }
    do throws(InterfaceFailure) {
      let (peer, descriptors) = try RemotePeer.make(
        slotSize: Int(size), slots: Int(slots), memory: memory, nanoseconds: nanoseconds == 1, caller: caller,
        names: AllowedNames(directory))
      repeat { lastNumber &+= 1 } while peers[client]?[lastNumber] != nil
      peers[client, default: [:]][lastNumber] = peer
      var writer = FieldWriter()
      writer.put(RemoteTag.descriptor, lastNumber)
      return (writer.bytes, descriptors)
    } catch {
      accounts.returnPeer(caller.user, memory: memory)
      throw error
    }
  }

  private func close(_ peer: RemotePeer) {
    peer.descriptor.detach()
    accounts.returnPeer(peer.user, memory: peer.memory)
  }

  package func ended(_ client: UInt64) {
    for peer in (peers.removeValue(forKey: client) ?? [:]).values { close(peer) }
  }

  package func shutdown() {
    for client in Array(peers.keys) { ended(client) }
  }

  // MARK: Requests

  private func attach(_ peer: RemotePeer, _ fields: MessageBody, _ allows: (Right) -> Bool) throws -> [UInt8] {
    guard let name = fields.text(MessageTag.name, limit: MessageLimit.name) else { throw failure(EINVAL) }
    // Before it is said whether there is such an interface.
    guard allows(.capture(interface: name)), !peer.descriptor.isLocked else { throw failure(EPERM, "BIOCSETIF") }
    peer.descriptor.noteBuffers()
    let interface = try directory.interface(named: name)
    try peer.descriptor.attach(to: interface)
    peer.name = name
    peer.ringBefore = ring(name)
    var writer = FieldWriter()
    writer.put(RemoteTag.linkType, interface.linkType)
    writer.put(RemoteTag.delay, 2 * interface.ifnet.driver.retireTime)
    return writer.bytes
  }

  private func request(_ peer: RemotePeer, _ fields: MessageBody, _ allows: (Right) -> Bool) throws -> [UInt8] {
    guard let number = fields.number(RemoteTag.number, UInt32.self) else { throw failure(EINVAL) }
    var writer = FieldWriter()
    switch RemoteRequest(rawValue: number) {
    case .state?: state(of: peer, into: &writer)
    case .detach?: peer.descriptor.detach()
    // What BIOCLOCK binds it binds in every form.
    case .program? where peer.descriptor.isLocked, .direction? where peer.descriptor.isLocked: throw failure(EPERM)
    case .program?: try setProgram(peer.descriptor, fields)
    case .direction?:
      guard let value = fields.number(RemoteTag.direction, UInt32.self), let direction = BPF.Direction(rawValue: value)
      else { throw failure(EINVAL) }
      try peer.descriptor.setDirection(direction)
    case nil:
      // Where it is attached it was allowed to be; what it takes is asked again, for rights may have gone.
      switch BPF.Descriptor.right(ofRequest: number) {
      case .own?: break
      case .capture?:
        guard peer.name.map({ allows(.capture(interface: $0)) }) ?? true else { throw failure(EPERM) }
      case .inject?:
        guard peer.name.map({ allows(.inject(interface: $0)) }) ?? true else { throw failure(EPERM) }
      case nil: throw failure(EOPNOTSUPP)
      }
      var argument = fields[RemoteTag.argument].map { Array($0) } ?? []
      var memory = fields[RemoteTag.memory].map { Array($0) } ?? []
      try peer.names.during(allows) {
        try peer.descriptor.ioctl(request: number, argument: &argument, memory: &memory)
      }
      writer.put(RemoteTag.argument, argument)
      if !memory.isEmpty { writer.put(RemoteTag.memory, memory) }
    }
    return writer.bytes
  }

  private func setProgram(_ descriptor: BPF.Descriptor, _ fields: MessageBody) throws {
    let flushes = fields.number(RemoteTag.flushes, UInt8.self) == 1
    guard let bytes = fields[RemoteTag.program] else { return try descriptor.setProgram(nil, flushing: flushes) }
    guard bytes.count % 8 == 0 else { throw failure(EINVAL) }
    let instructions = stride(from: 0, to: bytes.count, by: 8).map { offset in
      Instruction(
        code: bytes.number(UInt16.self, at: offset) ?? 0, jt: bytes.number(UInt8.self, at: offset + 2) ?? 0,
        jf: bytes.number(UInt8.self, at: offset + 3) ?? 0, k: bytes.number(UInt32.self, at: offset + 4) ?? 0)
    }
    let program = try Program(instructions, ancillary: true, limit: Program.expressionLimit)
    try descriptor.setProgram(program, flushing: flushes)
  }

  private func state(of peer: RemotePeer, into writer: inout FieldWriter) {
    if let name = peer.descriptor.interfaces.first?.ifnet.name ?? peer.name {
      writer.put(MessageTag.name, name, limit: MessageLimit.name)
    }
    if let type = peer.descriptor.linkType { writer.put(RemoteTag.linkType, type) }
    writer.put(RemoteTag.direction, peer.descriptor.direction.rawValue)
    var counters: [UInt8] = []
    for word in peer.descriptor.statistics.words { counters.appendNumber(word) }
    writer.put(RemoteTag.counters, counters)
    let ring = ringStatistics(of: peer)
    counters = []
    for word in [ring.dropped, ring.freezes, ring.isNarrowed ? 1 : 0] { counters.appendNumber(word) }
    writer.put(RemoteTag.ring, counters)
  }

  /// Since it was attached.
  private func ringStatistics(of peer: RemotePeer) -> RingStatistics {
    guard let name = peer.name else { return RingStatistics() }
    var now = ring(name)
    // Those of an interface that came anew begin again.
    now.dropped = now.dropped >= peer.ringBefore.dropped ? now.dropped - peer.ringBefore.dropped : now.dropped
    now.freezes = now.freezes >= peer.ringBefore.freezes ? now.freezes - peer.ringBefore.freezes : now.freezes
    return now
  }

  // MARK: Seeing

  package func peerLines(of user: UInt32?) -> [String] {
    let all = peers.values.flatMap(\.values).filter { user == nil || $0.user == user }
    return all.map { RemotePeerLine.text(of: $0, ring: ringStatistics(of: $0)) }.sorted()
  }
}
