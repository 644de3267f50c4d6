// -D and -L: what can be captured.
internal import CPcapShim
import Glibc
import SwBPF
import SwBPFLiveCapture

enum Listing {
  /// The interfaces in the order of -D: those that are up and running first, lo after them, then any, then the rest.
  static func order() throws -> [(name: String, flags: String)] {
    func rank(_ link: Link) -> Int { link.isLoopback ? 2 : link.isUp && link.isRunning ? 0 : link.isUp ? 1 : 4 }
    var list = try Link.all().filter { $0.isCapturable }.map { (rank($0), $0.name, flags($0)) }
    list.append((3, "any", "Up, Running"))
    return list.enumerated().sorted { ($0.element.0, $0.offset) < ($1.element.0, $1.offset) }
      .map { ($0.element.1, $0.element.2) }
  }

  private static func flags(_ link: Link) -> String {
    var words: [String] = []
    if link.isUp { words.append("Up") }
    if link.isRunning { words.append("Running") }
    if link.isLoopback { words.append("Loopback") }
    return words.isEmpty ? "none" : words.joined(separator: ", ")
  }

  static func interfaces() throws -> CInt {
    var text = ""
    for (place, one) in try order().enumerated() {
      let about = one.name == "any" ? " (Pseudo-device that captures on all interfaces)" : ""
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
    let linkType = try linkType(of: name)
    Messages.write(
      "Data link types for \(name) (use option -y to set):\n  \(describe(linkType))\n", to: STDOUT_FILENO)
    return 0
  }

  /// The DLT of an interface. - Throws: ENXIO.
  static func linkType(of name: String) throws -> Int32 {
    if name == "any" { return 276 }
    guard let link = try Link.all().first(where: { $0.name == name }) else { throw BPF.Failure.noSuchInterface(name) }
    guard let linkType = link.linkType else {
      throw BPF.Failure.invalid("\(name): hardware type \(link.hardwareType) is not supported")
    }
    return linkType
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
