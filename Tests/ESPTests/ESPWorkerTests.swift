import SwBPFESP
import SwBPFPFKey
import Testing

@Suite struct ESPWorkerTests {
  let associations = Associations()

  @Test("what is sealed can be opened, at every length, with every transform", arguments: Transform.all)
  func roundTrip(_ transform: Transform) throws {
    let association = try associations.add(transform, spi: 0x1000, replay: 4)
    let worker = try ESPWorker()
    let format = ESPFormat(association)
    for length in Array(0..<40) + [63, 64, 65, 576, 1280, 1408, 8192] {
      let packet = try worker.sealed(payload(length), association, nextHeader: 41).get()
      #expect(packet.count == format.length(of: length))
      #expect((packet.count - format.head - format.check) % format.block == 0)
      #expect(format.payload(fitting: packet.count) >= length)
      #expect(format.payload(fitting: packet.count - 1) < length)
      #expect(try worker.opened(packet, association).get() == Opened(payload: payload(length), nextHeader: 41))
    }
    #expect(worker.counts.dropped == 0)
    #expect(worker.counts.sentPackets == 47)
    #expect(worker.counts.sentBytes == worker.counts.receivedBytes)
  }

  @Test("T-133 AES-GCM: SPI, number, vector of 8, text to a multiple of 4 with next header 4, check value of 16")
  func gcmLayout() throws {
    let association = try associations.add(Transform(.aesGCM16, 160), spi: 0x1234_5678)
    let worker = try ESPWorker()
    for length in 20..<60 {
      let packet = try worker.sealed(payload(length), association, nextHeader: 4).get()
      #expect(Array(packet[..<4]) == [0x12, 0x34, 0x56, 0x78])
      let text = (length + 2 + 3) / 4 * 4
      #expect(packet.count == 8 + 8 + text + 16)
      #expect(try worker.opened(packet, association).get().nextHeader == 4)
    }
  }

  @Test("T-134 AES-CBC with HMAC-SHA2-256: vector of 16, text to a multiple of 16, check value of 16")
  func cbcLayout() throws {
    let association = try associations.add(Transform(.aesCBC, 256, .hmacSHA256), spi: 0x2711)
    let worker = try ESPWorker()
    for length in 20..<60 {
      let packet = try worker.sealed(payload(length), association, nextHeader: 4).get()
      #expect(packet.count == 8 + 16 + (length + 2 + 15) / 16 * 16 + 16)
      // From the SPI to the next header all is checked: that any bit counts is T-138.
      #expect(try worker.opened(packet, association).get() == Opened(payload: payload(length), nextHeader: 4))
    }
  }

  @Test("T-135 the first number of each association is 1, and each packet has the next one")
  func numbers() throws {
    let worker = try ESPWorker()
    let other = try ESPWorker()
    for spi in [0x1000, 0x1001] as [UInt32] {
      let association = try associations.add(Transform(.aesGCM16, 160), spi: spi)
      for number in 1...300 {
        let packet = try (number % 3 == 0 ? other : worker).sealed(payload(20), association).get()
        #expect(number32(packet) == UInt32(number))
      }
      #expect(association.description(withKeys: false).sequence == 300)
    }
  }

  @Test("T-139 padding is 1, 2, 3 …, zeros or random bytes, as the association says")
  func paddingSent() throws {
    let worker = try ESPWorker()
    let sequential = try associations.add(Transform(.null, 0, .hmacSHA256), spi: 0x1000)
    let zero = try associations.add(Transform(.null, 0, .hmacSHA256), spi: 0x1001, flags: .zeroPadding)
    let blocks = try associations.add(Transform(.aesCBC, 128), spi: 0x1002)
    let random = try associations.add(Transform(.null, 0), spi: 0x1003, flags: .randomPadding)
    for length in 0..<16 {
      let padding = (4 - (length + 2) % 4) % 4
      let trailer = { (packet: [UInt8]) in Array(packet[(8 + length)..<(8 + length + padding + 2)]) }
      let sent = try worker.sealed(payload(length), sequential, nextHeader: 6).get()
      #expect(trailer(sent) == (0..<padding).map { UInt8($0 + 1) } + [UInt8(padding), 6])
      let zeros = try worker.sealed(payload(length), zero, nextHeader: 6).get()
      #expect(trailer(zeros) == [UInt8](repeating: 0, count: padding) + [UInt8(padding), 6])
      #expect(
        try worker.opened(try worker.sealed(payload(length), blocks).get(), blocks).get().payload == payload(length))
    }
    // Two bytes of padding in each: among 64 packets not all are the same.
    let pads = try (0..<64).map { _ in try Array(worker.sealed(payload(4), random).get()[12..<14]) }
    #expect(Set(pads).count > 8)
  }

  @Test("T-139 of the padding the last byte is looked at, unless it may be random; none is none")
  func paddingTaken() throws {
    let worker = try ESPWorker()
    let plain = try associations.add(Transform(.null, 0), spi: 0x1000)
    let random = try associations.add(Transform(.null, 0), spi: 0x1001, flags: .randomPadding)
    let zero = try associations.add(Transform(.null, 0), spi: 0x1002, flags: .zeroPadding)
    let packet = { (spi: UInt8, rest: [UInt8]) in [0, 0, 0x10, spi, 0, 0, 0, 1] + rest }
    func opened(_ text: [UInt8], _ association: Association) -> Result<Opened, ESPDrop> {
      worker.opened(packet(UInt8(association.spi & 0xff), text), association)
    }
    let payload: [UInt8] = [0xaa, 0xbb]
    let whole = Opened(payload: payload, nextHeader: 4)
    #expect(opened(payload + [1, 2, 3, 3, 4], plain) == .failure(.length))
    #expect(opened([0xaa, 0xbb, 1, 2, 3, 4, 5, 6, 6, 4], plain) == .failure(.length))
    #expect(try opened(payload + [1, 2, 3, 4, 5, 6, 7, 8, 8, 4], plain).get() == whole)
    // Only the last byte.
    #expect(try opened(payload + [9, 9, 9, 9, 9, 9, 9, 8, 8, 4], plain).get() == whole)
    for association in [plain, zero] {
      #expect(opened(payload + [1, 2, 3, 4, 5, 6, 7, 9, 8, 4], association) == .failure(.padding))
    }
    #expect(opened(payload + [0, 0, 0, 0, 0, 0, 0, 0, 8, 4], plain) == .failure(.padding))
    #expect(try opened(payload + [0, 0, 0, 0, 0, 0, 0, 0, 8, 4], zero).get() == whole)
    #expect(try opened(payload + [1, 2, 3, 4, 5, 6, 7, 9, 8, 4], random).get() == whole)
    #expect(try opened(payload + [0, 4], plain).get() == whole)
    #expect(try opened([1, 2, 2, 4], plain).get() == Opened(payload: [], nextHeader: 4))
    #expect(opened([1, 2, 3, 4], plain) == .failure(.padLength))
    #expect(opened([1, 2, 255, 4], plain) == .failure(.padLength))
    #expect(opened(payload + [0, 59], plain) == .failure(.dummy))
    #expect(worker.counts[.padding] == 3)
    #expect(worker.counts[.padLength] == 2)
    #expect(worker.counts[.length] == 2)
    #expect(worker.counts[.dummy] == 1)
    #expect(ESPDrop.padding.errno == ESPDrop.length.errno)
  }

  @Test("what is no whole block, or nothing, or shorter than its parts is refused", arguments: Transform.all)
  func lengths(_ transform: Transform) throws {
    let association = try associations.add(transform, spi: 0x1000)
    let format = ESPFormat(association)
    let worker = try ESPWorker()
    var refused = 0
    for length in 0..<(format.head + format.check + 3 * format.block) {
      let text = length - format.head - format.check
      if text > 0 && text % format.block == 0 { continue }
      #expect(worker.opened([UInt8](repeating: 0, count: length), association) == .failure(.length))
      refused += 1
    }
    #expect(worker.counts[.length] == UInt64(refused))
  }

  @Test("T-140 after the last number nothing is sent; a cyclic number begins again, an extended one goes on")
  func exhausted() throws {
    let worker = try ESPWorker()
    let last = UInt64(UInt32.max)
    let plain = try associations.add(Transform(.aesGCM16, 160), spi: 0x1000)
    plain.sequence.store(last - 1, ordering: .relaxed)
    #expect(number32(try worker.sealed(payload(20), plain).get()) == UInt32.max)
    for _ in 0..<3 { #expect(worker.sealed(payload(20), plain) == .failure(.exhausted)) }
    #expect(worker.counts[.exhausted] == 3)
    #expect(plain.description(withKeys: false).sequence == UInt32.max)
    #expect(plain.current.allocations == 1)

    let cyclic = try associations.add(Transform(.aesGCM16, 160), spi: 0x1001, flags: .cyclicSequence)
    cyclic.sequence.store(last - 1, ordering: .relaxed)
    let sent = try (0..<3).map { _ in try worker.sealed(payload(20), cyclic).get() }
    #expect(sent.map(number32) == [UInt32.max, 0, 1])
    // The vectors do not begin again.
    #expect(Set(sent.map { $0[8..<16] }).count == 3)
    #expect(sent.map(vector64)[2] &- sent.map(vector64)[0] == 2)

    let extended = try associations.add(
      Transform(.aesGCM16, 160), spi: 0x1002, replay: 8, flags: .extendedSequence)
    extended.sequence.store(last - 1, ordering: .relaxed)
    for _ in 0..<300 {
      let packet = try worker.sealed(payload(20), extended).get()
      #expect(try worker.opened(packet, extended).get().payload == payload(20))
      #expect(worker.opened(packet, extended) == .failure(.replayed))
    }
  }

  @Test("hard limits of bytes and packets are not passed, out or in; what is forged counts for neither")
  func lifetimes() throws {
    let worker = try ESPWorker()
    let limit = Lifetime(allocations: 3)
    let out = try associations.add(Transform(.aesGCM16, 160), spi: 0x1000) {
      $0.hard = limit
      $0.soft = limit
    }
    for _ in 0..<3 { _ = try worker.sealed(payload(20), out).get() }
    #expect(worker.sealed(payload(20), out) == .failure(.lifetime))
    #expect(out.description(withKeys: false).sequence == 3)
    let bytes = try associations.add(Transform(.aesCBC, 128, .hmacSHA256), spi: 0x1001) {
      $0.hard = Lifetime(bytes: 100)
      $0.soft = Lifetime(bytes: 90)
    }
    let sender = try associations.add(Transform(.aesCBC, 128, .hmacSHA256), spi: 0x1101) {
      $0.encryptionKey = (0..<16).map { 1 + $0 }
      $0.authenticationKey = (0..<32).map { 129 + $0 }
    }
    for _ in 0..<5 {
      var packet = try worker.sealed(payload(30), sender).get()
      packet[30] ^= 1
      #expect(worker.opened(packet, bytes) == .failure(.authentication))
    }
    #expect(bytes.current.bytes == 0)
    for _ in 0..<4 { _ = try worker.opened(worker.sealed(payload(30), sender).get(), bytes).get() }
    #expect(worker.opened(try worker.sealed(payload(30), sender).get(), bytes) == .failure(.lifetime))
    #expect(bytes.current.bytes == 120)
    #expect(worker.counts[.lifetime] == 2)
  }

  @Test("without room in front or behind, or beyond the limit, a packet is dropped and has used no number")
  func room() throws {
    let association = try associations.add(Transform(.aesCBC, 128, .hmacSHA512), spi: 0x1000)
    let worker = try ESPWorker()
    let format = ESPFormat(association)
    let packet = Packet(headroom: format.head - 1)
    packet.bytes = payload(100)
    func seal(limit: Int = 65515) -> ESPDrop? {
      worker.seal(&packet.room, with: .passUnretained(association), nextHeader: 4, limit: limit, now: 1)
    }
    #expect(seal() == .noRoom)
    let full = Packet(headroom: format.head)
    full.bytes = payload(Packet.size - format.largestTail)
    #expect(worker.seal(&full.room, with: .passUnretained(association), nextHeader: 4, now: 1) == nil)
    full.bytes = payload(Packet.size - 33)
    #expect(worker.seal(&full.room, with: .passUnretained(association), nextHeader: 4, now: 1) == .noRoom)
    let limited = try #require(Optional(format.length(of: 1000)))
    full.bytes = payload(1000)
    #expect(
      worker.seal(&full.room, with: .passUnretained(association), nextHeader: 4, limit: limited - 1, now: 1) == .tooLong
    )
    full.bytes = payload(1000)
    #expect(worker.seal(&full.room, with: .passUnretained(association), nextHeader: 4, limit: limited, now: 1) == nil)
    #expect(association.description(withKeys: false).sequence == 2)
    #expect(worker.counts[.noRoom] == 2)
    #expect(worker.counts[.tooLong] == 1)
  }

  @Test("there are 64 workers, and the number of one that is gone serves another")
  func workers() throws {
    var workers: [ESPWorker] = []
    while let worker = try? ESPWorker() { workers.append(worker) }
    #expect(workers.count <= ESPWorker.limit)
    #expect(throws: ESPError.noMoreWorkers) { _ = try ESPWorker() }
    let association = try associations.add(Transform(.aesGCM16, 160), spi: 0x1000, replay: 32)
    for worker in workers {
      let packet = try worker.sealed(payload(64), association).get()
      #expect(try workers[0].opened(packet, association).get().payload == payload(64))
    }
    workers.removeLast()
    let packet = try ESPWorker().sealed(payload(64), association).get()
    #expect(try workers[0].opened(packet, association).get().payload == payload(64))
  }
}

/// The number that an ESP packet carries.
func number32(_ packet: [UInt8]) -> UInt32 { packet[4..<8].reduce(0) { $0 << 8 | UInt32($1) } }

/// The vector of a counter mode.
func vector64(_ packet: [UInt8]) -> UInt64 { packet[8..<16].reduce(0) { $0 << 8 | UInt64($1) } }
