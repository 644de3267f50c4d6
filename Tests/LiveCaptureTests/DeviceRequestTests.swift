// Requests of open bpf devices that speak of a real interface.
import Glibc
import SwBPFBPF
import SwBPFLiveCapture
import Testing

@testable import TestSupport

@Suite("Requests on real interfaces", .needsNamespaces, .timeLimit(.minutes(1)))
struct DeviceRequestTests {
  private func ask(_ one: BPF.Descriptor, _ request: UInt32, _ argument: [UInt8] = []) -> CInt {
    var argument = argument
    do throws(BPF.Failure) { try one.ioctl(request: request, argument: &argument) } catch { return error.errno }
    return 0
  }

  @Test("C-149: a reader that did not ask for it sees what another's promiscuous mode lets in")
  func promiscuous() throws {
    let wire = try Wire()
    let engine = try wire.far.engine()
    let plain = try wire.far.reader(engine, "vb", .in)
    let one = try wire.far.device(engine, "vb")
    #expect(ask(one, 0x2000_4269) == 0)
    let frame = framed(60, from: wire.nearEnd.mac, to: [2, 9, 9, 9, 9, 9])
    try wire.near.sendFrame("va", frame)
    #expect(try plain.collect(1).map(\.bytes) == [frame])
    engine.close()
  }

  @Test("C-154: BIOCLOCK binds who has every right over the interface, too")
  func lockBindsRoot() throws {
    let wire = try Wire()
    let engine = try wire.near.engine()
    let one = try wire.near.device(engine, "va")
    #expect(ask(one, 0x2000_427a) == 0)
    let name = Array("va".utf8) + [UInt8](repeating: 0, count: 30)
    let errnos = try wire.near.inside {
      // The same thread may do what the requests would do.
      _ = try engine.interface(named: "va")
      return [ask(one, 0x8020_426c, name), ask(one, 0x2000_4269), ask(one, 0x8004_4277, [0, 0, 0, 0])]
    }
    #expect(errnos == [EPERM, EPERM, EPERM])
    #expect(one.direction == .inOut)
    engine.close()
  }

  @Test("BIOCGETIFLIST names every interface, in as much room as it said")
  func interfaceList() throws {
    let wire = try Wire()
    let engine = try wire.near.engine()
    let one = try engine.openDevice()
    func list(size: UInt32, count: UInt32, address: UInt64) throws -> (size: UInt32, count: UInt32) {
      var argument = words(size, count) + words(UInt32(truncatingIfNeeded: address), UInt32(address >> 32))
      try wire.near.inside { try one.ioctl(request: 0xc010_4286, argument: &argument) }
      return argument.withUnsafeBytes {
        ($0.loadUnaligned(as: UInt32.self), $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
      }
    }
    func words(_ values: UInt32...) -> [UInt8] {
      values.flatMap { value in (0..<4).map { UInt8(value >> (8 * $0) & 0xff) } }
    }
    let needed = try list(size: 0, count: 0, address: 0)
    #expect(needed.size == 6 && needed.count == 2)
    var room = [UInt8](repeating: 0xa5, count: 16)
    let count = try room.withUnsafeMutableBytes { bytes in
      let address = UInt64(UInt(bitPattern: bytes.baseAddress))
      #expect(throws: BPF.Failure.noSpace("6 bytes of names")) { try list(size: 5, count: 0, address: address) }
      return try list(size: 16, count: 0, address: address).count
    }
    #expect(count == 2)
    #expect(throws: BPF.Failure.badAddress) { try list(size: 16, count: 0, address: 8) }
    #expect(room == Array("va\0lo\0".utf8) + [UInt8](repeating: 0xa5, count: 10))
    engine.close()
  }
}
