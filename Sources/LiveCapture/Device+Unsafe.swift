// The devices that are no network interfaces, as libpcap lists them. Called on control paths.
internal import CPcapShim
import SwBPFBPF

/// Something that libpcap can capture on: an interface, or a device such as nflog or usbmon0.
public struct CaptureDevice: Sendable, Equatable {
  public let name: String
  /// libpcap's words, empty where it has none.
  public let description: String
  /// PCAP_IF_ flags.
  let flags: UInt32

  /// `Up, Running, Connected`, as tcpdump's -D has it; `none` without any.
  public var flagWords: String {
    var words: [String] = []
    if flags & 2 != 0 { words.append("Up") }
    if flags & 4 != 0 { words.append("Running") }
    if flags & 1 != 0 { words.append("Loopback") }
    let isWireless = flags & 8 != 0
    if isWireless { words.append("Wireless") }
    switch flags & 0x30 {
    case 0x10: words.append(isWireless ? "Associated" : "Connected")
    case 0x20: words.append(isWireless ? "Not associated" : "Disconnected")
    default: break
    }
    return words.isEmpty ? "none" : words.joined(separator: ", ")
  }

  /// All of them, in libpcap's order. (pcap_findalldevs)
  public static func all() throws(BPF.Failure) -> [CaptureDevice] {
    var room = 256
    while true {
      var raw = [swpcap_device](repeating: swpcap_device(), count: room)
      var message = [CChar](repeating: 0, count: Int(SWPCAP_ERRBUF))
      // SAFETY: the shim fills at most `room` devices and a text of its own size.
      let count = unsafe swpcap_device_list(&raw, Int32(room), &message)
      guard count >= 0 else { throw .invalid(text(message)) }
      if count > room {
        room = Int(count)
        continue
      }
      return raw.prefix(Int(count)).map { CaptureDevice($0) }
    }
  }

  /// Those that are no interfaces.
  public static func others() throws(BPF.Failure) -> [CaptureDevice] {
    let interfaces = Set(try Link.all().map(\.name))
    return try all().filter { $0.name != "any" && !interfaces.contains($0.name) }
  }

  /// Whether a name of -i is such a device; `nflog:5` is one like `nflog`.
  public static func isDevice(_ name: String) -> Bool {
    if unsafe swpcap_link_index(name) != 0 { return false }
    let first = String(name.prefix { $0 != ":" })
    return (try? others())?.contains { $0.name == name || $0.name == first } ?? false
  }

  private init(_ raw: swpcap_device) {
    func text<Tuple>(_ tuple: Tuple) -> String {
      // SAFETY: a C array of characters with its terminator.
      unsafe withUnsafeBytes(of: tuple) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    name = text(raw.name)
    description = text(raw.description)
    flags = raw.flags
  }

  static func text(_ message: [CChar]) -> String {
    String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
