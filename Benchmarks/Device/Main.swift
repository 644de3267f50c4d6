// What an open bpf device costs its reader: a read against a memcpy, requests against the cheapest system call.
// `Benchmarks/run read` builds it and runs it in a network namespace. Arguments: an interface, a file for the rows.

import Glibc
import SwBPFBPF
import SwBPFFilterMachine
import SwBPFKern
import SwBPFLiveCapture

/// Nanoseconds that `body` takes.
private func time(_ body: () throws -> Void) rethrows -> Double {
  let start = Clock.monotonic()
  try body()
  return Double(Clock.monotonic() - start)
}

private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

/// Prints one comparison, the median of the rounds' ratios, and a row for the results.
private func report(_ subject: String, _ own: [Double], against other: [Double], _ name: String, limit: Double)
  -> String
{
  let ratio = median(zip(own, other).map { $0 / $1 })
  let text = { (value: Double) in String(Double(Int(value * 100)) / 100) }
  print(
    "\(subject): \(text(median(own))) ns, \(name): \(text(median(other))) ns, ratio \(text(ratio)), at most \(limit)")
  return
    #"{"bench":"read","case":"\#(name)","metric":"ratio","subject":"\#(subject)","unit":"","value":\#(text(ratio))}"#
}

/// A device whose interface is fed by this program.
private final class Idle: BPF.Driver {
  let retireTime: Int64 = 0
  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {}
  func mayNarrow(_ interface: BPF.Ifnet) {}
  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {}
}

@main
enum DeviceBench {
  static let rounds = 41

  static func main() throws {
    var rows = [try reading()]
    rows += try requests(CommandLine.arguments[1])
    let path = CommandLine.arguments[2]
    guard let file = fopen(path, "w") else { fatalError("\(path): errno \(errno)") }
    fputs("[\n" + rows.joined(separator: ",\n") + "\n]\n", file)
    fclose(file)
    print("rows: \(path)")
  }

  /// A full buffer of 4 MiB of 64-byte frames.
  static func reading() throws -> String {
    let ifnet = BPF.Ifnet(name: "bench", index: 1, driver: Idle())
    let interface = try ifnet.attach(linkType: 1, headerLength: 14)
    let device = try BPF.Descriptor(.device())
    let size = try device.setBufferSize(4 << 20)
    try device.attach(to: interface)
    var buffer = [UInt8](repeating: 1, count: size)
    var reader = TapReader()
    var read: [Double] = []
    var memcpyTime: [Double] = []
    // In turn, so that each has either buffer as often: the same bytes, filled in the same way, to the same place.
    for round in 0..<4 * rounds {
      fill(interface, &reader, upTo: device)
      var taken = 0.0
      if round & 3 == 0 || round & 3 == 3 {
        taken = try time { _ = try device.read(into: &buffer) }
        read.append(taken)
      } else {
        taken = try borrow(device) { source in
          buffer.withUnsafeMutableBytes { target in
            time { memcpy(target.baseAddress!, source.baseAddress!, source.count) }
          }
        }
        memcpyTime.append(taken)
      }
      device.flush()
    }
    // Both buffers together: they need not be of equally large pages.
    let inPairs = { (times: [Double]) in
      stride(from: 8, to: times.count, by: 2).map { (times[$0] + times[$0 + 1]) / 2 }
    }
    return report("read of 4 MiB", inPairs(read), against: inPairs(memcpyTime), "memcpy", limit: 1.1)
  }

  /// Calls `body` with the bytes of the next full buffer.
  static func borrow(_ device: BPF.Descriptor, _ body: (UnsafeRawBufferPointer) -> Double) throws -> Double {
    guard let slot = try device.nextSlot(timeout: .zero) else { return .infinity }
    return slot.bytes.withUnsafeBytes(body)
  }

  /// Taps until a buffer is full.
  static func fill(_ interface: BPF.Interface, _ reader: inout TapReader, upTo device: BPF.Descriptor) {
    let frame = [UInt8](repeating: 7, count: 64)
    frame.withUnsafeBytes { bytes in
      let seconds = UInt32(Clock.wall() / 1_000_000_000) + 1
      while device.poll(.readable).isEmpty {
        guard reader.begin(interface.pointOfDriver) else { return }
        for _ in 0..<128 {
          reader.tap(
            TapFrame(
              base: bytes.baseAddress!, captured: 64, length: 64, seconds: seconds, nanoseconds: 0,
              metadata: FrameMetadata()), .received)
        }
        reader.end()
      }
    }
  }

  /// Requests that change nothing in the kernel: what a packet socket lets through stays the same.
  static func requests(_ interface: String) throws -> [String] {
    let engine = try CaptureEngine()
    let other = try engine.openDevice()
    try other.attach(toName: interface)
    let device = try engine.openDevice()
    try device.attach(toName: interface)
    let count = 20000
    /// A request with both values in turn, as a program asks: number and address.
    func asking(_ request: UInt32, _ values: [UInt32]) throws -> () throws -> Void {
      var arguments = values.map { value in (0..<4).map { UInt8(value >> (8 * $0) & 0xff) } }
      return {
        for index in 0..<count { try device.ioctl(request: request, argument: &arguments[index & 1]) }
      }
    }
    let seesSent: () throws -> Void = { for index in 0..<count { try device.setSeesSent(index & 1 == 0) } }
    let direction: () throws -> Void = {
      for index in 0..<count { try device.setDirection(index & 1 == 0 ? .out : .inOut) }
    }
    let contestants: [(String, () throws -> Void)] = [
      ("BIOCSSEESENT", try asking(0x8004_4277, [0, 1])), ("BIOCSDIRECTION", try asking(0x8004_4277, [2, 1])),
      ("setSeesSent(_:)", seesSent), ("setDirection(_:)", direction),
    ]
    var rows: [String] = []
    for (name, body) in contestants {
      var own: [Double] = []
      var system: [Double] = []
      for round in 0..<rounds {
        let taken = try time(body) / Double(count)
        let call = time { for _ in 0..<count { _ = getppid() } } / Double(count)
        if round > 4 {
          own.append(taken)
          system.append(call)
        }
      }
      rows.append(report(name, own, against: system, "getppid", limit: 1.5))
    }
    engine.close()
    return rows
  }
}
