// The ring thread's pass: blocks laid out as the kernel does, tapped, stored, taken by a reader.
import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFLiveCapture

/// Does what is asked of it, which is nothing.
private final class NoDriver: BPF.Driver {
  let retireTime: Int64 = 10_000_000
  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {}
  func mayNarrow(_ interface: BPF.Ifnet) {}
  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {}
}

/// One block, filled again for each round, and the descriptors that read it.
final class RingWork {
  static let workloads: [(name: String, make: @Sendable () throws -> Workload)] = [
    ("ring-plain-64", { try make(frame: 64, filters: [nil]) }),
    ("ring-plain-1500", { try make(frame: 1500, filters: [nil]) }),
    ("ring-plain-1500-kept-96", { try make(frame: 1500, filters: [nil], keeping: 96) }),
    ("ring-program-wants", { try make(frame: 64, filters: ["udp port 1000"], ports: 1) }),
    ("ring-program-refuses", { try make(frame: 64, filters: ["udp port 9"]) }),
    ("ring-2-peers", { try make(frame: 64, filters: [nil, nil]) }),
    ("ring-64-peers-one-wants", { try make(frame: 64, filters: (0..<64).map { "udp port \(1000 + $0)" }) }),
    ("ring-64-peers-refuse", { try make(frame: 64, filters: (0..<64).map { "udp port \(5000 + $0)" }) }),
    ("ring-device-64", { try make(frame: 64, filters: [nil], format: .device(.netbsd)) }),
  ]

  private static let blockSize = 1 << 20
  private static let frames = 640
  private let memory = UnsafeMutableRawPointer.allocate(byteCount: blockSize, alignment: 4096)
  private let ifnet = BPF.Ifnet(name: "test0", index: 7, driver: NoDriver())
  private let interface: BPF.Interface
  private var descriptors: [BPF.Descriptor] = []
  private var replay: RingReplay

  /// - Parameter ports: datagrams go to so many ports from 1000 on, in turn.
  private static func make(
    frame: Int, filters: [String?], keeping: Int = 262_144, ports: UInt16 = 64,
    format: BPF.RecordFormat = .savefile(nanoseconds: false)
  ) throws -> Workload {
    let work = try RingWork(filters, keeping, format)
    work.fill(frame, ports)
    return Workload(count: frames, prepare: work.handOver, run: work.run)
  }

  private init(_ filters: [String?], _ keeping: Int, _ format: BPF.RecordFormat) throws {
    interface = try ifnet.attach(linkType: 1, headerLength: 14)
    replay = RingReplay(memory: memory, blockSize: UInt32(Self.blockSize), blocks: 1, to: interface.pointOfDriver)
    for filter in filters {
      var configuration = BPF.Descriptor.Configuration(slotSize: 256 << 10, slots: 8, format: format)
      // No frame is older than its descriptor.
      configuration.clock = { 0 }
      let descriptor = try BPF.Descriptor(configuration)
      if filter != nil || keeping < 262_144 {
        try descriptor.setFilter(FilterExpression(filter ?? "", snapLength: keeping))
      }
      try descriptor.attach(to: interface)
      descriptors.append(descriptor)
    }
    // The form that was scheduled may be made first; then once more, so that all peers are in it.
    if filters.count > 1 {
      usleep(300_000)
      interface.merge()
    }
  }

  private func fill(_ size: Int, _ ports: UInt16) {
    var at = 48
    for number in 0..<Self.frames {
      // struct tpacket3_hdr, struct sockaddr_ll, then the frame, whose network header is aligned.
      let bytes = datagram(size: size, port: 1000 + UInt16(number) % ports)
      let next = (98 + size + 15) / 16 * 16
      precondition(at + next <= Self.blockSize, "more frames than a block has room for")
      memory.advanced(by: at).initializeMemory(as: UInt8.self, repeating: 0, count: 98)
      for (offset, value) in [0: next, 4: 1_700_000_000, 8: number * 1000, 12: size, 16: size, 20: 1, 52: 7] {
        memory.storeBytes(of: UInt32(value), toByteOffset: at + offset, as: UInt32.self)
      }
      for (offset, value) in [24: 98, 26: 112, 48: 17, 50: 8, 56: 1] {
        memory.storeBytes(of: UInt16(value), toByteOffset: at + offset, as: UInt16.self)
      }
      memory.advanced(by: at + 98).copyMemory(from: bytes, byteCount: size)
      at += next
    }
    for (offset, value) in [12: Self.frames, 16: 48, 20: at] {
      memory.storeBytes(of: UInt32(value), toByteOffset: offset, as: UInt32.self)
    }
  }

  private func handOver() {
    memory.storeBytes(of: UInt32(TP_STATUS_USER), toByteOffset: 8, as: UInt32.self)
  }

  private func run() {
    replay.takeBlocks()
    for descriptor in descriptors {
      while let slot = try? descriptor.takeSlot(rotating: true) { sum &+= slot.count }
    }
  }

  private var sum = 0
}
