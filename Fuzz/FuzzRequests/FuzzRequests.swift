// Fuzz target: bytes as a sequence of requests, reads, writes, polls, taps and departures over two interfaces and three
// descriptors. Every answer must be the one that the model of bpf(4) gives.
//
//     SWBPF_FUZZ=1 swift build --scratch-path .build-fuzz --sanitize=fuzzer --product FuzzRequests
import RequestModel

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRequests(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data else { return 0 }
  if let difference = Replay.run(Array(UnsafeBufferPointer(start: data, count: size))) {
    fatalError("differs from the model:\n\(difference)")
  }
  return 0
}
