// The system's side of an interface: state, MTU, addresses.
// Called by the engine under its lock. (rtnetlink and ioctls through CPcapShim)
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFPackets

/// Changes interfaces of one network namespace.
final class InterfaceControl {
  private let socket: CInt
  private var sequence: UInt32 = 0

  /// For the network namespace of the calling thread.
  /// - Throws: EPERM without CAP_NET_ADMIN.
  init() throws(BPF.Failure) {
    socket = swpcap_route_open()
    guard socket >= 0 else { throw .system(errno: -socket, call: "socket(AF_NETLINK)") }
    let permitted = swpcap_interface_permitted(socket)
    guard permitted == 0 else {
      close(socket)
      throw .system(errno: -permitted, call: "SIOCSIFFLAGS")
    }
  }

  deinit { close(socket) }

  func index(of name: String) -> UInt32 { unsafe swpcap_interface_index(socket, name) }

  /// nil when there is no interface of that name.
  func state(of name: String) -> (isUp: Bool, mtu: UInt32)? {
    var (flags, mtu): (UInt32, UInt32) = (0, 0)
    guard unsafe swpcap_interface_state(socket, name, &flags, &mtu) == 0 else { return nil }
    return (flags & UInt32(IFF_UP) != 0, mtu)
  }

  func setUp(_ name: String, _ isUp: Bool) throws(BPF.Failure) {
    try check(unsafe swpcap_interface_up(socket, name, isUp ? 1 : 0), "SIOCSIFFLAGS")
  }

  func setMTU(_ name: String, _ mtu: UInt32) throws(BPF.Failure) {
    try check(unsafe swpcap_interface_mtu(socket, name, mtu), "SIOCSIFMTU")
  }

  /// The six bytes of a device's Ethernet address; empty when there is no such device. Any thread.
  func hardwareAddress(of index: UInt32) -> [UInt8] {
    var state = swpcap_output()
    guard unsafe swpcap_output_state(socket, CInt(index), &state) == 0 else { return [] }
    let (a, b, c, d, e, f) = state.address
    return [a, b, c, d, e, f]
  }

  /// The addresses of an interface in the system's order.
  func addresses(of index: UInt32) throws(BPF.Failure) -> [InterfaceAddress] {
    var raw = [swpcap_address](repeating: swpcap_address(), count: InterfaceStatus.mostAddresses)
    sequence &+= 1
    // SAFETY: the shim fills at most as many as there are.
    let count = unsafe swpcap_address_list(socket, sequence, index, &raw, Int32(raw.count))
    try check(min(count, 0), "RTM_GETADDR")
    return raw.prefix(Int(count)).compactMap(InterfaceAddress.init)
  }

  /// The broadcast addresses of all interfaces.
  func broadcasts() throws(BPF.Failure) -> [UInt32] {
    var room = 64
    while true {
      var addresses = [UInt32](repeating: 0, count: room)
      sequence &+= 1
      // SAFETY: the shim fills at most `room`.
      let count = unsafe swpcap_address_broadcasts(socket, sequence, &addresses, Int32(room))
      try check(min(count, 0), "RTM_GETADDR")
      if Int(count) <= room { return Array(addresses.prefix(Int(count))) }
      room = Int(count)
    }
  }

  func change(_ address: InterfaceAddress, of index: UInt32, isAdded: Bool) throws(BPF.Failure) {
    var raw = swpcap_address()
    raw.interface = index
    raw.family = UInt8(address.address.systemFamily)
    raw.prefix = address.prefix
    // SAFETY: 16 plain bytes each.
    raw.local = unsafe unsafeBitCast(address.address.wire, to: type(of: raw.local))
    if let destination = address.destination {
      raw.has_peer = 1
      raw.peer = unsafe unsafeBitCast(destination.wire, to: type(of: raw.peer))
    }
    sequence &+= 1
    try check(
      unsafe swpcap_address_change(socket, sequence, &raw, isAdded ? 1 : 0), isAdded ? "RTM_NEWADDR" : "RTM_DELADDR")
  }

  private func check(_ result: CInt, _ call: String) throws(BPF.Failure) {
    guard result >= 0 else { throw .system(errno: -result, call: call) }
  }
}

extension InterfaceAddress {
  fileprivate init?(_ raw: swpcap_address) {
    let isIPv6 = CInt(raw.family) == AF_INET6
    guard isIPv6 || CInt(raw.family) == AF_INET else { return nil }
    // SAFETY: 16 plain bytes each.
    let (local, peer) = unsafe (
      unsafeBitCast(raw.local, to: (UInt64, UInt64).self), unsafeBitCast(raw.peer, to: (UInt64, UInt64).self)
    )
    self.init(
      IPAddress(wire: local, isIPv6: isIPv6), prefix: raw.prefix,
      destination: raw.has_peer != 0 ? IPAddress(wire: peer, isIPv6: isIPv6) : nil)
  }
}
