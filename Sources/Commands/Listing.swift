// -D and -L: what can be captured.
internal import CPcapShim
import Glibc
import SwBPF
import SwBPFDaemonClient
import SwBPFLiveCapture

enum Listing {
  /// One line of -D.
  struct Entry {
    var name: String
    var description = ""
    var flags: String
  }

  /// Interfaces first: those that are up and running, lo after them, then any, then the rest; then libpcap's other devices.
  static func order() throws -> [Entry] {
    func rank(_ link: Link) -> Int { link.isLoopback ? 2 : link.isUp && link.isRunning ? 0 : link.isUp ? 1 : 4 }
    let links = try Link.all()
    let known = (try? CaptureDevice.all()) ?? []
    var list = links.filter { $0.isCapturable }.map { link in
      let device = known.first { $0.name == link.name }
      return (rank(link), Entry(name: link.name, description: device?.description ?? "", flags: flags(link, device)))
    }
    list.append(
      (3, Entry(name: "any", description: "Pseudo-device that captures on all interfaces", flags: "Up, Running")))
    for device in known where device.name != "any" && !links.contains(where: { $0.name == device.name }) {
      list.append((5, Entry(name: device.name, description: device.description, flags: device.flagWords)))
    }
    for name in daemonTunnels() {
      let entry = Entry(name: name, description: "tunnel of swbpf daemon", flags: "Up, Running")
      if let place = list.firstIndex(where: { $0.1.name == name }) {
        list[place].1.description = entry.description
      } else {
        list.append((4, entry))
      }
    }
    return list.enumerated().sorted { ($0.element.0, $0.offset) < ($1.element.0, $1.offset) }.map(\.element.1)
  }

  /// The tunnels of the daemon of this network namespace; none without one.
  private static func daemonTunnels() -> [String] {
    (try? DaemonClient()).flatMap { try? $0.interfaceNames() } ?? []
  }

  /// As libpcap has them; the kernel's own where libpcap does not list the interface.
  private static func flags(_ link: Link, _ device: CaptureDevice?) -> String {
    if let device { return device.flagWords }
    var words: [String] = []
    if link.isUp { words.append("Up") }
    if link.isRunning { words.append("Running") }
    if link.isLoopback { words.append("Loopback") }
    return words.isEmpty ? "none" : words.joined(separator: ", ")
  }

  static func interfaces() throws -> CInt {
    var text = ""
    for (place, one) in try order().enumerated() {
      let about = one.description.isEmpty ? "" : " (\(one.description))"
      text += "\(place + 1).\(one.name)\(about) [\(one.flags)]\n"
    }
    Messages.write(text, to: STDOUT_FILENO)
    return 0
  }

  /// The name for -i: a name, a number of -D, or nothing (then the first of -D).
  static func resolve(_ name: String?) throws -> String {
    guard let name else { return try order().first?.name ?? "any" }
    let links = try Link.all()
    if links.contains(where: { $0.name == name }) { return name }
    guard let number = Int(name) else { return name }
    let list = try order()
    guard list.indices.contains(number - 1) else { throw CommandError("\(name): no such interface (try swbpf -D)") }
    return list[number - 1].name
  }

  static func linkTypes(of name: String?) throws -> CInt {
    let name = try resolve(name)
    let types = try CaptureDevice.isDevice(name) ? deviceLinkTypes(of: name) : [linkType(of: name)]
    Messages.write(
      "Data link types for \(name) (use option -y to set):\n" + types.map { "  \(describe($0))\n" }.joined(),
      to: STDOUT_FILENO)
    return 0
  }

  /// -J: the one kind of stamp that there is.
  static func stampTypes(of name: String?) throws -> CInt {
    let name = try resolve(name)
    _ = try linkType(of: name)
    Messages.write("Time stamp types for \(name) (use option -j to set):\n  host (Host)\n", to: STDOUT_FILENO)
    return 0
  }

  /// The DLT of an interface. - Throws: ENXIO.
  static func linkType(of name: String) throws -> Int32 {
    if name == "any" { return 276 }
    if CaptureDevice.isDevice(name) { return try deviceLinkTypes(of: name)[0] }
    guard let link = try Link.all().first(where: { $0.name == name }) else { throw BPF.Failure.noSuchInterface(name) }
    guard let linkType = link.linkType else {
      throw BPF.Failure.invalid("\(name): hardware type \(link.hardwareType) is not supported")
    }
    return linkType
  }

  /// The device's own first. Only an open device tells.
  private static func deviceLinkTypes(of name: String) throws -> [Int32] {
    let engine = try CaptureEngine()
    defer { engine.close() }
    let own = try engine.prepareDevice(name)
    return [own] + engine.linkTypes(ofDevice: name).filter { $0 != own }
  }

  /// `EN10MB (Ethernet)`.
  static func describe(_ linkType: Int32) -> String {
    // SAFETY: static storage of libpcap, or nil.
    guard let name = unsafe swpcap_linktype_name(linkType) else { return "\(linkType)" }
    guard let text = unsafe swpcap_linktype_description(linkType) else { return unsafe String(cString: name) }
    return unsafe "\(String(cString: name)) (\(String(cString: text)))"
  }

  /// `EN10MB`
  static func name(of linkType: Int32) -> String {
    // SAFETY: static storage of libpcap, or nil.
    guard let name = unsafe swpcap_linktype_name(linkType) else { return "\(linkType)" }
    return unsafe String(cString: name)
  }

  /// The DLT of a name of -y, or nil.
  static func linkType(named name: String) -> Int32? {
    let value = unsafe swpcap_linktype_from_name(name)
    return value < 0 ? nil : value
  }
}
