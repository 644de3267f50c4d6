// Fuzz target: bytes as a sequence of PF_KEY messages, packets and ticks. Every answer and every lookup must be what the
// model, two lists, says.
//
//     SWBPF_FUZZ=1 swift build --scratch-path .build-fuzz --sanitize=fuzzer --product FuzzKeyDatabase
import PFKeyModel

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzKeyDatabase(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data else { return 0 }
  if let difference = Replay.run(Array(UnsafeBufferPointer(start: data, count: size))) {
    fatalError("differs from the model:\n\(difference)")
  }
  return 0
}
