import Glibc
import TestSupport

private struct CapabilityHeader {
  var version: UInt32 = 0x2008_0522
  var pid: Int32 = 0
}

private struct CapabilityData {
  var effective: UInt32 = 0
  var permitted: UInt32 = 0
  var inheritable: UInt32 = 0
}

// In libc, but in no header of its.
@_silgen_name("capget") private func capget(_ header: UnsafeMutableRawPointer, _ data: UnsafeMutableRawPointer) -> CInt
@_silgen_name("capset") private func capset(_ header: UnsafeMutableRawPointer, _ data: UnsafeMutableRawPointer) -> CInt

let capNetAdmin = 12
let capNetRaw = 13

/// Runs `body` on a thread that has every capability of this one but one.
func onThreadWithout<Result>(_ capability: Int, _ body: () throws -> Result) throws -> Result {
  try onNewThread { () throws -> Result in
    var header = CapabilityHeader()
    var data = [CapabilityData(), CapabilityData()]
    guard capget(&header, &data) == 0 else { throw SupportError.system(call: "capget", errno: errno) }
    data[0].effective &= ~(1 << UInt32(capability))
    data[0].permitted &= ~(1 << UInt32(capability))
    data[0].inheritable &= ~(1 << UInt32(capability))
    guard capset(&header, &data) == 0 else { throw SupportError.system(call: "capset", errno: errno) }
    return try body()
  }
}
