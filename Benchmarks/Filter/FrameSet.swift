// The frames that programs are measured on: the same mixture in every run.
import CPcapShim
import SwBPFFilterMachine

/// Ethernet frames: 85 % IPv4, the rest IPv6 and ARP; TCP, UDP and ICMP, some to well-known ports, some fragments.
final class FrameSet {
  private let memory: UnsafeMutableRawPointer
  let frames: UnsafeMutableBufferPointer<(base: UnsafeRawPointer, length: UInt32)>
  var count: Int { frames.count }
  var mean: Int { frames.reduce(0) { $0 + Int($1.length) } / frames.count }

  init(count: Int) {
    var random = Numbers(state: 2026)
    var bytes: [UInt8] = []
    var starts: [Int] = []
    var lengths: [UInt32] = []
    for _ in 0..<count {
      let frame = FrameSet.frame(&random)
      // Where the kernel's ring would put them: 16-byte steps.
      while bytes.count % 16 != 2 { bytes.append(0) }
      starts.append(bytes.count)
      lengths.append(UInt32(frame.count))
      bytes += frame
    }
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 64)
    bytes.withUnsafeBytes { memory.copyMemory(from: $0.baseAddress!, byteCount: bytes.count) }
    self.memory = memory
    frames = .allocate(capacity: count)
    for index in 0..<count {
      frames.initializeElement(at: index, to: (UnsafeRawPointer(memory + starts[index]), lengths[index]))
    }
  }

  deinit {
    memory.deallocate()
    frames.deallocate()
  }

  private static func frame(_ random: inout Numbers) -> [UInt8] {
    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
    func byte() -> UInt8 { UInt8.random(in: 0...255, using: &random) }
    func port() -> [UInt8] {
      let port: UInt16
      switch Int.random(in: 0..<100, using: &random) {
      case 0..<12: port = 80
      case 12..<20: port = 443
      case 20..<26: port = 53
      case 26..<30: port = UInt16.random(in: 1000...2000, using: &random)
      default: port = UInt16.random(in: 1024...65535, using: &random)
      }
      return [UInt8(port >> 8), UInt8(port & 255)]
    }
    var frame: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]
    let size = [60, 60, 60, 90, 150, 590, 1514, 1514].randomElement(using: &random)!
    let transport: UInt8 = chance(65) ? 6 : chance(90) ? 17 : 1
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<85:
      let fragment: [UInt8] = chance(2) ? [0x20, 0x10] : [0x40, 0]
      frame += [8, 0, 0x45, 0, UInt8((size - 14) >> 8), UInt8((size - 14) & 255), byte(), byte()] + fragment
      frame += [64, transport, 0, 0, 10, 0, 0, 1 + byte() % 10, 10, 0, 0, 1 + byte() % 10]
    case 85..<95:
      frame += [0x86, 0xdd, 0x60, 0, 0, 0, 0, 40, transport, 64]
      for _ in 0..<32 { frame.append(byte()) }
    default:
      return frame + [8, 6, 0, 1, 8, 0, 6, 4, 0, 1] + (0..<38).map { _ in byte() }
    }
    frame += port() + port() + [byte(), byte(), byte(), byte(), byte(), byte(), byte(), byte(), 0x50]
    frame.append(chance(10) ? 2 : 0x10)
    while frame.count < size { frame.append(byte()) }
    return frame
  }

  // MARK: Contestants: the sum of all verdicts, for which no jump is needed. Each loop is a function, the same wherever it is called.

  @inline(never)
  func libpcap(_ program: Program) -> UInt64 {
    program.code.instructions.withMemoryRebound(to: swpcap_insn.self, capacity: program.count) { instructions in
      var sum: UInt64 = 0
      for frame in frames {
        let bytes = frame.base.assumingMemoryBound(to: UInt8.self)
        sum &+= UInt64(swpcap_filter(instructions, bytes, frame.length, frame.length))
      }
      return sum
    }
  }

  @inline(never)
  func interpreter(_ code: ProgramCode, _ metadata: inout FrameMetadata) -> UInt64 {
    withUnsafePointer(to: &metadata) { metadata in
      var sum: UInt64 = 0
      for frame in frames {
        sum &+= UInt64(
          Interpreter.run(
            code, packet: frame.base, wireLength: frame.length, captured: frame.length, metadata: metadata))
      }
      return sum
    }
  }

  /// So many times over each frame, the sum of one time.
  func kernel(_ program: KernelProgram, times: UInt32) throws -> UInt64 {
    var sum: UInt64 = 0
    for frame in frames { sum &+= UInt64(try program.run(frame.base, frame.length, times: times)) }
    return sum
  }

  @inline(never)
  func native(_ entry: NativeEntry, _ metadata: inout FrameMetadata) -> UInt64 {
    withUnsafePointer(to: &metadata) { metadata in
      var sum: UInt64 = 0
      for frame in frames { sum &+= UInt64(entry(frame.base, UInt(frame.length), frame.length, metadata)) }
      return sum
    }
  }
}

/// Numbers that are the same in every run. (splitmix64)
struct Numbers: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
