// An open bpf device as the model has it: settings, two buffers, counters.

/// An errno and a name for it, as the model gives them.
enum Errno {
  static let perm: Int32 = 1
  static let io: Int32 = 5
  static let nxio: Int32 = 6
  static let again: Int32 = 11
  static let noMemory: Int32 = 12
  static let fault: Int32 = 14
  static let busy: Int32 = 16
  static let invalid: Int32 = 22
  static let noSpace: Int32 = 28
  static let messageSize: Int32 = 90
  static let notSupported: Int32 = 95
  static let netDown: Int32 = 100
  static let noBuffers: Int32 = 105
}

/// Where a device is attached.
struct ModelPlace: Equatable {
  var interface: Int
  /// Place of the tap point in its interface's list, oldest first.
  var point: Int
}

struct ModelCounters: Equatable {
  var offered: UInt64 = 0
  var hidden: UInt64 = 0
  var refused: UInt64 = 0
  var captured: UInt64 = 0
  var dropped: UInt64 = 0
  var cut: UInt64 = 0
  var delivered: UInt64 = 0
  var waiting: UInt64 = 0

  var received: UInt64 { offered - hidden }
}

struct ModelDevice {
  /// What a header takes, before the link header is aligned: 26 for FreeBSD's layout, 32 for NetBSD's.
  var headerSize: Int
  var bufferSize: Int
  /// What a device has whose buffers another process reads.
  var shared: ModelShared?
  var place: ModelPlace?
  var store: [ModelRecord] = []
  var hold: [ModelRecord] = []
  var counters = ModelCounters()
  var program: ModelProgram?
  var writeProgram: ModelProgram?
  /// 0 in, 1 in and out, 2 out.
  var direction: UInt32 = 1
  var immediate = false
  var nonBlocking = false
  var headerComplete = false
  var feedback: UInt32 = 0
  var stampFormat: UInt32 = 0
  var seconds: UInt64 = 0
  var microseconds: UInt64 = 0
  var isLocked = false
  var isPromiscuous = false
  var hasBuffers = false
  var isAsync = false
  var owner: Int32 = 0
  /// SIGIO
  var signal: UInt32 = 29
  /// It only writes where it is attached.
  var isWriter = false
  /// It was opened to write only.
  var isOpenedToWrite = false
  /// So many programs that are a mere snapshot length, or one other, make a reader of it, for good.
  var programsToCome = 2
  var written: UInt64 = 0

  // MARK: Buffers

  static func aligned(_ size: Int) -> Int { (size + 7) / 8 * 8 }

  /// Where a buffer's last record ends.
  static func length(_ buffer: [ModelRecord]) -> Int {
    var end = 0
    for record in buffer { end = aligned(end) + record.size }
    return end
  }

  var stored: Int { shared?.stored ?? ModelDevice.length(store) + ModelDevice.length(hold) }
  /// Whether poll says that there is something to read. (Nothing is attached: so that the reader sees ENXIO.)
  var isReady: Bool { place == nil || !hold.isEmpty || (immediate && !store.isEmpty) }

  mutating func discard() {
    shared?.discard()
    store = []
    hold = []
    counters = ModelCounters()
  }

  /// Shows one frame of a tap point with a link header of so many bytes.
  mutating func see(_ frame: ModelFrame, link: Int) {
    counters.offered += 1
    if (frame.sent && direction == 0) || (!frame.sent && direction == 2) {
      counters.hidden += 1
      return
    }
    let verdict = program.map { $0.judge(frame) } ?? .max
    if verdict == 0 {
      counters.refused += 1
      return
    }
    counters.captured += 1
    if shared != nil { return share(frame, verdict) }
    let header = ModelDevice.aligned(link + headerSize) - link
    if bufferSize < header {
      counters.dropped += 1
      return
    }
    let wanted = min(Int(verdict), frame.length)
    let kept = min(wanted, frame.bytes.count, bufferSize - header)
    if ModelDevice.aligned(ModelDevice.length(store)) + header + kept > bufferSize {
      if !hold.isEmpty {
        counters.dropped += 1
        return
      }
      hold = store
      store = []
    }
    if kept < wanted { counters.cut += 1 }
    counters.waiting += 1
    var record = ModelRecord(header: header, length: frame.length, bytes: Array(frame.bytes.prefix(kept)))
    record.setStamp(frame.stamp, format: stampFormat)
    store.append(record)
  }

  /// What a read of a buffer of so many bytes gives; nil when it would sleep.
  mutating func read(size: Int) -> Result<[ModelRecord], ModelError>? {
    if size != bufferSize { return .failure(ModelError(Errno.invalid)) }
    if hold.isEmpty && !store.isEmpty && (immediate || nonBlocking) {
      hold = store
      store = []
    }
    if hold.isEmpty {
      if place == nil { return .failure(ModelError(Errno.nxio)) }
      return nonBlocking ? .failure(ModelError(Errno.again)) : nil
    }
    let read = hold
    hold = []
    counters.delivered += UInt64(read.count)
    counters.waiting -= UInt64(read.count)
    return .success(read)
  }
}

struct ModelError: Error, Equatable {
  var errno: Int32
  init(_ errno: Int32) { self.errno = errno }
}

extension ModelRecord {
  mutating func setStamp(_ stamp: Int64?, format: UInt32) {
    if format == 3 { return }
    guard let stamp, format & 0x200 == 0 else {
      hidesStamp = true
      return
    }
    seconds = UInt64(stamp) / 1_000_000_000
    let nanoseconds = UInt64(stamp) % 1_000_000_000
    switch format & 3 {
    case 0: fraction = nanoseconds / 1000
    case 1: fraction = nanoseconds
    // Units of 2^-64 s; a nanosecond is a whole number of them.
    default: fraction = nanoseconds * (UInt64.max / 1_000_000_000)
    }
  }
}
