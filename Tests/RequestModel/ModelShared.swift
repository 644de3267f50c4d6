// Slots that another process reads, as the model has them: full ones that wait, and one that is being filled.

struct ModelShared {
  struct Slot {
    var records: [ModelRecord] = []
    /// Records of it that were taken or discarded; they need their room until the slot is given back.
    var done = 0

    var rest: ArraySlice<ModelRecord> { records[done...] }
    var length: Int { records.reduce(0) { $0 + $1.size } }
  }

  let slots: Int
  /// Not yet given back, oldest first.
  var full: [Slot] = []
  var store = Slot()
  /// The reader sleeps: it is to be told of the next record.
  var isAsleep = false
  /// Wake-ups of the pass at hand.
  var mustWake = false
  var mayWake = false

  init(slots: Int) { self.slots = slots }

  /// Full slots of which the reader is told though it does not sleep.
  var tellsAt: Int { min(4, max(1, slots / 4)) }

  var stored: Int { (full + [store]).reduce(0) { $0 + $1.rest.reduce(0) { $0 + $1.size } } }

  /// What is stored is not read any more; the reader has given all back but the slot that is being filled.
  mutating func discard() {
    full = []
    store.done = store.records.count
  }

  /// The next part that the reader takes.
  /// - Parameter isAll: also of the slot that is being filled.
  mutating func take(isAll: Bool) -> [ModelRecord]? {
    while !full.isEmpty {
      let slot = full.removeFirst()
      if !slot.rest.isEmpty { return Array(slot.rest) }
    }
    guard isAll, !store.rest.isEmpty else { return nil }
    defer { store.done = store.records.count }
    return Array(store.rest)
  }
}

extension ModelDevice {
  /// A descriptor of a daemon's: records as in a savefile.
  static func remote(slotSize: Int, slots: Int) -> ModelDevice {
    var device = ModelDevice(headerSize: 16, bufferSize: slotSize)
    device.shared = ModelShared(slots: slots)
    return device
  }

  /// A frame that the program has let in becomes a record.
  mutating func share(_ frame: ModelFrame, _ verdict: UInt32) {
    guard var now = shared else { return }
    defer { shared = now }
    let wanted = min(Int(verdict), frame.length)
    let kept = min(wanted, frame.bytes.count, bufferSize - headerSize)
    if now.store.length + headerSize + kept > bufferSize {
      if now.full.count == now.slots - 1 {
        counters.dropped += 1
        return
      }
      now.full.append(now.store)
      now.store = ModelShared.Slot()
      if now.full.count >= now.tellsAt { now.mayWake = true }
    }
    if kept < wanted { counters.cut += 1 }
    counters.waiting += 1
    var record = ModelRecord(header: headerSize, length: frame.length, bytes: Array(frame.bytes.prefix(kept)))
    record.setStamp(frame.stamp, format: 1)
    now.store.records.append(record)
    if now.isAsleep { now.mustWake = true }
    now.isAsleep = false
  }

  /// What the reader takes: records; nil when there are none and more may come.
  mutating func take(rotating: Bool) -> Result<[ModelRecord], ModelError>? {
    guard let records = shared?.take(isAll: rotating || place == nil) else {
      return place == nil ? .failure(ModelError(Errno.nxio)) : nil
    }
    counters.delivered += UInt64(records.count)
    counters.waiting -= UInt64(records.count)
    return .success(records)
  }
}

extension ModelRecord {
  /// As slots of savefile records hold it.
  var savefileImage: [UInt8] {
    ModelWords.bytes(UInt32(truncatingIfNeeded: seconds)) + ModelWords.bytes(UInt32(truncatingIfNeeded: fraction))
      + ModelWords.bytes(UInt32(bytes.count)) + ModelWords.bytes(UInt32(length)) + bytes
  }
}
