// One step of a sequence.
import Glibc
import SwBPFBPF

extension Replay {
  func step() throws {
    let device = source.below(Replay.deviceCount)
    switch source.below(32) {
    case 0..<7: tap()
    case 7..<11: try read(device)
    case 11..<17: try request(device, source.one(of: ModelWorld.known))
    case 17, 18:
      // What else comes too seldom: an interface, promiscuous mode, another link type, the buffer mode.
      let often: [UInt32] = [0x8020_426c, 0x8090_426c, 0x8020_426c, 0x2000_4269, 0x8004_4278, 0x8004_4276, 0x8004_427e]
      try request(device, source.one(of: often))
    case 19: try request(device, source.word())
    case 20: try poll(device)
    case 21, 22: try write(device)
    case 23: try writePieces(device)
    case 24: depart()
    case 25: arrive()
    case 26: changeInterface()
    case 27:
      tell("\(device): closed and opened")
      try reopen(device)
    case 28: try changeSettings()
    case 29 where pollDescriptors[device] == nil:
      tell("\(device): pollDescriptor")
      pollDescriptors[device] = try devices[device].pollDescriptor()
    default: try typed(device)
    }
  }

  // MARK: Frames

  private func bytes(_ count: Int) -> [UInt8] {
    let first = source.next() & 3
    return count == 0 ? [] : [first] + (1..<count).map { UInt8(truncatingIfNeeded: $0) }.prefix(count - 1)
  }

  /// One pass, mostly of one frame.
  private func tap() {
    let interface = source.below(model.interfaces.count)
    let point = source.flag() ? 0 : source.below(model.interfaces[interface].points.count)
    let choice = source.next()
    let count = choice < 200 ? 1 : choice < 250 ? 3 : 130
    let sizes = [1, 14, 20, 60, 61, 100, 150, 300, 600, 0]
    var frames: [ModelFrame] = []
    for _ in 0..<count {
      let size = count > 3 ? 20 : source.one(of: sizes)
      // Of some frames the driver has only the beginning.
      let length = size + (size > 0 && source.next() > 240 ? 100 : 0)
      let stamp = 1_000_000_000 * Int64(source.next()) + 123_456_789
      let head = count > 3 ? [UInt8(frames.count & 3)] + [UInt8](repeating: 7, count: 19) : bytes(size)
      frames.append(ModelFrame(bytes: head, length: length, sent: choice & 1 != 0, stamp: stamp))
    }
    tell("\(count) frames at \(interface), \(point): \(frames[0].bytes.count) of \(frames[0].length) bytes")
    directory.interfaces[interface].driver.tap(frames, at: directory.interfaces[interface].points[point])
    guard model.interfaces[interface].isThere else { return }
    for frame in frames { model.tap(frame, at: ModelPlace(interface: interface, point: point)) }
  }

  private func write(_ device: Int) throws {
    let count = source.one(of: [0, 1, 3, 4, 13, 14, 60, 200, 204, 205, 214, 215, 1000])
    let frame = bytes(count)
    tell("\(device): write of \(count) bytes")
    let result = errno { try expect(devices[device].write(frame), is: frame.count, "bytes written") }
    try expect(result, is: model.write(device, frame, count: UInt64(count)), "errno of write")
  }

  /// writev with lengths and addresses of any kind.
  private func writePieces(_ device: Int) throws {
    let frame = bytes(source.one(of: [20, 60, 100]))
    let cut = source.below(frame.count)
    for (index, byte) in frame.enumerated() { room[index] = byte }
    let base = UInt64(UInt(bitPattern: room.baseAddress!))
    var pieces = [(address: base, count: UInt64(cut)), (address: base + UInt64(cut), count: UInt64(frame.count - cut))]
    var count = UInt64(frame.count)
    var isReadable = true
    switch source.below(5) {
    case 0:
      pieces[0] = (8, UInt64(max(cut, 1)))
      count = UInt64(frame.count - cut + max(cut, 1))
      isReadable = false
    case 1:
      pieces.append((base, 1 << 32))
      count += 1 << 32
    case 2:
      pieces.append((base, .max))
      count = .max
    default: break
    }
    tell("\(device): writev of \(count) bytes")
    let result = errno { _ = try devices[device].write(pieces: pieces) }
    try expect(result, is: model.write(device, isReadable ? frame : nil, count: count), "errno of writev")
  }

  // MARK: Reading

  private func read(_ device: Int) throws {
    var size = model.devices[device].bufferSize
    let choice = source.next()
    if choice > 230 { size = choice > 240 ? size + 1 : 0 }
    let isBadAddress = choice == 230
    var copy = model.devices[device]
    // What would sleep is not tried.
    guard let expected = copy.read(size: size) else { return }
    model.devices[device] = copy
    tell("\(device): read of \(size) bytes\(isBadAddress ? " to nowhere" : "")")
    var buffer = [UInt8](repeating: 0x55, count: size)
    var count = 0
    let result = errno {
      count = try isBadAddress ? devices[device].read(toAddress: 8, size: size) : devices[device].read(into: &buffer)
    }
    switch expected {
    case .failure(let error): try expect(result, is: error.errno, "errno of read")
    case .success where isBadAddress: try expect(result, is: Errno.fault, "errno of read")
    case .success(let records):
      try expect(result, is: 0, "errno of read")
      var image: [UInt8] = []
      for record in records {
        image += [UInt8](repeating: 0, count: ModelDevice.aligned(image.count) - image.count)
        if record.hidesStamp && image.count + 16 <= count {
          for index in 0..<16 { buffer[image.count + index] = 0 }
        }
        image += record.image
      }
      try expect(Array(buffer.prefix(count)), is: image, "bytes read")
    }
  }

  private func poll(_ device: Int) throws {
    let wanted = UInt16(source.next()) | UInt16(source.next()) << 8
    let copy = model.devices[device]
    // POLLIN and POLLRDNORM, POLLOUT and POLLWRNORM, POLLHUP.
    var ready = wanted & 0x104
    if copy.isReady { ready |= wanted & 0x041 }
    if copy.place == nil { ready |= wanted & 0x010 }
    tell("\(device): poll for \(wanted)")
    let answer = devices[device].poll(BPF.PollEvents(rawValue: Int16(bitPattern: wanted)))
    try expect(UInt16(bitPattern: answer.rawValue), is: ready, "events")
  }

  // MARK: Interfaces

  private func depart() {
    let interface = source.below(model.interfaces.count)
    guard source.flag(), model.interfaces[interface].isThere else { return }
    tell("interface \(interface) departs")
    model.depart(interface)
    directory.interfaces[interface].isThere = false
    directory.interfaces[interface].ifnet.depart()
    dead = directory.interfaces[interface].points[0]
  }

  /// An interface of the old name.
  private func arrive() {
    for index in model.interfaces.indices where !model.interfaces[index].isThere {
      tell("interface \(index) comes")
      model.interfaces[index].isThere = true
      model.interfaces[index].isUp = true
      model.interfaces[index].payload = 200
      model.interfaces[index].refusesFrames = false
      model.interfaces[index].refusesPromiscuous = false
      model.interfaces[index].sent = []
      dead = nil
      directory.interfaces[index] = MemoryInterface(model.interfaces[index], index: UInt32(index + 1))
    }
  }

  private func changeInterface() {
    let index = source.below(model.interfaces.count)
    let driver = directory.interfaces[index].driver
    switch source.below(4) {
    case 0: model.interfaces[index].isUp.toggle()
    case 1: model.interfaces[index].payload = source.one(of: [60, 200, 986])
    case 2: model.interfaces[index].refusesFrames.toggle()
    default: model.interfaces[index].refusesPromiscuous.toggle()
    }
    let copy = model.interfaces[index]
    tell("interface \(index): up \(copy.isUp), \(copy.payload) bytes, refuses \(copy.refusesFrames)")
    driver.isUp = copy.isUp
    driver.payload = copy.payload
    driver.refusesFrames = copy.refusesFrames
    driver.refusesPromiscuous = copy.refusesPromiscuous
  }
}

extension ModelRecord {
  /// As read(2) returns it: `struct bpf_hdr` or `bpf_xhdr`, the frame.
  var image: [UInt8] {
    var header = ModelWords.bytes(seconds) + ModelWords.bytes(fraction)
    header += ModelWords.bytes(UInt32(bytes.count)) + ModelWords.bytes(UInt32(length))
    header += [UInt8(self.header), 0]
    return header + [UInt8](repeating: 0, count: self.header - header.count) + bytes
  }
}
