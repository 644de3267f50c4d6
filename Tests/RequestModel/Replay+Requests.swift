// Requests by number and by typed methods.
import Glibc
import SwBPFBPF
import SwBPFFilterMachine

extension ByteSource {
  /// Where there is no memory.
  static let badAddress: UInt64 = 8

  /// What is sent along with a number.
  /// - Parameter base: where memory is that an argument may point to.
  mutating func argument(_ number: UInt32, base: UInt64) -> (bytes: [UInt8], memory: ModelMemory) {
    var bytes = [UInt8](repeating: 0, count: Int(number >> 16 & 0x1fff))
    func put(_ new: [UInt8], at offset: Int = 0) {
      for (index, byte) in new.enumerated() where offset + index < bytes.count { bytes[offset + index] = byte }
    }
    var memory = ModelMemory.none
    switch number {
    case 0x8020_426c, 0x8090_426c:
      put([UInt8](repeating: 0x41, count: bytes.count))
      let name = one(of: ["lo", "veth12", "lo", "veth12", "veth12", "lo0", "veth1", "", "veth123456789012"])
      put(Array(name.utf8) + [0])
    case 0x8010_4267, 0x8010_4282, 0x8010_427b, 0x8010_427f:
      let program = ModelProgram.make(next(), next())
      var count = UInt32(program.instructions.count)
      var address = base
      memory = .program(program)
      switch next() {
      case 0..<16: count = 0
      case 16..<24: (address, memory) = (0, .none)
      case 24..<32: (address, memory) = (ByteSource.badAddress, .bad)
      case 32..<40: (count, memory) = (one(of: [513, 1 << 31, .max]), .bad)
      default: break
      }
      put(ModelWords.bytes(count) + [9, 9, 9, 9] + ModelWords.bytes(address))
    case 0xc010_4279, 0xc010_4277, 0xc010_4286:
      let limit = one(of: [0, 1, 2, 3, 7, 9, 100, .max] as [UInt32])
      let address: UInt64
      (address, memory) = one(of: [(base, .room), (base, .room), (0, .none), (ByteSource.badAddress, .bad)])
      put(ModelWords.bytes(limit) + ModelWords.bytes(UInt32(below(4))) + ModelWords.bytes(address))
    case 0x8010_426d, 0x8010_427a:
      var seconds = one(of: [0, 0, 30, 60, 1 << 63, .max] as [UInt64])
      var fine = one(of: [0, 999_999, 1_000_000, .max] as [UInt64])
      // What runs out while a sequence is played could not be foretold.
      if seconds == 0 && fine == 999_999 { fine = 0 }
      if seconds == .max { seconds = 1 << 63 | 1 }
      put(ModelWords.bytes(seconds) + ModelWords.bytes(fine))
    case 0x8004_667c: put(ModelWords.bytes(flag() ? UInt32(getpid()) : UInt32(0)))
    case 0x8004_7476: put(ModelWords.bytes(flag() ? UInt32(bitPattern: 0 - getpid()) : UInt32(0)))
    case 0x8004_4273: put(ModelWords.bytes(one(of: [0, 29, 65, .max] as [UInt32])))
    case 0xc004_4266:
      put(ModelWords.bytes(one(of: [0, 32, 33, 40, 64, 128, 250, 500, 4096, 1 << 20, .max] as [UInt32])))
    case 0x8004_427e: put(ModelWords.bytes(one(of: [1, 1, 1, 0, 2, 3] as [UInt32])))
    case 0x8004_4278, 0x8004_4276: put(ModelWords.bytes(one(of: [0, 1, 12, 147, 105, .max] as [UInt32])))
    default:
      let word: UInt32 = one(of: [0, 1, 2, 3, 4, 0x100, 0x101, 0x103, 0x202, 0x301, 0x400, .max])
      put(ModelWords.bytes(word))
    }
    return (bytes, memory)
  }
}

extension Replay {
  private func store(_ program: ModelProgram) {
    for (index, one) in program.instructions.enumerated() {
      room.storeBytes(of: one.code, toByteOffset: index * 8, as: UInt16.self)
      room.storeBytes(of: one.jt, toByteOffset: index * 8 + 2, as: UInt8.self)
      room.storeBytes(of: one.jf, toByteOffset: index * 8 + 3, as: UInt8.self)
      room.storeBytes(of: one.k, toByteOffset: index * 8 + 4, as: UInt32.self)
    }
  }

  func request(_ device: Int, _ number: UInt32) throws {
    memset(room.baseAddress!, 0xaa, 64)
    var (bytes, memory) = source.argument(number, base: UInt64(UInt(bitPattern: room.baseAddress!)))
    if case .program(let program) = memory { store(program) }
    let choice = source.next()
    if choice > 240 { bytes.append(0) }
    if choice == 240 { bytes = [] }
    tell(
      "\(device): request 0x\(String(number, radix: 16)), \(bytes.count <= 16 ? "\(bytes)" : "\(bytes.count) bytes")")
    if choice > 200, bytes.count == Int(number >> 16 & 0x1fff) {
      return try requestByAddress(device, number, bytes, memory, isBad: choice < 215)
    }
    let answer = model.ioctl(device, number, bytes, memory)
    var argument = bytes
    let result = errno { try devices[device].ioctl(request: number, argument: &argument) }
    try expect(result, is: answer.errno, "errno of 0x\(String(number, radix: 16))")
    try expect(argument, is: answer.argument ?? bytes, "answer of 0x\(String(number, radix: 16))")
    try checkList(answer)
  }

  private func checkList(_ answer: ModelAnswer) throws {
    guard let list = answer.list else { return }
    try expect(Array(room.prefix(list.count + 4)), is: list + [0xaa, 0xaa, 0xaa, 0xaa], "list")
  }

  /// The same with the argument at an address of the caller.
  private func requestByAddress(
    _ device: Int, _ number: UInt32, _ bytes: [UInt8], _ memory: ModelMemory, isBad: Bool
  ) throws {
    let (copiesIn, copiesOut) = (number & 0x8000_0000 != 0, number & 0x4000_0000 != 0)
    let place = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 8)
    defer { place.deallocate() }
    place.copyBytes(from: bytes)
    let isBad = isBad && !bytes.isEmpty
    var answer = ModelAnswer(errno: Errno.fault)
    if !(isBad && copiesIn) { answer = model.ioctl(device, number, bytes, memory) }
    if isBad && copiesOut && answer.errno == 0 { answer.errno = Errno.fault }
    let address = isBad ? ByteSource.badAddress : UInt64(UInt(bitPattern: place.baseAddress!))
    let result = errno { try devices[device].ioctl(request: number, address: address) }
    try expect(result, is: answer.errno, "errno of 0x\(String(number, radix: 16)) at an address")
    if isBad { return }
    try expect(
      Array(place.prefix(bytes.count)), is: answer.argument ?? bytes,
      "answer of 0x\(String(number, radix: 16)) at an address")
    try checkList(answer)
  }

  // MARK: Typed methods, which the lock does not bind

  func typed(_ device: Int) throws {
    let choice = source.below(20)
    let byte = source.next()
    tell("\(device): method \(choice), \(byte)")
    let result = errno { try perform(choice, byte, devices[device]) }
    try expect(result, is: model.perform(choice, byte, device, isDead: dead != nil), "errno of method \(choice)")
  }

  private func perform(_ choice: Int, _ byte: UInt8, _ device: BPF.Descriptor) throws {
    let isOn = byte & 1 != 0
    switch choice {
    case 0: try device.setDirection(BPF.Direction(rawValue: UInt32(byte % 3))!)
    case 1: try device.setSeesSent(isOn)
    case 2: device.setImmediate(isOn)
    case 3: try device.setBufferSize(Int(byte) * 8)
    case 4: try device.setReadTimeout(byte > 127 ? -1 : isOn ? 30_000_000_000 : 0)
    case 5: device.setNonBlocking(isOn)
    case 6: try device.setProgram(program(byte), flushing: isOn)
    case 7: device.flush()
    case 8: try device.setPromiscuous()
    case 9, 10: try device.attach(toName: isOn ? "lo" : "veth12")
    case 11:
      let interface = directory.interfaces[Int(byte & 1)]
      try device.attach(to: interface.points[Int(byte >> 1) % interface.points.count])
    case 12: try device.setLinkType(Int32(byte & 15))
    case 13: device.setStampFormat(BPF.StampFormat(rawValue: UInt32(byte & 3))!)
    case 14: device.setHeaderComplete(isOn)
    case 15: device.setFeedback(UInt32(byte & 1))
    case 16: device.setWriteProgram(try program(byte))
    case 17: device.detach()
    case 18: if let dead { try device.attach(to: dead) }
    default: try device.setSignal(CInt(byte & 1) * 29)
    }
  }

  private func program(_ byte: UInt8) throws -> Program? {
    guard let copy = ModelWorld.program(byte) else { return nil }
    return try Program(copy.instructions.map { Instruction(code: $0.code, jt: $0.jt, jf: $0.jf, k: $0.k) })
  }
}

extension ModelWorld {
  /// A good program, or none.
  static func program(_ byte: UInt8) -> ModelProgram? { byte < 40 ? nil : ModelProgram.make(byte % 11, byte) }

  /// What a typed method answers: 0 or an errno.
  mutating func perform(_ choice: Int, _ byte: UInt8, _ device: Int, isDead: Bool) -> Int32 {
    let isOn = byte & 1 != 0
    switch choice {
    case 0: devices[device].direction = UInt32(byte % 3)
    case 1: devices[device].direction = isOn ? 1 : 0
    case 2: devices[device].immediate = isOn
    case 3:
      if devices[device].place != nil { return Errno.invalid }
      setBufferSize(device, UInt32(byte) * 8)
    case 4:
      if byte > 127 { return Errno.invalid }
      (devices[device].seconds, devices[device].microseconds) = (isOn ? 30 : 0, 0)
    case 5: devices[device].nonBlocking = isOn
    case 6: setProgram(device, ModelWorld.program(byte), flushing: isOn)
    case 7: devices[device].discard()
    case 8: return setPromiscuous(device)
    case 9, 10: return attach(device, toInterface: isOn ? 0 : 1, point: 0)
    case 11:
      let index = Int(byte & 1)
      return attach(device, toInterface: index, point: Int(byte >> 1) % interfaces[index].points.count)
    case 12: return move(device, to: UInt32(byte & 15))
    case 13: devices[device].stampFormat = UInt32(byte & 3)
    case 14: devices[device].headerComplete = isOn
    case 15: devices[device].feedback = UInt32(byte & 1)
    case 16: devices[device].writeProgram = ModelWorld.program(byte)
    case 17: leave(device)
    case 18:
      guard isDead else { return 0 }
      devices[device].hasBuffers = true
      return Errno.nxio
    default: devices[device].signal = UInt32(byte & 1) * 29
    }
    return 0
  }

  private mutating func attach(_ device: Int, toInterface index: Int, point: Int) -> Int32 {
    devices[device].hasBuffers = true
    guard interfaces[index].isThere else { return Errno.nxio }
    attach(device, to: ModelPlace(interface: index, point: point))
    return 0
  }
}
