// The options of the capture command: the one table that parser, splitter and help text share.
import ArgumentParser

/// One option, as the command line spells it.
struct OptionName: Sendable {
  let short: Character?
  let long: String?
  /// The name of its value in the help text; nil for a flag.
  let value: String?

  init(_ short: Character?, _ long: String?, value: String? = nil) {
    self.short = short
    self.long = long
    self.value = value
  }

  /// The option for ArgumentParser.
  var specification: NameSpecification {
    var names: [NameSpecification.Element] = []
    if let short { names.append(.customShort(short)) }
    if let long { names.append(.customLong(long)) }
    return NameSpecification(names)
  }
}

/// Every option of the capture command. Letters and long names are tcpdump's where tcpdump has them.
enum OptionTable {
  static let interface = OptionName("i", "interface", value: "IF")
  static let write = OptionName("w", "write", value: "FILE")
  static let read = OptionName("r", "read", value: "FILE")
  static let count = OptionName("c", "packets", value: "N")
  static let snapLength = OptionName("s", "snapshot-length", value: "BYTES")
  static let bufferSize = OptionName("B", "buffer-size", value: "KIB")
  static let ring = OptionName(nil, "ring", value: "KIB")
  static let direction = OptionName("Q", "direction", value: "in|out|inout")
  static let seeSent = OptionName(nil, "see-sent", value: "on|off")
  static let noPromiscuous = OptionName("p", "no-promiscuous-mode")
  static let numeric = OptionName("n", "numeric")
  static let linkHeader = OptionName("e", "link-header")
  static let stamp = OptionName("t", nil)
  static let verbose = OptionName("v", nil)
  static let hex = OptionName("x", nil)
  static let hexAndText = OptionName("X", nil)
  static let text = OptionName("A", nil)
  static let absoluteSequence = OptionName("S", "absolute-tcp-sequence-numbers")
  static let quiet = OptionName("q", nil)
  static let packetNumber = OptionName("#", "number")
  static let listInterfaces = OptionName("D", "list-interfaces")
  static let listLinkTypes = OptionName("L", "list-data-link-types")
  static let linkType = OptionName("y", "linktype", value: "TYPE")
  static let expressionFile = OptionName("F", "filter-file", value: "FILE")
  static let packetBuffered = OptionName("U", "packet-buffered")
  static let lineBuffered = OptionName("l", "line-buffered")
  static let print = OptionName(nil, "print")
  static let json = OptionName(nil, "json")
  static let color = OptionName(nil, "color", value: "auto|always|never")
  static let persist = OptionName(nil, "persist")
  static let isPrivate = OptionName(nil, "private")
  static let user = OptionName("Z", "relinquish-privileges", value: "USER")
  static let noKeys = OptionName(nil, "no-keys")
  static let noControl = OptionName(nil, "no-control")
  static let unoptimized = OptionName("O", "no-optimize")
  static let dump = OptionName("d", nil)
  static let immediate = OptionName(nil, "immediate-mode")
  static let precision = OptionName(nil, "time-stamp-precision", value: "micro|nano")
  static let micro = OptionName(nil, "micro")
  static let nano = OptionName(nil, "nano")
  static let stampType = OptionName("j", "time-stamp-type", value: "host")
  static let listStampTypes = OptionName("J", "list-time-stamp-types")
  static let onlyCount = OptionName(nil, "count")
  static let skip = OptionName(nil, "skip", value: "N")
  static let unchecked = OptionName("K", "dont-verify-checksums")
  static let namespace = OptionName(nil, "netns", value: "NAME|PID|PATH")
  static let version = OptionName(nil, "version")
  static let help = OptionName("h", "help")

  static let all: [OptionName] = [
    interface, write, read, count, snapLength, bufferSize, ring, direction, seeSent, noPromiscuous, numeric, linkHeader,
    stamp, verbose, hex, hexAndText, text, absoluteSequence, quiet, packetNumber,
    listInterfaces, listLinkTypes, linkType, expressionFile, packetBuffered, lineBuffered, print, persist, user,
    isPrivate, json, color,
    noKeys, noControl,
    unoptimized, version, help,
    dump, immediate, precision, micro, nano, stampType, listStampTypes, onlyCount, skip, unchecked, namespace,
  ]

  static func named(short: Character) -> OptionName? { all.first { $0.short == short } }

  /// The option of that long name, or those whose name begins so.
  static func beginning(_ text: String) -> [OptionName] {
    if let exact = all.first(where: { $0.long == text }) { return [exact] }
    return text.isEmpty ? [] : all.filter { $0.long?.hasPrefix(text) == true }
  }

  /// tcpdump's options that swbpf has not, and why: what to say instead of "unknown".
  static let absent: [String: String] = [
    "-N": "names are never looked up", "-f": "names are never looked up", "-a": "names are never looked up",
    "-b": "BGP is not dissected", "-H": "802.11 is not dissected", "-u": "NFS is not dissected",
    "-E": "ESP is not decrypted", "-m": "SNMP is not dissected", "-M": "TCP signatures are not checked",
    "-T": "the protocol of a packet is known by its ports only", "-I": "there is no monitor mode",
    "-C": "there is one savefile, of any size", "-G": "there is one savefile, for the whole time",
    "-W": "there is one savefile, not a row of them", "-z": "there is one savefile, not a row of them",
    "-V": "give -r one file at a time", "-R": "ESP and AH are as in RFC 2402 and later",
  ]
}
