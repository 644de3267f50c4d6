// What the tests of written frames share: open devices and frames of any size.
import Glibc
import SwBPFBPF
import SwBPFLiveCapture

@testable import TestSupport

extension Host {
  /// An open bpf device on an interface.
  func device(_ engine: CaptureEngine, _ interface: String, _ direction: BPF.Direction = .inOut) throws
    -> BPF.Descriptor
  {
    let one = try engine.openDevice()
    try inside { try one.attach(toName: interface) }
    try one.setDirection(direction)
    return one
  }
}

/// Numbered frames that are as long as wanted, of a type that no host answers.
func framed(_ size: Int, from source: [UInt8], to destination: [UInt8], vlans: [UInt16] = []) -> [UInt8] {
  let header = 14 + 4 * vlans.count
  let payload = (0..<max(0, size - header)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ size) }
  return Frame.ethernet(from: source, to: destination, vlans: vlans, type: experimental, payload)
}
