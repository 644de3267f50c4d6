// An interface of the test's own behind a served daemon: frames come from memory.
import Glibc
import SwBPFDaemonClient
import SwBPFFilterMachine
import SwBPFInterfaces
import SwBPFKern
import TestSupport

@testable import SwBPFBPF
@testable import SwBPFDaemon

/// A driver that has nothing to do: what is tapped comes from the test.
final class QuietDriver: BPF.Driver {
  private let lock = Lock(rank: .driver)
  private let frames = Frames()

  private final class Frames: @unchecked Sendable {
    var all: [[UInt8]] = []
  }

  let retireTime: Int64 = 0

  var sent: [[UInt8]] { lock.withLock { frames.all } }

  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {}
  func mayNarrow(_ interface: BPF.Ifnet) {}
  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {}
  func outputState(of interface: BPF.Ifnet) throws(BPF.Failure) -> BPF.OutputState {
    BPF.OutputState(isUp: true, maximumPayload: 1500, address: [2, 0, 0, 0, 0, 1])
  }
  func send(_ frame: [UInt8], from interface: BPF.Ifnet, unseen: Bool) throws(BPF.Failure) {
    lock.withLock { frames.all.append(frame) }
  }
}

/// `tap0`, an Ethernet.
final class TestTaps: BPF.InterfaceDirectory {
  let driver = QuietDriver()
  let ifnet: BPF.Ifnet
  let interface: BPF.Interface

  init() throws {
    ifnet = BPF.Ifnet(name: "tap0", index: 7, driver: driver)
    interface = try ifnet.attach(linkType: 1, headerLength: 14)
  }

  func interface(named name: String) throws -> BPF.Interface {
    guard name == "tap0" else { throw BPF.Failure.noSuchInterface(name) }
    return interface
  }

  var interfaceNames: [String] { get throws { ["tap0"] } }

  /// Passes of so many frames; each frame has its number.
  func tap(_ numbers: Range<Int>, _ way: BPF.Way = .received, size: Int = 60, pass: Int = 1) {
    var reader = TapReader()
    var start = numbers.lowerBound
    while start < numbers.upperBound {
      let end = min(start + pass, numbers.upperBound)
      let frames = (start..<end).map { TestTaps.frame($0, size) }
      let all = frames.flatMap(\.self)
      all.withUnsafeBytes { bytes in
        guard reader.begin(interface.pointOfDriver) else { return }
        for index in 0..<(end - start) {
          let now = Clock.wall()
          reader.tap(
            TapFrame(
              base: bytes.baseAddress! + index * size, captured: UInt32(size), length: UInt32(size),
              seconds: UInt32(now / 1_000_000_000), nanoseconds: UInt32(now % 1_000_000_000),
              metadata: FrameMetadata()), way)
        }
        reader.end()
      }
      start = end
    }
  }

  static func frame(_ number: Int, _ size: Int = 60) -> [UInt8] {
    var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number &* 7), count: size)
    for index in 0..<8 { bytes[14 + index] = UInt8(truncatingIfNeeded: number >> (8 * index)) }
    return bytes
  }

  static func number(of frame: [UInt8]) -> Int { (0..<8).reduce(0) { $0 | Int(frame[14 + $1]) << (8 * $1) } }
}

extension Served {
  func remote(slotSize: Int = 4096, slots: Int = 8) throws -> RemoteDescriptor {
    try RemoteDescriptor(try client(), slotSize: slotSize, slots: slots, nanoseconds: true)
  }
}

extension RemoteDescriptor {
  /// The numbers of all frames that are there; each must be whole.
  func drain() -> [Int] {
    var numbers: [Int] = []
    while let slot = try? takeSlot(rotating: true) { numbers += Self.numbers(slot) }
    return numbers
  }

  static func numbers(_ slot: borrowing BPF.Slot) -> [Int] {
    var numbers: [Int] = []
    // A slot is no sequence.
    // swift-format-ignore: ReplaceForEachWithForLoop
    slot.eachRecord { record in
      let bytes = record.frame.withUnsafeBytes { Array($0) }
      let number = TestTaps.number(of: bytes)
      numbers.append(bytes == TestTaps.frame(number, bytes.count) ? number : -1)
    }
    return numbers
  }

  /// Waits for a wake-up. - Returns: whether there was one in time.
  func sleep(_ seconds: Double = 5) -> Bool {
    if !reader.mayWait() { return true }
    var set = pollfd(fd: wakeDescriptor, events: Int16(POLLIN), revents: 0)
    return poll(&set, 1, CInt(seconds * 1000)) == 1
  }
}

extension BPF.Statistics {
  var addsUp: Bool { offered == hidden + refused + captured && captured == delivered + dropped + waiting }
}

/// Whether the daemon refuses something, with this number.
func refuses(_ errno: CInt, _ body: () throws -> Void) -> Bool {
  do {
    try body()
  } catch let error as DaemonFailure { return error.refusal?.errno == errno } catch {}
  return false
}
