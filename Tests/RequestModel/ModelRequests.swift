// What ioctl(2) answers, by number. The numbers are written out, as programs on 64-bit systems carry them.

/// Memory that an argument points to.
enum ModelMemory {
  case none
  case bad
  /// A program.
  case program(ModelProgram)
  /// Room that may be written.
  case room
}

struct ModelAnswer {
  var errno: Int32 = 0
  /// The argument afterwards; nil when the request does not answer.
  var argument: [UInt8]?
  /// What was written where the argument points to.
  var list: [UInt8]?
}

extension ModelWorld {
  /// Requests that work after BIOCLOCK.
  static let harmless: Set<UInt32> = [
    0x4004_4266, 0x2000_4268, 0x4004_426a, 0xc010_4279, 0xc010_4277, 0x4020_426b, 0x4090_426b, 0x4010_426e, 0x4010_427b,
    0x4008_426f, 0x4080_426f, 0x4004_4271, 0x4004_4274, 0x4004_667f, 0x2000_427a, 0x2000_427e, 0x8010_426d, 0x8010_427a,
    0x8004_4270, 0x4004_7477, 0x4004_4272,
  ]

  static let known: [UInt32] =
    harmless.sorted() + [
      0xc004_4266, 0x8010_4267, 0x8010_4282, 0x8010_427b, 0x8010_427f, 0x2000_4269, 0x8004_4278, 0x8004_4276,
      0x8020_426c, 0x8090_426c, 0xc010_4286, 0x8004_4273, 0x8004_4275, 0x4004_4276, 0x4004_4278, 0x8004_4277,
      0x8004_4279, 0x8004_427c, 0x8004_427d, 0x4004_427c, 0x4004_4283, 0x8004_4284, 0x4004_427d, 0x8004_427e,
      0x4008_427f, 0x4018_4280, 0x8018_4281, 0x8004_667e, 0x8004_667d, 0x8004_667c, 0x4004_667b, 0x8004_7476,
    ]

  mutating func ioctl(_ device: Int, _ number: UInt32, _ argument: [UInt8], _ memory: ModelMemory) -> ModelAnswer {
    guard ModelWorld.known.contains(number), argument.count == Int(number >> 16 & 0x1fff) else {
      return ModelAnswer(errno: Errno.invalid)
    }
    let word = ModelWords.load(argument, 0)
    // FIONBIO: the flag is the system's, above the device.
    if number == 0x8004_667e { devices[device].nonBlocking = word != 0 }
    if devices[device].isLocked && !ModelWorld.harmless.contains(number) { return ModelAnswer(errno: Errno.perm) }
    var answer = settings(device, number, word)
    answer = answer ?? interfaceRequest(device, number, argument, memory)
    answer = answer ?? times(device, number, argument) ?? program(device, number, word, memory)
    guard let answer else { return ModelAnswer(errno: Errno.invalid) }
    return answer
  }

  private func words(_ words: UInt32...) -> ModelAnswer {
    ModelAnswer(argument: words.flatMap { ModelWords.bytes($0) })
  }
  private func errno(_ errno: Int32) -> ModelAnswer { ModelAnswer(errno: errno) }

  /// One word in or one word out, or nothing.
  private mutating func settings(_ device: Int, _ number: UInt32, _ word: UInt32) -> ModelAnswer? {
    let about = devices[device]
    switch number {
    case 0x4004_4266: return words(UInt32(about.bufferSize))
    case 0xc004_4266:
      guard about.place == nil else { return errno(Errno.invalid) }
      setBufferSize(device, word)
      return words(UInt32(devices[device].bufferSize))
    case 0x2000_4268: devices[device].discard()
    case 0x2000_4269: return errno(setPromiscuous(device))
    case 0x2000_427a, 0x2000_427e: devices[device].isLocked = true
    case 0x4004_4271: return ModelAnswer(argument: [1, 0, 1, 0])
    case 0x4004_4276, 0x4004_4278: return words(about.direction)
    case 0x8004_4277, 0x8004_4279:
      if word > 2 { return errno(Errno.invalid) }
      devices[device].direction = word
    case 0x8004_4270: devices[device].immediate = word != 0
    case 0x4004_4274: return words(about.headerComplete ? 1 : 0)
    case 0x8004_4275: devices[device].headerComplete = word != 0
    case 0x4004_427c: return words(about.feedback)
    case 0x8004_427c, 0x8004_427d: devices[device].feedback = word
    case 0x4004_4283: return words(about.stampFormat)
    case 0x8004_4284:
      guard word == 3 || (word & ~0x303 == 0 && word & 3 < 3) else { return errno(Errno.invalid) }
      devices[device].stampFormat = word
    case 0x4004_427d: return words(1)
    case 0x8004_427e: return errno(word != 1 ? Errno.invalid : about.hasBuffers ? Errno.busy : 0)
    case 0x4008_427f, 0x4018_4280, 0x8018_4281: return errno(Errno.notSupported)
    case 0x4004_667f: return words(UInt32(about.stored))
    case 0x8004_667e: break
    case 0x8004_667d: devices[device].isAsync = word != 0
    case 0x8004_667c: devices[device].owner = Int32(bitPattern: word)
    case 0x4004_667b: return words(UInt32(bitPattern: about.owner))
    case 0x8004_7476: devices[device].owner = 0 - Int32(bitPattern: word)
    case 0x4004_7477: return words(UInt32(bitPattern: 0 - about.owner))
    case 0x4004_4272: return words(about.signal)
    case 0x8004_4273:
      if word >= 65 { return errno(Errno.invalid) }
      devices[device].signal = word
    case 0x4008_426f:
      return words(
        UInt32(truncatingIfNeeded: about.counters.received), UInt32(truncatingIfNeeded: about.counters.dropped))
    case 0x4080_426f:
      let long = [about.counters.received, about.counters.dropped, about.counters.captured].flatMap {
        ModelWords.bytes($0)
      }
      return ModelAnswer(argument: long + [UInt8](repeating: 0, count: 104))
    default: return nil
    }
    return ModelAnswer()
  }

  /// The caller has looked whether it is attached. What was stored is gone.
  mutating func setBufferSize(_ device: Int, _ size: UInt32) {
    devices[device].bufferSize = max(32, min(Int(size), maximumBufferSize))
    devices[device].hasBuffers = true
    devices[device].discard()
  }

  private mutating func times(_ device: Int, _ number: UInt32, _ argument: [UInt8]) -> ModelAnswer? {
    switch number {
    case 0x8010_426d, 0x8010_427a:
      let (seconds, microseconds) = (ModelWords.long(argument, 0), ModelWords.long(argument, 8))
      guard seconds < 1 << 63, microseconds < 1_000_000 else { return errno(Errno.invalid) }
      (devices[device].seconds, devices[device].microseconds) = (seconds, microseconds)
      return ModelAnswer()
    case 0x4010_426e, 0x4010_427b:
      return ModelAnswer(
        argument: ModelWords.bytes(devices[device].seconds) + ModelWords.bytes(devices[device].microseconds))
    default: return nil
    }
  }

  private mutating func program(
    _ device: Int, _ number: UInt32, _ word: UInt32, _ memory: ModelMemory
  ) -> ModelAnswer? {
    guard [0x8010_4267, 0x8010_4282, 0x8010_427b, 0x8010_427f].contains(number) else { return nil }
    var new: ModelProgram?
    if word != 0 {
      guard case .program(let program) = memory, program.isGood, Int(word) == program.instructions.count else {
        return errno(Errno.invalid)
      }
      new = program
    }
    switch number {
    case 0x8010_4267: setProgram(device, new, flushing: true)
    case 0x8010_4282: setProgram(device, new, flushing: false)
    default: devices[device].writeProgram = new
    }
    return ModelAnswer()
  }

  private mutating func interfaceRequest(
    _ device: Int, _ number: UInt32, _ argument: [UInt8], _ memory: ModelMemory
  ) -> ModelAnswer? {
    let word = ModelWords.load(argument, 0)
    switch number {
    case 0x8020_426c, 0x8090_426c:
      devices[device].hasBuffers = true
      let name = argument.prefix(16).prefix { $0 != 0 }
      let found = interfaces.firstIndex { $0.isThere && $0.name.utf8.elementsEqual(name) }
      guard let found else { return errno(Errno.nxio) }
      attach(device, to: ModelPlace(interface: found, point: 0))
      return ModelAnswer()
    case 0xc010_4286: return names(argument, memory)
    case 0x4020_426b, 0x4090_426b, 0x4004_426a, 0x8004_4278, 0x8004_4276, 0xc010_4279, 0xc010_4277: break
    default: return nil
    }
    guard let place = devices[device].place else { return errno(Errno.invalid) }
    let interface = interfaces[place.interface]
    switch number {
    case 0x4020_426b, 0x4090_426b:
      var ifreq = [UInt8](repeating: 0, count: argument.count)
      ifreq.replaceSubrange(0..<interface.name.utf8.count, with: interface.name.utf8)
      return ModelAnswer(argument: ifreq)
    case 0x4004_426a: return words(interface.points[place.point].linkType)
    case 0x8004_4278, 0x8004_4276: return errno(move(device, to: word))
    default:
      let list: [UInt8] = interface.points.reversed().flatMap { ModelWords.bytes($0.linkType) }
      let answer = ModelWords.bytes(UInt32(interface.points.count)) + argument.dropFirst(4)
      if case .none = memory { return ModelAnswer(argument: answer) }
      if word < interface.points.count { return errno(Errno.noMemory) }
      if case .room = memory { return ModelAnswer(argument: answer, list: list) }
      return errno(Errno.fault)
    }
  }

  /// BIOCGETIFLIST: size, number, address.
  private func names(_ argument: [UInt8], _ memory: ModelMemory) -> ModelAnswer {
    let (size, limit) = (ModelWords.load(argument, 0), ModelWords.load(argument, 4))
    var names = interfaces.filter(\.isThere).map(\.name).reversed() as [String]
    if size > 0 && limit > 0 { names = Array(names.prefix(Int(limit))) }
    let bytes: [UInt8] = names.flatMap { Array($0.utf8) + [0] }
    let count = ModelWords.bytes(UInt32(names.count))
    if size == 0 {
      return ModelAnswer(argument: ModelWords.bytes(UInt32(bytes.count)) + count + argument.dropFirst(8))
    }
    if Int(size) < bytes.count { return errno(Errno.noSpace) }
    let answer = argument.prefix(4) + count + argument.dropFirst(8)
    if case .room = memory { return ModelAnswer(argument: Array(answer), list: bytes) }
    return bytes.isEmpty ? ModelAnswer(argument: Array(answer)) : errno(Errno.fault)
  }
}

/// Numbers as bytes, least first.
enum ModelWords {
  static func bytes(_ word: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
  static func bytes(_ long: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: long >> (8 * $0)) } }

  /// The word at an offset; 0 where the bytes end.
  static func load(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
    guard bytes.count >= offset + 4 else { return 0 }
    return (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << (8 * $1) }
  }

  static func long(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
    UInt64(load(bytes, offset)) | UInt64(load(bytes, offset + 4)) << 32
  }
}
