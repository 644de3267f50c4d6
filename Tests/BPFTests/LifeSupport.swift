// What the tests of a descriptor's life share: requests by number, interfaces by name, a driver that sends.
import Glibc
import SwBPFFilterMachine
import SwBPFKern

@testable import SwBPFBPF

/// The requests of these tests by FreeBSD's numbers.
enum LifeRequest: UInt32, CaseIterable {
  case biocgblen = 0x4004_4266
  case biocsblen = 0xc004_4266
  case biocsetf = 0x8010_4267
  case biocsetfnr = 0x8010_4282
  case biocsetwf = 0x8010_427b
  case biocflush = 0x2000_4268
  case biocpromisc = 0x2000_4269
  case biocgdlt = 0x4004_426a
  case biocsdlt = 0x8004_4278
  case biocgdltlist = 0xc010_4279
  case biocgetif = 0x4020_426b
  case biocsetif = 0x8020_426c
  case biocshdrcmplt = 0x8004_4275
  case biocgdirection = 0x4004_4276
  case biocsdirection = 0x8004_4277
  case biocfeedback = 0x8004_427c
  case bioclock = 0x2000_427a
}

extension BPF.Descriptor {
  /// Asks with a word, or with nothing, and gives the word that comes back.
  @discardableResult
  func ask(_ request: LifeRequest, _ word: UInt32 = 0) throws(BPF.Failure) -> UInt32 {
    var bytes = [UInt8](repeating: 0, count: BPF.RequestNumber(rawValue: request.rawValue).size)
    for index in 0..<min(4, bytes.count) { bytes[index] = UInt8(truncatingIfNeeded: word >> (8 * index)) }
    try ioctl(request: request.rawValue, argument: &bytes)
    return bytes.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// BIOCSETIF
  func bind(to name: String) throws(BPF.Failure) {
    var bytes = [UInt8](repeating: 0, count: 32)
    for (index, byte) in name.utf8.prefix(16).enumerated() { bytes[index] = byte }
    try ioctl(request: LifeRequest.biocsetif.rawValue, argument: &bytes)
  }

  /// BIOCGETIF
  func boundName() throws(BPF.Failure) -> String {
    var bytes = [UInt8](repeating: 0, count: 32)
    try ioctl(request: LifeRequest.biocgetif.rawValue, argument: &bytes)
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// BIOCSETF, BIOCSETFNR or BIOCSETWF; nil is the empty program.
  func install(_ program: Program?, by request: LifeRequest = .biocsetf) throws {
    let words = (program?.instructions ?? []).map { one in
      UInt64(one.code) | UInt64(one.jt) << 16 | UInt64(one.jf) << 24 | UInt64(one.k) << 32
    }
    try words.withUnsafeBytes { memory in
      let address = words.isEmpty ? 0 : UInt64(UInt(bitPattern: memory.baseAddress))
      var bytes = [UInt8](repeating: 0, count: 16)
      bytes[0] = UInt8(words.count)
      for index in 0..<8 { bytes[8 + index] = UInt8(truncatingIfNeeded: address >> (8 * UInt64(index))) }
      try ioctl(request: request.rawValue, argument: &bytes)
    }
  }

  /// BIOCGDLTLIST with room for so many; nil is the NULL list. The list's memory and the length that comes back.
  func linkTypeList(room: Int?) throws(BPF.Failure) -> (list: [Int32], length: UInt32) {
    var list = [Int32](repeating: -1, count: 8)
    var bytes = [UInt8](repeating: 0, count: 16)
    let failure: BPF.Failure? = list.withUnsafeMutableBytes { memory in
      let address = room == nil ? 0 : UInt64(UInt(bitPattern: memory.baseAddress))
      bytes[0] = UInt8(room ?? 0)
      for index in 0..<8 { bytes[8 + index] = UInt8(truncatingIfNeeded: address >> (8 * UInt64(index))) }
      do throws(BPF.Failure) { try ioctl(request: LifeRequest.biocgdltlist.rawValue, argument: &bytes) } catch {
        return error
      }
      return nil
    }
    if let failure {
      guard list.allSatisfy({ $0 == -1 }) else { throw .invalid("a refused request wrote to the list") }
      throw failure
    }
    return (list, UInt32(bytes[0]))
  }
}

/// The errno that something is refused with; 0 when it is not.
func refusal(_ body: () throws -> Void) -> CInt {
  do { try body() } catch let error as BPF.Failure { return error.errno } catch { return -1 }
  return 0
}

/// Interfaces by name, as BIOCSETIF finds them.
final class LifeNames: BPF.InterfaceDirectory, @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  private var known: [String: BPF.Ifnet]
  private var asked = 0

  init(_ interfaces: BPF.Ifnet...) {
    known = Dictionary(uniqueKeysWithValues: interfaces.map { ($0.name, $0) })
  }

  func add(_ ifnet: BPF.Ifnet) {
    let name = ifnet.name
    lock.withLock { known[name] = ifnet }
  }
  /// Look-ups so far.
  var lookUps: Int { lock.withLock { asked } }

  func interface(named name: String) throws -> BPF.Interface {
    let ifnet = lock.withLock {
      asked += 1
      return known[name]
    }
    guard let point = ifnet?.defaultInterface else { throw BPF.Failure.noSuchInterface(name) }
    return point
  }

  var interfaceNames: [String] { lock.withLock { known.keys.sorted() } }
}

/// A descriptor for requests, with records that are easy to read; births are never looked at.
func opened(
  _ names: LifeNames, reads: Bool = true, settings: BPF.Settings = BPF.Settings(), slots: Int = 4
) throws -> BPF.Descriptor {
  var configuration = BPF.Descriptor.Configuration(slotSize: 4096, slots: slots)
  configuration.directory = names
  configuration.reads = reads
  configuration.settings = settings
  configuration.clock = { 0 }
  return try BPF.Descriptor(configuration)
}

/// A driver that takes what is written, and may be told to do something while it does.
final class LifeDriver: BPF.Driver, @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  private var frames: [[UInt8]] = []
  private let meanwhile: @Sendable () -> Void
  let retireTime: Int64 = 10_000_000

  init(meanwhile: @escaping @Sendable () -> Void = {}) { self.meanwhile = meanwhile }

  var sent: [[UInt8]] { lock.withLock { frames } }

  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {}
  func mayNarrow(_ interface: BPF.Ifnet) {}
  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {}

  func outputState(of interface: BPF.Ifnet) throws(BPF.Failure) -> BPF.OutputState {
    BPF.OutputState(isUp: true, maximumPayload: 1500, address: [2, 0, 0, 0, 0, 1])
  }

  func send(_ frame: [UInt8], from interface: BPF.Ifnet, unseen: Bool) throws(BPF.Failure) {
    meanwhile()
    lock.withLock { frames.append(frame) }
  }
}
