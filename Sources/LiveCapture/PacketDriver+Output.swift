// Frames that leave by an interface: sent through a socket of their own, so that the ring sees them once, outgoing.
internal import CPcapShim
import Glibc
import SwBPFBPF

extension PacketDriver {
  func outputState(of interface: BPF.Ifnet) throws(BPF.Failure) -> BPF.OutputState {
    var output = swpcap_output()
    let result = unsafe swpcap_output_state(base, Int32(interface.index), &output)
    if result < 0 { throw result == -ENODEV ? .departed : .system(errno: -result, call: "SIOCGIFMTU") }
    let (a, b, c, d, e, f) = output.address
    return BPF.OutputState(
      isUp: output.is_up != 0, maximumPayload: Int(output.mtu), address: [a, b, c, d, e, f],
      returnsFrames: output.is_loopback != 0)
  }

  func prepareToSend() { _ = try? outputSocket() }

  func send(_ frame: [UInt8], from interface: BPF.Ifnet, unseen: Bool) throws(BPF.Failure) {
    let type = PacketDriver.protocolType(of: frame, interface)
    let sent: CInt
    if unseen {
      sent = sendUnseen { PacketDriver.send(frame, type, by: interface.index, through: $0) }
    } else {
      sent = PacketDriver.send(frame, type, by: interface.index, through: try outputSocket())
    }
    if sent == -ENXIO || sent == -ENODEV { throw .departed }
    // No room in the socket's buffer: to a writer that is an interface whose queue is full, not a descriptor to wait for.
    if sent == -EAGAIN { throw .system(errno: ENOBUFS, call: "sendto") }
    if sent < 0 { throw .system(errno: -sent, call: "sendto") }
  }

  /// Through the ring's socket the kernel does not show it to the ring. While there are two rings, waits for one to end.
  private func sendUnseen(_ send: (CInt) -> CInt) -> CInt {
    while true {
      let sent: CInt? = lock.withLock { exchange?.isBound == true ? nil : send(socket) }
      if let sent { return sent }
      usleep(2000)
    }
  }

  private static func send(_ frame: [UInt8], _ type: UInt16, by index: UInt32, through socket: CInt) -> CInt {
    unsafe frame.withUnsafeBytes { bytes in
      unsafe swpcap_packet_send(socket, Int32(index), type, bytes.baseAddress, bytes.count)
    }
  }

  /// The Ethernet type that Linux files a frame under.
  private static func protocolType(of frame: [UInt8], _ interface: BPF.Ifnet) -> UInt16 {
    if interface.defaultInterface?.linkType == 1 && frame.count >= 14 {
      return UInt16(frame[12]) << 8 | UInt16(frame[13])
    }
    return frame.first.map { $0 >> 4 == 6 ? 0x86dd : 0x0800 } ?? 0x0800
  }
}
