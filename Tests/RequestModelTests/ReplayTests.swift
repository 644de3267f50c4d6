// Requests at random against the model. The fuzz target FuzzRequests looks for more.
import RequestModel
import Testing

@Suite("Requests against a model", .timeLimit(.minutes(5)))
struct ReplayTests {
  @Test("random requests, reads, writes, taps and departures answer as the model says", arguments: 0..<4)
  func sequences(part: Int) {
    for seed in 0..<50 {
      var source = SeededBytes(seed: UInt64(part * 1000 + seed))
      // Each step takes about six bytes.
      if let difference = Replay.run(source.bytes(1200)) {
        Issue.record("seed \(part * 1000 + seed): \(difference)")
        return
      }
    }
  }
}
