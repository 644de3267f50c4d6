// Requests that set and tell: what is kept, what is refused, what BIOCLOCK leaves.
import Glibc
import SwBPFFilterMachine
import Testing

@testable import SwBPFBPF

@Suite("Requests: settings", .timeLimit(.minutes(1)))
struct RequestSettingTests {
  @Test("C-136: FIONBIO makes reads non-blocking or not; a locked descriptor says EPERM and changes all the same")
  func nonBlocking() throws {
    let bench = try Bench()
    let one = try bench.open()
    // A blocking read ends after this time with nothing.
    try one.setReadTimeout(1_000_000)
    var buffer = [UInt8](repeating: 0, count: one.bufferSize)
    #expect(one.refusal(0x8004_667e, 1) == 0)
    #expect(throws: BPF.Failure.wouldBlock) { try one.read(into: &buffer) }
    #expect(one.refusal(0x8004_667e, 0) == 0)
    #expect(try one.read(into: &buffer) == 0)

    one.lockRequests()
    #expect(one.refusal(0x8004_667e, 1) == EPERM)
    #expect(throws: BPF.Failure.wouldBlock) { try one.read(into: &buffer) }
    #expect(one.refusal(0x8004_667e, 0) == EPERM)
    #expect(try one.read(into: &buffer) == 0)
  }

  @Test("C-137: FIOASYNC and an owner by request; an owner that there is not is ESRCH")
  func owner() throws {
    let one = try Bench().open()
    #expect(try one.number(0x4004_667b) == 0)
    // No signal: SIGIO would end the tests.
    #expect(one.refusal(0x8004_4273, 0) == 0)
    #expect(one.refusal(0x8004_667c, UInt32(getpid())) == 0)
    #expect(one.refusal(0x8004_667d, 1) == 0)
    #expect(try one.number(0x4004_667b) == UInt32(getpid()))
    #expect(try one.number(0x4004_7477) == UInt32(bitPattern: -getpid()))
    #expect(one.refusal(0x8004_667c, 0x7fff_fff0) == ESRCH)
    #expect(one.signalOwner == getpid())
    // TIOCSPGRP takes a group as a positive number.
    #expect(one.refusal(0x8004_7476, UInt32(getpgrp())) == 0)
    #expect(one.signalOwner == -getpgrp())
    #expect(try one.number(0x4004_7477) == UInt32(getpgrp()))
  }

  @Test("C-138: BIOCSRSIG of 65 and more is EINVAL, 64 and 0 are taken", arguments: [65, 66, 0x8000_0000, .max])
  func signal(number: UInt32) throws {
    let one = try Bench().open(attached: false)
    #expect(try one.number(0x4004_4272) == UInt32(SIGIO))
    for good: UInt32 in [0, 64] {
      #expect(one.refusal(0x8004_4273, good) == 0)
      #expect(one.refusal(0x8004_4273, number) == EINVAL)
      #expect(try one.number(0x4004_4272) == good)
    }
  }

  @Test("C-139: the bytes told of are store and hold, also when not ready")
  func readableBytes() throws {
    let bench = try Bench()
    let one = try bench.open(attached: false)
    try one.setBufferSize(128)
    try one.attach(to: bench.interface)
    bench.tap(frame(1, 60))
    #expect(one.poll(.readable).isEmpty)
    #expect(one.readableBytes == 86)
    bench.tap(frame(2, 60))
    #expect(one.poll(.readable) == .readable)
    #expect(one.readableBytes == 172)
    #expect(try one.number(0x4004_667f) == 172)
  }

  @Test(
    "C-140: an unknown request is EINVAL and changes nothing",
    arguments: [
      0, .max, 0x2000_42ff, 0x8010_4272, 0x8010_4273, 0x8020_6921, 0x4004_4266 ^ 0x4000_0000, 0x4008_4266, 0x4004_4366,
      0xc004_4267, 0x8004_4285, 0x4004_427b, 0x8004_426f,
    ] as [UInt32])
  func unknown(request: UInt32) throws {
    let one = try Bench().open()
    let before = Setting(one)
    for byte: UInt8 in [0, 1, 0xff] {
      #expect(one.refusal(request, Array(repeating: byte, count: argumentSize(request))) == EINVAL)
    }
    #expect(Setting(one) == before)
  }

  @Test("C-141: BIOCVERSION answers 1, 1")
  func version() throws {
    #expect(try Bench().open(attached: false).answer(0x4004_4271) == [1, 0, 1, 0])
  }

  @Test("C-142: BIOCIMMEDIATE 0 switches immediate mode off again")
  func immediate() throws {
    let bench = try Bench()
    let one = try bench.open()
    #expect(one.refusal(0x8004_4270, 7) == 0)
    bench.tap(frame(1))
    #expect(one.poll(.readable) == .readable)
    #expect(one.refusal(0x8004_4270, 0) == 0)
    #expect(one.poll(.readable).isEmpty)
  }

  @Test("C-143: BIOCSHDRCMPLT 7 reads back 1")
  func headerComplete() throws {
    let one = try Bench().open(attached: false)
    #expect(try one.number(0x4004_4274) == 0)
    #expect(one.refusal(0x8004_4275, 7) == 0)
    #expect(try one.number(0x4004_4274) == 1)
    #expect(one.refusal(0x8004_4275, 0) == 0)
    #expect(try one.number(0x4004_4274) == 0)
  }

  @Test("C-144: BIOCFEEDBACK is stored as given", arguments: [0x8004_427c, 0x8004_427d] as [UInt32])
  func feedback(request: UInt32) throws {
    let one = try Bench().open(attached: false)
    for value: UInt32 in [1, 7, .max, 0] {
      #expect(one.refusal(request, value) == 0)
      #expect(try one.number(0x4004_427c) == value)
    }
  }

  @Test("C-145: a time-out with a million microseconds or a negative part is EINVAL, the old one is kept")
  func badTime() throws {
    let one = try Bench().open(attached: false)
    for (set, get) in [(0x8010_426d, 0x4010_426e), (0x8010_427a, 0x4010_427b)] as [(UInt32, UInt32)] {
      #expect(one.refusal(set, little(Int64(3)) + little(Int64(999_999))) == 0)
      for (seconds, microseconds) in [(0, 1_000_000), (0, -1), (-1, 0), (-1, 5), (1, .max), (.min, .min)]
        as [(Int64, Int64)]
      {
        #expect(one.refusal(set, little(seconds) + little(microseconds)) == EINVAL)
      }
      #expect(try one.answer(get) == little(Int64(3)) + little(Int64(999_999)))
    }
  }

  @Test("C-146: a time-out of one microsecond reads back as that; one of all seconds that there are is taken")
  func exactTime() throws {
    let one = try Bench().open(attached: false)
    for (set, get) in [(0x8010_426d, 0x4010_426e), (0x8010_427a, 0x4010_427b)] as [(UInt32, UInt32)] {
      #expect(one.refusal(set, little(Int64(0)) + little(Int64(1))) == 0)
      #expect(try one.answer(get) == little(Int64(0)) + little(Int64(1)))
      #expect(one.refusal(set, little(Int64.max) + little(Int64(999_999))) == 0)
      // Nearly a century is the longest there is.
      #expect(one.readTimeout == BPF.Descriptor.longestTimeout)
    }
  }

  @Test("C-148: the interface's refusal of promiscuous mode is passed on, and BIOCPROMISC may be tried again")
  func promiscuousFailure() throws {
    let bench = try Bench()
    let one = try bench.open()
    bench.driver.refusePromiscuous(.system(errno: EBUSY, call: "test"))
    #expect(one.refusal(0x2000_4269) == EBUSY)
    #expect(one.refusal(0x2000_4269) == EBUSY)
    #expect(bench.ifnet.promiscuousReferences == 0 && !one.peer.isPromiscuous)
    bench.driver.refusePromiscuous(nil)
    #expect(one.refusal(0x2000_4269) == 0)
    #expect(one.refusal(0x2000_4269) == 0)
    #expect(bench.ifnet.promiscuousReferences == 1 && bench.driver.promiscuous == [true])
  }

  @Test("C-265: directions 0, 1, 2 read back, 3 and 10 are EINVAL; see-sent 1, 0, 1 reads back")
  func direction() throws {
    let one = try Bench().open()
    for (set, get) in [(0x8004_4277, 0x4004_4276), (0x8004_4279, 0x4004_4278)] as [(UInt32, UInt32)] {
      #expect(try one.number(get) == 1)
      for value: UInt32 in [0, 1, 2] {
        #expect(one.refusal(set, value) == 0)
        #expect(try one.number(get) == value)
        for bad: UInt32 in [3, 10, .max] { #expect(one.refusal(set, bad) == EINVAL) }
        #expect(try one.number(get) == value)
      }
      for seesSent: UInt32 in [1, 0, 1] {
        #expect(one.refusal(set, seesSent) == 0)
        #expect(try one.number(get) == seesSent)
      }
    }
  }
}

@Suite("Requests: the lock and the buffer mode", .timeLimit(.minutes(1)))
struct RequestLockTests {
  @Test("C-152: after BIOCLOCK reading, writing and polling work")
  func lockedUse() throws {
    let bench = try Bench()
    let one = try bench.open()
    one.setImmediate(true)
    #expect(one.refusal(0x2000_427a) == 0)
    bench.tap(frame(1))
    #expect(one.poll([.readable, .writable]) == [.readable, .writable])
    var buffer = [UInt8](repeating: 0, count: one.bufferSize)
    #expect(try one.read(into: &buffer) == 86)
    #expect(one.writeRefusal(frame(2)) == 0)
    #expect(bench.driver.sent.count == 1)
  }

  @Test("C-153: BIOCLOCK may be asked for twice, nothing undoes it, and a new descriptor is not locked")
  func lockOnce() throws {
    let bench = try Bench()
    let one = try bench.open()
    #expect(one.refusal(0x2000_427a) == 0)
    #expect(one.refusal(0x2000_427e) == 0)
    #expect(one.refusal(0x2000_4268) == 0)
    #expect(one.isLocked && one.refusal(0x8004_4277, 0) == EPERM)
    let two = try bench.open()
    #expect(!two.isLocked && two.refusal(0x8004_4277, 0) == 0)
  }

  @Test("C-156: buffer mode 1 until there are buffers, then EBUSY; 0, 2, 3 are EINVAL at any time")
  func bufferMode() throws {
    let bench = try Bench()
    let fresh = try bench.open(attached: false)
    let sized = try bench.open(attached: false)
    #expect(sized.refusal(0xc004_4266, 64) == 0)
    let tried = try bench.open(attached: false)
    #expect(tried.refusal(0x8020_426c, ifreq("none")) == ENXIO)
    let attached = try bench.open()
    for (one, errno) in [(fresh, 0), (sized, EBUSY), (tried, EBUSY), (attached, EBUSY)] as [(BPF.Descriptor, CInt)] {
      for bad: UInt32 in [0, 2, 3, .max] { #expect(one.refusal(0x8004_427e, bad) == EINVAL) }
      #expect(one.refusal(0x8004_427e, 1) == errno)
      #expect(try one.number(0x4004_427d) == 1)
    }
  }

  @Test(
    "C-157: zero-copy requests are EOPNOTSUPP, whatever they carry",
    arguments: [0x4008_427f, 0x4018_4280, 0x8018_4281] as [UInt32])
  func zeroCopy(request: UInt32) throws {
    let bench = try Bench()
    for attached in [false, true] {
      let one = try bench.open(attached: attached)
      let before = Setting(one)
      for byte: UInt8 in [0, 1, 0xff] {
        #expect(one.refusal(request, Array(repeating: byte, count: argumentSize(request))) == EOPNOTSUPP)
      }
      #expect(Setting(one) == before)
    }
  }
}
