// What the tests of requests and writes share: an interface that takes frames, requests by their numbers, errnos.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import Testing

@testable import SwBPFBPF

/// A driver that keeps what is sent, and is up or down as told.
final class SendingDriver: BPF.Driver, @unchecked Sendable {
  struct Sent: Equatable {
    var frame: [UInt8]
    var unseen: Bool
  }

  private let lock = Lock(rank: .driver)
  private var frames: [Sent] = []
  private var state = BPF.OutputState(isUp: true, maximumPayload: 1500, address: [2, 0, 0, 0, 0, 9])
  private var refusal: BPF.Failure?
  private var promiscuousRefusal: BPF.Failure?
  private var promiscuousCalls: [Bool] = []
  let retireTime: Int64 = 10_000_000

  var sent: [Sent] { lock.withLock { frames } }
  var promiscuous: [Bool] { lock.withLock { promiscuousCalls } }
  func set(isUp: Bool) { lock.withLock { state.isUp = isUp } }
  func set(maximumPayload: Int) { lock.withLock { state.maximumPayload = maximumPayload } }
  /// Sending fails from now on.
  func refuse(_ failure: BPF.Failure?) { lock.withLock { refusal = failure } }
  func refusePromiscuous(_ failure: BPF.Failure?) { lock.withLock { promiscuousRefusal = failure } }

  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {}
  func mayNarrow(_ interface: BPF.Ifnet) {}
  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {
    try lock.withLock { () throws(BPF.Failure) in
      if let promiscuousRefusal { throw promiscuousRefusal }
      promiscuousCalls.append(on)
    }
  }
  func outputState(of interface: BPF.Ifnet) throws(BPF.Failure) -> BPF.OutputState { lock.withLock { state } }
  func send(_ frame: [UInt8], from interface: BPF.Ifnet, unseen: Bool) throws(BPF.Failure) {
    try lock.withLock { () throws(BPF.Failure) in
      if let refusal { throw refusal }
      frames.append(Sent(frame: frame, unseen: unseen))
    }
  }
}

/// Interfaces by name, as BIOCSETIF finds them.
final class Names: BPF.InterfaceDirectory, @unchecked Sendable {
  private let known: [(name: String, interface: BPF.Interface)]
  init(_ known: [(String, BPF.Interface)]) { self.known = known }
  func interface(named name: String) throws -> BPF.Interface {
    guard let found = known.first(where: { $0.name == name }) else { throw BPF.Failure.noSuchInterface(name) }
    return found.interface
  }
  var interfaceNames: [String] { known.map(\.name) }
}

/// Two interfaces that frames can be written to; the first has a second tap point of raw IP.
final class Bench: Sendable {
  let driver = SendingDriver()
  let ifnet: BPF.Ifnet
  let interface: BPF.Interface
  private let second: BPF.Ifnet
  let other: BPF.Interface
  let settings = BPF.Settings()
  private let names: Names

  init() throws {
    ifnet = BPF.Ifnet(name: "en0", index: 3, driver: driver)
    interface = try ifnet.attach(linkType: 1, headerLength: 14)
    try ifnet.attach(linkType: 12, headerLength: 0)
    second = BPF.Ifnet(name: "en1", index: 4, driver: driver)
    other = try second.attach(linkType: 1, headerLength: 14)
    names = Names([("en0", interface), ("en1", other)])
  }

  func open(
    _ profile: BPF.Profile = .freebsd, attached: Bool = true, reads: Bool = true
  ) throws -> BPF.Descriptor {
    var configuration = BPF.Descriptor.Configuration.device(profile, settings: settings)
    configuration.directory = names
    configuration.clock = { 0 }
    configuration.reads = reads
    let one = try BPF.Descriptor(configuration)
    if attached { try one.attach(to: interface) }
    return one
  }

  /// One frame that the interface sees.
  func tap(_ frame: [UInt8], _ way: BPF.Way = .received) {
    var reader = TapReader()
    guard reader.begin(interface.pointOfDriver) else { return }
    frame.withUnsafeBytes { bytes in
      show(bytes, way, &reader)
      reader.end()
    }
  }
}

/// A request's number in the way BSD encodes it: bytes of the argument.
func argumentSize(_ request: UInt32) -> Int { Int(request >> 16 & 0x1fff) }

func little<N: FixedWidthInteger>(_ value: N) -> [UInt8] {
  (0..<MemoryLayout<N>.size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}

/// The name as a `struct ifreq` has it.
func ifreq(_ name: String, size: Int = 32) -> [UInt8] {
  Array(name.utf8) + Array(repeating: 0, count: size - name.utf8.count)
}

extension BPF.Descriptor {
  /// Asks with an argument; the errno, 0 when it works.
  func refusal(_ request: UInt32, _ argument: [UInt8]) -> CInt {
    var argument = argument
    do throws(BPF.Failure) { try ioctl(request: request, argument: &argument) } catch { return error.errno }
    return 0
  }

  /// The same with a number as the argument, or none.
  func refusal(_ request: UInt32, _ value: UInt32 = 0) -> CInt {
    refusal(request, argumentSize(request) == 0 ? [] : little(value))
  }

  /// Asks and gives the argument back.
  func answer(_ request: UInt32, _ argument: [UInt8]? = nil) throws -> [UInt8] {
    var argument = argument ?? Array(repeating: 0, count: argumentSize(request))
    try ioctl(request: request, argument: &argument)
    return argument
  }

  /// Asks for a number.
  func number(_ request: UInt32, _ value: UInt32 = 0) throws -> UInt32 {
    let bytes = try answer(request, little(value))
    return bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// Asks with a `struct bpf_program` for these instructions; the errno.
  func refusal(_ request: UInt32, program: [Instruction]) -> CInt {
    let code = program.flatMap { little($0.code) + [$0.jt, $0.jf] + little($0.k) }
    return code.withUnsafeBytes { bytes in
      let address = UInt64(UInt(bitPattern: bytes.baseAddress))
      return refusal(request, little(UInt32(program.count)) + [0, 0, 0, 0] + little(address))
    }
  }

  /// The errno of a write, 0 when it works.
  func writeRefusal(_ frame: [UInt8]) -> CInt {
    do throws(BPF.Failure) { try write(frame) } catch { return error.errno }
    return 0
  }
}

/// Everything that requests can set, for «nothing has changed».
struct Setting: Equatable {
  var bufferSize: Int
  var direction: BPF.Direction
  var immediate: Bool
  var nonBlocking: Bool
  var timeout: Int64
  var stamp: UInt32
  var headerComplete: Bool
  var feedback: UInt32
  var locked: Bool
  var signal: CInt
  var owner: pid_t
  var interfaces: [ObjectIdentifier]
  var linkType: Int32?
  var program: [Instruction]?
  var writeProgram: [Instruction]?
  var hasProgram: Bool
  var statistics: BPF.Statistics
  var stored: Int

  init(_ one: BPF.Descriptor) {
    bufferSize = one.bufferSize
    direction = one.direction
    immediate = one.isImmediate
    nonBlocking = one.isNonBlocking
    timeout = one.readTimeout
    stamp = one.stampFormat.rawValue
    headerComplete = one.isHeaderComplete
    feedback = one.feedback
    locked = one.isLocked
    signal = one.signal
    owner = one.signalOwner
    interfaces = one.interfaces.map(ObjectIdentifier.init)
    linkType = one.linkType
    program = one.attachments.last?.program?.instructions
    writeProgram = one.device.writeProgram?.instructions
    hasProgram = one.peer.hasProgram
    statistics = one.statistics
    stored = one.storedBytes
  }
}
