// What the tests of live capture share: two hosts on a cable, numbered frames that nobody answers, frames read back.
import Glibc
import SwBPFBPF
import SwBPFLiveCapture

@testable import TestSupport

/// Two hosts on a cable.
struct Wire: Sendable {
  let near: Host
  let far: Host
  let nearEnd: LinkEnd
  let farEnd: LinkEnd
  private let out: FrameSender

  init() throws {
    near = try Host("near")
    far = try Host("far")
    (nearEnd, farEnd) = try Host.link(near, "va", far, "vb")
    out = try FrameSender(in: near, interface: "va")
  }

  /// Frames that `near` sees leave and `far` sees arrive.
  func send(_ numbers: Range<UInt64>, vlans: [UInt16] = [], size: Int = 46) throws {
    for number in numbers { try out.send(numbered(number, vlans: vlans, size: size)) }
  }

  func numbered(_ number: UInt64, vlans: [UInt16] = [], size: Int = 46) -> [UInt8] {
    Frame.ethernet(
      from: nearEnd.mac, to: farEnd.mac, vlans: vlans, type: experimental,
      Array(bytes(of: number)) + Array(repeating: 0, count: size - 8))
  }

  /// A frame back, with the number's top bit set.
  func numberedBack(_ number: UInt64) -> [UInt8] {
    Frame.ethernet(
      from: farEnd.mac, to: nearEnd.mac, type: experimental, bytes(of: number | back) + Array(repeating: 0, count: 38))
  }
}

/// The number's top bit marks frames from `far` to `near`.
let back: UInt64 = 1 << 63
/// An Ethernet type for local experiments: no host answers it.
let experimental: UInt16 = 0x88b5

func bytes(of number: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) } }

/// A frame as a reader saw it.
struct Seen: Equatable, Sendable {
  let length: Int
  let bytes: [UInt8]

  /// The number of a frame made here, behind any VLAN tags.
  var number: UInt64? {
    var offset = 12
    while bytes.count > offset + 1, bytes[offset] == 0x81, bytes[offset + 1] == 0 { offset += 4 }
    guard bytes.count >= offset + 10, bytes[offset] == 0x88, bytes[offset + 1] == 0xb5 else { return nil }
    return UDPSender.number(in: bytes[(offset + 2)...])
  }
}

extension BPF.Descriptor {
  /// Reads until `count` frames came or the seconds are over, then what else is there.
  func collect(_ count: Int, within seconds: Double = 5) throws -> [Seen] {
    var seen: [Seen] = []
    let end = monotonicSeconds() + seconds
    var extra = false
    while true {
      if seen.count >= count {
        if extra { return seen }
        extra = true
      } else if monotonicSeconds() > end {
        return seen
      }
      if let slot = try nextSlot(timeout: .milliseconds(30)) { seen += frames(slot) }
    }
  }

  func frames(_ slot: borrowing BPF.Slot) -> [Seen] {
    var seen: [Seen] = []
    // swift-format-ignore: ReplaceForEachWithForLoop
    slot.eachRecord { record in
      seen.append(Seen(length: record.wireLength, bytes: record.frame.withUnsafeBytes { Array($0) }))
    }
    return seen
  }
}

/// What an engine said, from whatever thread.
final class Events: @unchecked Sendable {
  private let monitor = Monitor()
  private var list: [CaptureEngine.Event] = []

  func add(_ event: CaptureEngine.Event) { monitor.withLock { list.append(event) } }
  var all: [CaptureEngine.Event] { monitor.withLock { list } }
  func has(_ event: CaptureEngine.Event) -> Bool { eventually { all.contains(event) } }
}

extension Host {
  /// An engine whose sockets belong to this host.
  func engine(_ options: RingOptions = RingOptions(), events: Events? = nil) throws -> CaptureEngine {
    try inside { try CaptureEngine(options) { events?.add($0) } }
  }

  /// A descriptor attached to an interface, with frames readable at once.
  func reader(
    _ engine: CaptureEngine, _ interface: String, _ direction: BPF.Direction = .inOut, filter: String? = nil,
    _ configuration: BPF.Descriptor.Configuration = .init()
  ) throws -> BPF.Descriptor {
    let descriptor = try BPF.Descriptor(configuration)
    try descriptor.setDirection(direction)
    descriptor.setImmediate(true)
    if let filter { try descriptor.setFilter(filter) }
    try inside { try engine.attach(descriptor, to: interface) }
    return descriptor
  }

  func isUp(_ interface: String) throws -> Bool {
    try eventually { try ip("link show dev \(interface)").contains("LOWER_UP") }
  }

  /// The sockets of AF_PACKET in this host that have a ring mapped into this process.
  func mappedRings() throws -> Int {
    let (packet, maps) = inside { (readText("/proc/thread-self/net/packet"), readText("/proc/self/maps")) }
    let inodes = packet.split(separator: "\n").dropFirst().compactMap { $0.split(separator: " ").last }
    return inodes.filter { maps.contains("socket:[\($0)]") }.count
  }
}

func readText(_ path: String) -> String {
  guard let file = fopen(path, "r") else { return "" }
  defer { fclose(file) }
  var all: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = fread(&buffer, 1, buffer.count, file)
    if count == 0 { return String(decoding: all, as: UTF8.self) }
    all += buffer[..<count]
  }
}
