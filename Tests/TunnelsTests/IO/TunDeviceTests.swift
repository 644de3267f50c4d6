import Glibc
import SwBPFBPF
import TestSupport
import Testing

@testable import SwBPFTunnels

@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct TunDeviceTests {
  private let host: Host

  init() throws { host = try Host() }

  private func open(_ name: String, _ layer: TunDevice.Layer = .ip) throws -> TunDevice {
    try host.inside { try TunDevice(name, layer) }
  }

  /// What the system sends, but for the words of its own (MLD).
  private func read(_ device: TunDevice, into packet: inout HeldPacket) throws -> PacketOffload? {
    var offload: PacketOffload?
    _ = try eventually(within: 2) {
      offload = try device.read(into: &packet.room, headroom: 96)
      return offload != nil && packet.bytes[0] == 0x45
    }
    return offload
  }

  @Test("a device is there while a queue of it is, with several queues")
  func lives() throws {
    var first: TunDevice? = try open("gif0")
    var second: TunDevice? = try host.inside { try TunDevice(queueOf: first!, .ip) }
    #expect(try host.ip("-d link show gif0").contains("multi_queue"))
    first = nil
    #expect(try host.ip("link show gif0").contains("gif0"))
    _ = second
    second = nil
    #expect(throws: (any Error).self) { try host.ip("link show gif0") }
  }

  @Test("a name that is taken, by a device of any kind, is EBUSY, and the other stays as it is")
  func taken() throws {
    try host.ip("link add gif0 type veth peer name vb")
    #expect(throws: BPF.Failure.system(errno: EBUSY, call: "TUNSETIFF")) { try open("gif0") }
    let device = try open("gif1")
    #expect(throws: BPF.Failure.system(errno: EBUSY, call: "TUNSETIFF")) { try open("gif1") }
    #expect(throws: BPF.Failure.system(errno: EINVAL, call: "TUNSETIFF")) { try open("") }
    #expect(throws: BPF.Failure.system(errno: EINVAL, call: "TUNSETIFF")) { try open("a-name-of-16-byte") }
    #expect(device.name == "gif1")
    #expect(try host.ip("link show gif0").contains("gif0"))
  }

  @Test("what the system sends by the device is read behind the headroom, and what is written the system gets")
  func passes() throws {
    let device = try open("gif0")
    try host.ip("addr add 172.16.1.1 peer 172.16.2.1 dev gif0")
    try host.ip("link set gif0 up")
    let sender = try UDPSender(in: host, to: "172.16.2.1", port: 7, sourcePort: 4000)
    let receiver = try UDPReceiver(in: host, address: "172.16.1.1", port: 4001)
    try sender.send(1, size: 32)
    var packet = HeldPacket([])
    #expect(try read(device, into: &packet) != nil)
    #expect(packet.room.start == 96 && packet.bytes.count == 60)
    #expect(Array(packet.bytes[12..<20]) == [172, 16, 1, 1, 172, 16, 2, 1])
    // Back: addresses the other way round, to the other port. A UDP checksum of 0 is none.
    var back = packet.bytes
    back.replaceSubrange(12..<20, with: [172, 16, 2, 1, 172, 16, 1, 1])
    back.replaceSubrange(20..<24, with: [0, 7, 0x0f, 0xa1])
    back.replaceSubrange(26..<28, with: [0, 0])
    let answer = HeldPacket(back)
    #expect(device.write(answer.room) == 0)
    #expect(try receiver.receive(1).count == 1)
    #expect(try device.read(into: &packet.room, headroom: 96) == nil)
  }

  @Test("with offloads a packet comes with what is left to do")
  func offload() throws {
    let device = try open("gif0")
    try device.setOffload(checksums: true, segments: true)
    try host.ip("addr add 172.16.1.1 peer 172.16.2.1 dev gif0")
    try host.ip("link set gif0 up mtu 1280")
    let sender = try UDPSender(in: host, to: "172.16.2.1", port: 7)
    try sender.send(1, size: 32)
    var packet = HeldPacket([])
    let offload = try #require(try read(device, into: &packet))
    #expect(offload.segments == .none)
    #expect(offload.checksum?.start == 20 && offload.checksum?.offset == 6)
  }
}
