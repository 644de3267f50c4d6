import SwBPFESP
import SwBPFPFKey
import Testing

@Suite struct ESPWorkerTests {
  @Test("what is sealed can be opened, at every length, with every transform", arguments: Transform.all)
  func roundTrip(_ transform: Transform) throws {
    let associations = Associations()
    let association = try associations.add(transform, spi: 0x1000, replay: 4)
    let worker = try ESPWorker()
    let format = ESPFormat(association)
    for length in Array(0..<40) + [63, 64, 65, 576, 1280, 1408, 8192] {
      let packet = try worker.sealed(payload(length), association, nextHeader: 41).get()
      #expect(packet.count == format.length(of: length))
      #expect((packet.count - format.head - format.check) % format.block == 0)
      #expect(try worker.opened(packet, association).get() == Opened(payload: payload(length), nextHeader: 41))
    }
    #expect(worker.counts.dropped == 0)
    #expect(worker.counts.sentBytes == worker.counts.receivedBytes)
  }
}
