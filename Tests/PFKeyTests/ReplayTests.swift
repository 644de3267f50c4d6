// Messages at random against the model. The fuzz target FuzzKeyDatabase looks for more.
import PFKeyModel
import TestSupport
import Testing

@Suite("PF_KEY against a model", .timeLimit(.minutes(5)))
struct ReplayTests {
  @Test("random messages, packets and ticks answer as the model says", arguments: 0..<4)
  func sequences(part: Int) {
    for seed in 0..<(Requirement.short ? 10 : 100) {
      var state = UInt64(part * 1000 + seed)
      let bytes = (0..<2000).map { _ -> UInt8 in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
      }
      if let difference = Replay.run(bytes) {
        Issue.record("seed \(part * 1000 + seed): \(difference)")
        return
      }
    }
  }
}
