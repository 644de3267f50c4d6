// Requests about the interface and its tap points.
import SwBPFKern

extension Request {
  static let interfaces: [Request] = [
    Request("BIOCSETIF", .in(32, "B", 108), .in(144, "B", 108), openbsd: .in(32, "B", 108), right: .capture) {
      descriptor, argument in
      try descriptor.attach(toName: argument.name)
    },
    Request(
      "BIOCGETIF", .out(32, "B", 107), .out(144, "B", 107), openbsd: .out(32, "B", 107), state: .attached,
      harmless: true
    ) { descriptor, argument in
      guard let name = descriptor.interfaces.last?.ifnet.name else { throw BPF.Failure.invalid("not attached") }
      argument.name = name
    },
    Request(
      "BIOCPROMISC", .none("B", 105), openbsd: .none("B", 105), state: .attached, right: .capture
    ) { descriptor, _ in
      try descriptor.setPromiscuous()
    },
    Request(
      "BIOCGDLT", .out(4, "B", 106), openbsd: .out(4, "B", 106), state: .attached, harmless: true
    ) { descriptor, argument in
      guard let type = descriptor.linkType else { throw BPF.Failure.invalid("not attached") }
      argument.word = UInt32(bitPattern: type)
    },
    Request(
      "BIOCSDLT", .in(4, "B", 120), .in(4, "B", 118), openbsd: .in(4, "B", 122), state: .attached, right: .capture
    ) { descriptor, argument in
      try descriptor.setLinkType(Int32(bitPattern: argument.word))
    },
    Request(
      "BIOCGDLTLIST", .both(16, "B", 121), .both(16, "B", 119), openbsd: .both(16, "B", 123), state: .attached,
      harmless: true, handler: linkTypeList),
    Request("BIOCGETIFLIST", .both(16, "B", 134), handler: interfaceList),
  ]

  /// `struct bpf_dltlist`: with no address only the number is wanted; a list that is too short gets nothing.
  private static let linkTypeList: Handler = { descriptor, argument in
    let types = descriptor.linkTypes
    if argument.address != 0 {
      guard argument.word >= types.count else { throw BPF.Failure.noMemory("a list of \(argument.word) link types") }
      var list = RequestArgument(bytes: [UInt8](repeating: 0, count: types.count * 4))
      for (index, type) in types.enumerated() { list.setWord(UInt32(bitPattern: type), at: index * 4) }
      guard CallerMemory.write(list.bytes, to: argument.address) else { throw BPF.Failure.badAddress }
    }
    argument.word = UInt32(types.count)
  }

  /// `struct bpf_iflist`: size of the room, number of names, address. With size 0 what is needed is told.
  private static let interfaceList: Handler = { descriptor, argument in
    var names = try descriptor.configuration.directory?.interfaceNames ?? []
    let room = Int(argument.word)
    if room > 0 && argument.word(at: 4) > 0 { names = Array(names.prefix(Int(argument.word(at: 4)))) }
    let bytes: [UInt8] = names.flatMap { Array($0.utf8) + [0] }
    if room > 0 {
      guard room >= bytes.count else { throw BPF.Failure.noSpace("\(bytes.count) bytes of names") }
      guard CallerMemory.write(bytes, to: argument.address) else { throw BPF.Failure.badAddress }
    } else {
      argument.word = UInt32(bytes.count)
    }
    argument.setWord(UInt32(names.count), at: 4)
  }
}

extension BPF.Descriptor {
  /// Attaches to an interface by name. (BIOCSETIF) - Throws: ENXIO when there is no such interface, or no tap point.
  public func attach(toName name: String) throws {
    noteBuffers()
    guard let directory = configuration.directory else { throw BPF.Failure.noSuchInterface(name) }
    let interface = try directory.interface(named: name)
    interface.ifnet.driver.prepareToSend()
    try attach(to: interface)
  }

  /// DLT_ number of the frames; nil while unattached. (BIOCGDLT)
  public var linkType: Int32? { interfaces.last?.linkType }

  /// The link types that the interface offers, newest tap point first. (BIOCGDLTLIST)
  public var linkTypes: [Int32] { interfaces.last?.ifnet.linkTypes ?? [] }
}
