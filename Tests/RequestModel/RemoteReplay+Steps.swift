// One step of a sequence with descriptors of a daemon.
import Glibc
import SwBPFBPF
import SwBPFDaemonClient
import SwBPFFilterMachine

extension RemoteReplay {
  func step() throws {
    let device = source.below(RemoteReplay.deviceCount)
    switch source.below(32) {
    case 0..<8: try tap()
    case 8..<12: try take(device)
    case 12..<18: try request(device, source.one(of: ModelWorld.known))
    case 18: try request(device, source.one(of: [0x2000_4269, 0x8004_4278, 0x8004_4276, 0x8004_427e, 0xc010_4279]))
    case 19: try request(device, source.word())
    case 20, 21: try sleep(device)
    case 22, 23: try write(device)
    case 24: try depart()
    case 25: try arrive()
    case 26: try changeInterface()
    case 27:
      tell("\(device): closed and opened")
      try reopen(device)
    default: try perform(device)
    }
  }

  // MARK: Frames

  private func bytes(_ count: Int) -> [UInt8] {
    let first = source.next() & 3
    return count == 0 ? [] : [first] + (1..<count).map { UInt8(truncatingIfNeeded: $0) }.prefix(count - 1)
  }

  /// One pass, mostly of one frame.
  private func tap() throws {
    let interface = source.below(model.interfaces.count)
    let point = source.flag() ? 0 : source.below(model.interfaces[interface].points.count)
    let place = ModelPlace(interface: interface, point: point)
    let choice = source.next()
    let count = choice < 180 ? 1 : choice < 250 ? 3 : 130
    let sizes = stage.isLive ? [14, 20, 60, 61, 100, 150, 214] : [1, 14, 20, 60, 61, 100, 150, 300, 600, 0]
    var frames: [ModelFrame] = []
    for _ in 0..<count {
      let most = stage.isLive ? 14 + model.interfaces[interface].payload : .max
      let size = count > 3 ? 20 : min(most, source.one(of: sizes))
      let isCut = source.next() > 240 && size > 0 && count <= 3 && !stage.isLive
      let stamp = 1_000_000_000 * Int64(source.next()) + 123_456_789
      let head = count > 3 ? [UInt8(frames.count & 3)] + [UInt8](repeating: 7, count: 19) : bytes(size)
      frames.append(
        ModelFrame(
          bytes: head, length: isCut ? size + 100 : size, sent: choice & 1 != 0, stamp: stage.isLive ? nil : stamp))
    }
    tell("\(count) frames at \(interface), \(point): \(frames[0].bytes.count) of \(frames[0].length) bytes")
    guard model.interfaces[interface].isThere, !stage.isLive || model.interfaces[interface].isUp else { return }
    let before = devices.indices.map { wakes($0) }
    for device in devices.indices {
      model.devices[device].shared?.mustWake = false
      model.devices[device].shared?.mayWake = false
    }
    for frame in frames { model.tap(frame, at: place) }
    try stage.tap(frames, at: place)
    if stage.isLive { return }
    for device in devices.indices {
      let (came, about) = (wakes(device) - before[device], model.devices[device].shared)
      let isRight = about?.mustWake == true ? came == 1 : about?.mayWake == true ? came <= 1 : came == 0
      if !isRight { throw Mismatch(text: "\(device) was woken \(came) times by one pass") }
    }
  }

  /// Wake-ups that a descriptor has not looked at.
  private func wakes(_ device: Int) -> Int {
    var count: CInt = 0
    // FIONREAD
    _ = ioctl(devices[device].wakeDescriptor, 0x541b, &count)
    // So many that there is no room for another hundred.
    if count > 1024 {
      _ = devices[device].clearWake()
      count = 0
    }
    return Int(count) / 8
  }

  private func write(_ device: Int) throws {
    let frame = bytes(source.one(of: [0, 1, 3, 4, 13, 14, 60, 200, 204, 205, 214, 215, 1000]))
    let about = model.devices[device]
    // Which of the two copies is seen first is the kernel's affair.
    if stage.isLive && about.feedback != 0 && about.direction != 1 { return }
    tell("\(device): write of \(frame.count) bytes")
    let expected = model.write(device, frame, count: UInt64(frame.count))
    try expect(try errno { try devices[device].write(frame) }, is: expected, "errno of write")
    guard expected == 0, !frame.isEmpty, let place = about.place else { return }
    try stage.wrote(1, by: place.interface)
  }

  // MARK: Reading

  private func take(_ device: Int) throws {
    let isRotating = source.flag()
    tell("\(device): takes what \(isRotating ? "is there" : "is full")")
    let expected = model.devices[device].take(rotating: isRotating)
    var taken: [UInt8]?
    let result = try errno {
      guard let slot = try devices[device].takeSlot(rotating: isRotating) else { return }
      taken = slot.bytes.withUnsafeBytes { Array($0) }
    }
    switch expected {
    case .failure(let error): try expect(result, is: error.errno, "errno of taking")
    case nil:
      try expect(result, is: 0, "errno of taking")
      try expect(taken, is: nil, "bytes taken")
      if isSignalWanted(device) { model.devices[device].shared?.isAsleep = true }
    case .success(let records):
      try expect(result, is: 0, "errno of taking")
      var image: [UInt8] = []
      for record in records {
        if record.hidesStamp, let count = taken?.count, image.count + 8 <= count {
          for index in image.count..<(image.count + 8) { taken?[index] = 0 }
        }
        image += record.savefileImage
      }
      try expect(taken, is: image, "bytes taken")
    }
  }

  /// The reader says that it is going to sleep.
  private func sleep(_ device: Int) throws {
    tell("\(device): sleeps")
    let about = model.devices[device]
    try expect(devices[device].reader.mayWait(), is: about.stored == 0 && about.place != nil, "whether it may sleep")
    model.devices[device].shared?.isAsleep = true
  }

  private func isSignalWanted(_ device: Int) -> Bool {
    let about = model.devices[device]
    return about.isAsync && about.owner != 0 && about.signal != 0
  }

  // MARK: Requests

  private static let address: UInt64 = 0x4141_4141_4141

  private func request(_ device: Int, _ number: UInt32) throws {
    // There are other interfaces, and in another order.
    if stage.isLive && number == 0xc010_4286 { return }
    var (bytes, memory) = source.argument(number, base: RemoteReplay.address)
    let choice = source.next()
    if choice > 240 { bytes.append(0) }
    if choice == 240 { bytes = [] }
    tell(
      "\(device): request 0x\(String(number, radix: 16)), \(bytes.count <= 16 ? "\(bytes)" : "\(bytes.count) bytes")")
    let answer =
      RemoteReplay.refused.contains(number)
      ? ModelAnswer(errno: Errno.notSupported) : model.ioctl(device, number, bytes, memory)
    var room: [UInt8] =
      switch memory {
      case .program(let program): program.bytes
      case .room: [UInt8](repeating: 0xaa, count: 64)
      case .none, .bad: []
      }
    var argument = bytes
    let result = try errno { try devices[device].ioctl(number, argument: &argument, memory: &room) }
    try expect(result, is: answer.errno, "errno of 0x\(String(number, radix: 16))")
    try expect(argument, is: answer.argument ?? bytes, "answer of 0x\(String(number, radix: 16))")
    if let list = answer.list {
      try expect(Array(room.prefix(list.count + 4)), is: list + [0xaa, 0xaa, 0xaa, 0xaa], "list")
    }
    // Who waits for a signal sleeps from here on.
    if isSignalWanted(device) && RemoteReplay.aboutSignals.contains(number) && result == 0 {
      model.devices[device].shared?.isAsleep = true
    }
  }

  private static let aboutSignals: Set<UInt32> = [
    0x8004_667d, 0x8004_667c, 0x4004_667b, 0x8004_7476, 0x4004_7477, 0x4004_4272, 0x8004_4273,
  ]

  /// Requests that have a method or a message of their own.
  private func perform(_ device: Int) throws {
    let choice = source.below(12)
    let byte = source.next()
    tell("\(device): method \(choice), \(byte)")
    let one = devices[device]
    let names = model.interfaces.map(\.name) + (byte < 20 ? ["nothere"] : [])
    let name = names[Int(byte) % names.count]
    let program = ModelWorld.program(byte)
    let result = try errno {
      switch choice {
      case 0..<5: try one.attach(to: name)
      case 5: try one.change(BPF.Direction(rawValue: UInt32(byte % 3))!)
      case 6, 7:
        let instructions = program?.instructions.map { Instruction(code: $0.code, jt: $0.jt, jf: $0.jf, k: $0.k) }
        try one.setProgram(instructions.map { try Program($0) }, flushing: byte & 1 != 0)
      case 8: try one.setPromiscuous()
      case 9: try one.setImmediate(byte & 1 != 0)
      case 10: try one.refuseAll()
      default: if byte & 1 != 0 { try one.leave() }
      }
    }
    try expect(result, is: expected(choice, byte, device, name, program), "errno of method \(choice)")
  }

  private func expected(_ choice: Int, _ byte: UInt8, _ device: Int, _ name: String, _ program: ModelProgram?) -> Int32
  {
    if model.devices[device].isLocked && choice != 9 && choice != 11 { return Errno.perm }
    switch choice {
    case 0..<5:
      model.devices[device].hasBuffers = true
      guard let index = model.interfaces.firstIndex(where: { $0.name == name && $0.isThere }) else { return Errno.nxio }
      model.attach(device, to: ModelPlace(interface: index, point: 0))
    case 5: model.devices[device].direction = UInt32(byte % 3)
    case 6, 7: model.setProgram(device, program, flushing: byte & 1 != 0)
    case 8: return model.setPromiscuous(device)
    case 9: model.devices[device].immediate = byte & 1 != 0
    case 10: model.setProgram(device, ModelProgram.make(9, 0), flushing: true)
    default: if byte & 1 != 0 { model.leave(device) }
    }
    return 0
  }

  // MARK: Interfaces

  private func depart() throws {
    let interface = source.below(model.interfaces.count)
    guard source.flag(), model.interfaces[interface].isThere else { return }
    tell("interface \(interface) departs")
    let there = devices.indices.filter { model.devices[$0].place?.interface == interface }
    model.depart(interface)
    try stage.depart(interface)
    // The kernel tells of it a moment later.
    for device in there {
      for _ in 0..<5000 where !devices[device].reader.isDeparted { usleep(1000) }
      try expect(devices[device].reader.isDeparted, is: true, "departure of \(device)'s interface")
    }
  }

  /// An interface of the old name.
  private func arrive() throws {
    for index in model.interfaces.indices where !model.interfaces[index].isThere {
      tell("interface \(index) comes")
      model.interfaces[index] = stage.interfaces[index]
      try stage.arrive(index, model.interfaces[index])
    }
  }

  private func changeInterface() throws {
    let index = source.below(model.interfaces.count)
    switch source.below(stage.isLive ? 2 : 4) {
    case 0: model.interfaces[index].isUp.toggle()
    case 1: model.interfaces[index].payload = source.one(of: [100, 200, 986])
    case 2: model.interfaces[index].refusesFrames.toggle()
    default: model.interfaces[index].refusesPromiscuous.toggle()
    }
    let copy = model.interfaces[index]
    tell("interface \(index): up \(copy.isUp), \(copy.payload) bytes, refuses \(copy.refusesFrames)")
    if copy.isThere { try stage.change(index, copy) }
  }
}

extension ModelProgram {
  /// Its instructions as memory holds them.
  var bytes: [UInt8] {
    instructions.flatMap { one in
      [UInt8(truncatingIfNeeded: one.code), UInt8(truncatingIfNeeded: one.code >> 8), one.jt, one.jf]
        + ModelWords.bytes(one.k)
    }
  }
}
