import SwBPFKern
import Testing

@testable import SwBPFTunnels

struct TunnelCountersTests {
  @Test("T-104 packets and inner bytes of batches of several workers add up")
  func sums() {
    let counters = TunnelCounters()
    let workers = (0..<4).map { _ in
      Thread(name: "worker") {
        for _ in 0..<1000 {
          var batch = TunnelCounts()
          for size in [60, 80, 1280] {
            batch.received(size)
            batch.sent(size + 1)
          }
          batch.outputErrors += 1
          counters.add(batch)
        }
      }
    }
    for worker in workers { worker.join() }
    var sum = TunnelCounts()
    sum.receivedPackets = 12000
    sum.receivedBytes = 4000 * 1420
    sum.sentPackets = 12000
    sum.sentBytes = 4000 * 1423
    sum.outputErrors = 4000
    #expect(counters.now == sum)
  }
}
