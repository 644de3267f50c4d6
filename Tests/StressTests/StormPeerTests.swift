import SwBPFBPF
import SwBPFFilterMachine
import Testing

@testable import SwBPFStress

/// A driver that has nothing to do: the tests tap.
private final class IdleDriver: BPF.Driver {
  let retireTime: Int64 = 0
  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {}
  func mayNarrow(_ interface: BPF.Ifnet) {}
  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {}
}

@Suite("A peer of the storm is judged")
struct StormPeerTests {
  private let interface: BPF.Interface
  private let ifnet: BPF.Ifnet
  private let peer: StormPeer
  private let findings = Findings()

  init() throws {
    ifnet = BPF.Ifnet(name: "test0", index: 7, driver: IdleDriver())
    interface = try ifnet.attach(linkType: 1, headerLength: 14)
    peer = try StormPeer(.inOut, device: false, onSide: false, pushed: false, findings)
    try peer.descriptor.attach(to: interface)
  }

  private func tap(_ numbers: Range<UInt64>) {
    var reader = TapReader()
    guard reader.begin(interface.pointOfDriver) else { return }
    for number in numbers {
      NumberedFrame.bytes(.arriving, number).withUnsafeBytes { bytes in
        let frame = TapFrame(
          base: bytes.baseAddress!, captured: UInt32(bytes.count), length: UInt32(bytes.count), seconds: 4_000_000_000,
          nanoseconds: 0, metadata: FrameMetadata())
        reader.tap(frame, .received)
        reader.endPart()
      }
    }
    reader.end()
  }

  private func judged() -> [StressCheck: Findings.Broken] {
    peer.descriptor.detach()
    peer.read()
    peer.judgeEnd(arriving: 10_000) { 0 }
    return findings.all
  }

  /// More than three slots of 16 KiB hold, so that what follows is missing.
  private func overflow() -> UInt64 {
    tap(0..<1000)
    let dropped = peer.descriptor.statistics.dropped
    peer.read()
    tap(1000..<1010)
    peer.read()
    return dropped
  }

  @Test("its own drops excuse what it misses")
  func drops() {
    #expect(overflow() > 0)
    #expect(judged().isEmpty)
  }

  @Test("its own drops excuse it also when a flush has taken them out of its counters")
  func flushed() {
    #expect(overflow() > 0)
    peer.flushing { peer.descriptor.flush() }
    #expect(peer.descriptor.statistics.dropped == 0)
    tap(1010..<1020)
    #expect(judged().isEmpty)
  }

  @Test("what is missing without a drop is found")
  func hole() {
    tap(0..<10)
    tap(11..<20)
    #expect(judged()[.prefix]?.count == 1)
  }
}
