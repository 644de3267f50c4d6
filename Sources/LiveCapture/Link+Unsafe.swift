// The system's interfaces: a list of now, and a thread that hears of changes.
// Called by the engine. (rtnetlink through CPcapShim)
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFKern

/// A network interface of the system.
public struct Link: Sendable, Equatable {
  public var index: UInt32
  public var name: String
  /// IFF_ flags.
  public var flags: UInt32
  public var mtu: UInt32
  /// ARPHRD_ number.
  public var hardwareType: UInt16
  /// Largest super-packet that leaves or arrives; 0 when unknown.
  public var largestPacket: UInt32

  public var isUp: Bool { flags & UInt32(IFF_UP) != 0 }
  public var isRunning: Bool { flags & UInt32(IFF_RUNNING) != 0 }
  public var isLoopback: Bool { flags & UInt32(IFF_LOOPBACK) != 0 }

  /// DLT_ number of its frames; nil for a kind of interface that swbpf does not know.
  public var linkType: Int32? { LinkLayer(hardwareType: hardwareType)?.linkType }
  public var isCapturable: Bool { linkType != nil }

  fileprivate init(_ link: swpcap_link) {
    index = link.index
    flags = link.flags
    mtu = link.mtu
    hardwareType = link.hatype
    largestPacket = max(link.gso_max_size, link.gro_max_size)
    name = unsafe withUnsafeBytes(of: link.name) { bytes in
      unsafe String(decoding: unsafe bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// An interface of which little is known yet.
  init(index: UInt32, name: String, hardwareType: UInt16) {
    self.index = index
    self.name = name
    self.hardwareType = hardwareType
    flags = 0
    mtu = 0
    largestPacket = 0
  }

  /// The name of an index of now.
  static func name(of index: UInt32) -> String? {
    var buffer = [CChar](repeating: 0, count: 16)
    guard unsafe if_indextoname(index, &buffer) != nil else { return nil }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Every interface of this network namespace, by index.
  public static func all() throws(BPF.Failure) -> [Link] {
    let socket = swpcap_link_open(0)
    guard socket >= 0 else { throw .system(errno: -socket, call: "socket(AF_NETLINK)") }
    defer { close(socket) }
    let asked = swpcap_link_list(socket)
    guard asked >= 0 else { throw .system(errno: -asked, call: "RTM_GETLINK") }
    var links: [Link] = []
    var messages = [swpcap_link](repeating: swpcap_link(), count: 128)
    while true {
      let count = unsafe swpcap_link_read(socket, &messages, 128)
      guard count >= 0 else { throw .system(errno: -count, call: "recv(AF_NETLINK)") }
      for message in messages.prefix(Int(count)) {
        if message.event == UInt32(SWPCAP_LINK_DONE) { return links.sorted { $0.index < $1.index } }
        if message.event == UInt32(SWPCAP_LINK_NEW) { links.append(Link(message)) }
      }
    }
  }
}

/// What happened to an interface.
enum LinkEvent {
  case changed(Link)
  case gone(UInt32)
  /// Events were lost: look at the list.
  case lost
}

/// A thread that hears of interfaces. Asleep while nothing happens.
final class LinkMonitor: Sendable {
  private let socket: CInt
  private let wake: CInt
  private let thread: Thread

  /// - Parameter body: called on the monitor's thread.
  init(_ body: @escaping @Sendable (LinkEvent) -> Void) throws(BPF.Failure) {
    let socket = swpcap_link_open(1)
    guard socket >= 0 else { throw .system(errno: -socket, call: "socket(AF_NETLINK)") }
    let wake = swpcap_event_open()
    guard wake >= 0 else {
      close(socket)
      throw .system(errno: -wake, call: "eventfd")
    }
    self.socket = socket
    self.wake = wake
    do throws(Thread.Shortage) {
      thread = try Thread(starting: "swbpf-links") {
        var messages = [swpcap_link](repeating: swpcap_link(), count: 128)
        while true {
          let ready = swpcap_wait(socket, wake, -1)
          if ready < 0 || ready & SWPCAP_READY_WAKE != 0 { return }
          let count = unsafe swpcap_link_read(socket, &messages, 128)
          guard count >= 0 else { return }
          for message in messages.prefix(Int(count)) {
            switch Int32(message.event) {
            case SWPCAP_LINK_NEW: body(.changed(Link(message)))
            case SWPCAP_LINK_GONE: body(.gone(message.index))
            case SWPCAP_LINK_LOST: body(.lost)
            default: break
            }
          }
        }
      }
    } catch {
      close(socket)
      close(wake)
      throw .system(errno: error.errno, call: "pthread_create")
    }
  }

  func stop() {
    swpcap_event_signal(wake)
    thread.join()
    close(socket)
    close(wake)
  }
}
