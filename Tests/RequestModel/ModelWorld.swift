// Interfaces and devices together: taps, attachments, promiscuous references, departure, writes.

struct ModelPoint {
  var linkType: UInt32
  var header: Int
}

struct ModelInterface {
  var name: String
  /// Oldest first; the first one is the default.
  var points: [ModelPoint]
  var isThere = true
  var isUp = true
  var payload = 200
  /// What the interface itself says to promiscuous mode and to frames that leave.
  var refusesPromiscuous = false
  var refusesFrames = false
  var references = 0
  /// Frames that left, and whether the interface's own taps saw them.
  var sent: [[UInt8]] = []
}

struct ModelWorld {
  static let address: [UInt8] = [2, 0, 0, 0, 0, 9]

  var interfaces: [ModelInterface]
  var devices: [ModelDevice]
  var optimizesWriters = false
  var maximumBufferSize = 4096

  // MARK: Attachments

  /// Moves a device to a tap point, or only resets it where it is there already. (BIOCSETIF)
  mutating func attach(_ device: Int, to place: ModelPlace) {
    if devices[device].place == place {
      devices[device].discard()
      return
    }
    leave(device)
    enter(device, place)
    let onlyWrites = devices[device].isOpenedToWrite || optimizesWriters
    devices[device].isWriter = onlyWrites && devices[device].programsToCome > 0
    if devices[device].isWriter { devices[device].programsToCome = 2 }
  }

  /// Gives up the attachment; what is stored stays.
  mutating func leave(_ device: Int) {
    guard let old = devices[device].place else { return }
    if devices[device].isPromiscuous { interfaces[old.interface].references -= 1 }
    devices[device].isPromiscuous = false
    devices[device].place = nil
  }

  private mutating func enter(_ device: Int, _ place: ModelPlace) {
    devices[device].place = place
    devices[device].discard()
  }

  /// Another tap point of the same interface. (BIOCSDLT)
  mutating func move(_ device: Int, to linkType: UInt32) -> Int32 {
    guard let old = devices[device].place else { return Errno.invalid }
    let points = interfaces[old.interface].points
    if points[old.point].linkType == linkType { return 0 }
    guard let point = points.firstIndex(where: { $0.linkType == linkType }) else { return Errno.invalid }
    let wasPromiscuous = devices[device].isPromiscuous
    leave(device)
    enter(device, ModelPlace(interface: old.interface, point: point))
    if wasPromiscuous {
      devices[device].isPromiscuous = true
      interfaces[old.interface].references += 1
    }
    return 0
  }

  mutating func setPromiscuous(_ device: Int) -> Int32 {
    guard let place = devices[device].place else { return Errno.invalid }
    if devices[device].isPromiscuous { return 0 }
    if interfaces[place.interface].references == 0 && interfaces[place.interface].refusesPromiscuous { return Errno.io }
    devices[device].isPromiscuous = true
    interfaces[place.interface].references += 1
    return 0
  }

  /// The interface goes; another of its name may come.
  mutating func depart(_ interface: Int) {
    for device in devices.indices where devices[device].place?.interface == interface { leave(device) }
    interfaces[interface].isThere = false
    interfaces[interface].references = 0
  }

  mutating func setProgram(_ device: Int, _ program: ModelProgram?, flushing: Bool) {
    devices[device].program = program
    if flushing { devices[device].discard() }
    guard let program, devices[device].programsToCome > 0 else { return }
    devices[device].programsToCome -= flushing && program.isSnapshotLength ? 1 : devices[device].programsToCome
    if devices[device].programsToCome == 0 { devices[device].isWriter = false }
  }

  // MARK: Frames

  func listens(_ device: Int, at place: ModelPlace) -> Bool {
    devices[device].place == place && !devices[device].isWriter
  }

  mutating func tap(_ frame: ModelFrame, at place: ModelPlace) {
    guard frame.length > 0 else { return }
    let link = interfaces[place.interface].points[place.point].header
    for device in devices.indices where listens(device, at: place) { devices[device].see(frame, link: link) }
  }

  /// What write(2) answers: 0 and the frame's length, or an errno. `bytes` is nil for memory that cannot be read.
  mutating func write(_ device: Int, _ bytes: [UInt8]?, count: UInt64) -> Int32 {
    guard let place = devices[device].place else { return Errno.nxio }
    let interface = interfaces[place.interface]
    guard interface.isUp else { return Errno.netDown }
    if count == 0 { return 0 }
    let point = interface.points[place.point]
    guard let header = [1: 14, 0: 4, 108: 4, 12: 0, 101: 0][point.linkType] else { return Errno.io }
    guard count >= UInt64(header), count <= UInt64(header + interface.payload) else { return Errno.messageSize }
    guard var bytes else { return Errno.fault }
    let about = devices[device]
    let asWritten = ModelFrame(bytes: bytes, length: bytes.count, sent: true)
    if let program = about.writeProgram, program.judge(asWritten) == 0 { return Errno.perm }
    if !about.headerComplete && point.linkType == 1 { bytes.replaceSubrange(6..<12, with: ModelWorld.address) }
    if interface.refusesFrames { return Errno.noBuffers }
    interfaces[place.interface].sent.append(bytes)
    devices[device].written += 1
    var frame = ModelFrame(bytes: bytes, length: bytes.count, sent: true)
    let seenOnce = about.feedback != 0 && about.direction == 1
    // The interface shows what leaves at its default tap point.
    if !seenOnce { tap(frame, at: ModelPlace(interface: place.interface, point: 0)) }
    if about.feedback != 0 {
      frame.sent = false
      tap(frame, at: place)
    }
    return 0
  }
}
