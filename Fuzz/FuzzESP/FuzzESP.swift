// Fuzzes ESP's way in with bytes that others chose, under associations of every kind.
import SwBPFESP
import SwBPFKern
import SwBPFPFKey
import SwBPFPackets

/// Room that stays for the life of the process.
private nonisolated(unsafe) let batch = PacketBatch(1, size: 65536, headroom: 64)
private let worker = try! ESPWorker()
private let engine = KeyEngine(epoch: Epoch(), now: 1)

/// One of each transform, with and without a window, extended numbers and random padding.
private let associations: [Association] = {
  for setting in KeySetting.allCases { engine[setting] = true }
  let socket = engine.open()
  var found: [Association] = []
  let transforms: [(EncryptionAlgorithm, Int, AuthenticationAlgorithm)] = [
    (.null, 0, .none), (.null, 0, .hmacSHA1), (.aesCBC, 16, .none), (.aesCBC, 32, .hmacSHA256), (.aesCTR, 20, .none),
    (.aesCTR, 36, .hmacSHA384), (.null, 0, .hmacSHA512), (.aesGCM16, 20, .none), (.chacha20Poly1305, 36, .none),
  ]
  let kinds: [SAFlags] = [[], .extendedSequence, .randomPadding, .zeroPadding]
  for (index, transform) in transforms.enumerated() {
    for (bit, flags) in kinds.enumerated() {
      var new = SecurityAssociation(
        .esp, spi: UInt32(0x1000 + found.count), from: IPAddress(v4: 0x0a00_0001), to: IPAddress(v4: 0x0a00_0002))
      new.encryption = transform.0
      new.encryptionKey = [UInt8](repeating: UInt8(index * 4 + bit), count: transform.1)
      new.authentication = transform.2
      new.authenticationKey = [UInt8](repeating: 3, count: transform.2.keyBits[0] / 8)
      new.flags = flags
      new.replay = UInt8(bit * 85)
      guard let message = new.message(.add, withKeys: true) else { fatalError("no message") }
      try! engine.send(message, from: socket)
      let reader = engine.epoch.reader()
      reader.enter()
      let association = engine.association(to: new.destination, spi: new.spi, proto: .esp)?.takeUnretainedValue()
      reader.leave()
      guard let association else { fatalError("not added: \(transform) \(flags)") }
      found.append(association)
    }
  }
  return found
}()

@_cdecl("LLVMFuzzerTestOneInput") public func fuzzESP(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data, size > 1, size < 60000 else { return 0 }
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  let association = associations[Int(bytes[0] & 0x7f) % associations.count]
  // Either as it came, or first protected, so that what is behind the check value is reached.
  var packet = fill(bytes[1...])
  if bytes[0] & 0x80 != 0 {
    guard worker.seal(&packet, with: .passUnretained(association), nextHeader: bytes[1], now: 1) == nil else {
      return 0
    }
    // The last byte says which one of the packet is changed, 0 none.
    if let last = bytes.last, last != 0 {
      let place = Int(last) % packet.count
      packet.store(packet.bytes.u8(at: place) ^ last, at: place)
    }
  }
  let before = packet.count
  if case .success(let nextHeader) = worker.open(&packet, with: .passUnretained(association), now: 1) {
    let format = ESPFormat(association)
    precondition(nextHeader != 59 && packet.count <= before - format.head - format.check - 2)
  }
  return 0
}

private func fill(_ bytes: ArraySlice<UInt8>) -> PacketRoom {
  var packet = batch.packets[0]
  packet.reset(headroom: 64, count: bytes.count)
  packet.copy(from: bytes.span.bytes, at: 0)
  return packet
}
