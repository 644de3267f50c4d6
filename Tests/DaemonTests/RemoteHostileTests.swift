// Readers of other processes that break every rule: they harm themselves.
import CPcapShim
import Glibc
import SwBPFDaemonClient
import SwBPFInterfaces
import SwBPFKern
import Testing

@testable import SwBPFBPF
@testable import SwBPFDaemon
@testable import TestSupport

@Suite(.timeLimit(.minutes(2))) struct RemoteHostileTests {
  /// What a client gets, as it comes.
  private func open(_ client: DaemonClient, slotSize: Int = 4096, slots: Int = 4) throws -> (body: [UInt8], [CInt]) {
    var writer = FieldWriter()
    writer.put(RemoteTag.slotSize, UInt64(slotSize))
    writer.put(RemoteTag.slots, UInt64(slots))
    writer.put(RemoteTag.nanoseconds, UInt8(1))
    let answer = try client.request(.bpfOpen, body: writer.bytes, mostDescriptors: 3)
    return (answer.body, answer.descriptors)
  }

  private func attach(_ client: DaemonClient, _ body: [UInt8]) throws {
    var writer = FieldWriter()
    writer.put(MessageTag.name, "tap0", limit: 64)
    _ = try client.request(.bpfAttach, body: body + writer.bytes)
  }

  /// Takes the first page out of a file; an errno. (MADV_REMOVE, on a mapping that may write, else through one that may not)
  private func punch(_ descriptor: CInt) -> CInt {
    var map = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    if map == MAP_FAILED { map = mmap(nil, 4096, PROT_READ, MAP_SHARED, descriptor, 0) }
    defer { munmap(map, 4096) }
    return madvise(map, 4096, 9) == 0 ? 0 : errno
  }

  @Test func nobodyButTheDaemonCanWriteToSlots() throws {
    let served = try Served(taps: try TestTaps())
    let client = try served.client()
    let (_, descriptors) = try open(client)
    defer { for one in descriptors { close(one) } }
    let slots = descriptors[0]
    var byte: UInt8 = 1
    #expect(mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, slots, 0) == MAP_FAILED && errno == EPERM)
    #expect(pwrite(slots, &byte, 1, 0) == -1 && errno == EPERM)
    #expect(ftruncate(slots, 0) == -1 && errno == EPERM)
    #expect(ftruncate(slots, 1 << 20) == -1 && errno == EPERM)
    #expect(punch(slots) != 0)
    // F_ADD_SEALS, F_SEAL_WRITE
    #expect(fcntl(slots, 1033, 8) == -1 && errno == EPERM)
    // Opened once more.
    let again = Glibc.open("/proc/self/fd/\(slots)", O_RDWR)
    #expect(again < 0 || mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0) == MAP_FAILED)
    if again >= 0 { close(again) }
    // A mapping for reading stays one.
    let map = mmap(nil, 4096, PROT_READ, MAP_SHARED, slots, 0)
    #expect(map != MAP_FAILED && mprotect(map, 4096, PROT_READ | PROT_WRITE) == -1)
    munmap(map, 4096)
    // The word's page keeps its size, so the daemon's look at it cannot fail.
    #expect(ftruncate(descriptors[1], 0) == -1 && fcntl(descriptors[1], 1033, 2) == -1)
    #expect(write(descriptors[2], &byte, 1) == -1)
  }

  @Test(arguments: 0..<5) func whoScribblesHarmsOnlyHimself(_ which: Int) throws {
    let taps = try TestTaps()
    let served = try Served(taps: taps)
    let client = try served.client()
    let (body, descriptors) = try open(client)
    defer { for one in descriptors { close(one) } }
    try attach(client, body)
    let honest = try served.remote(slots: 64)
    try honest.attach(to: "tap0")
    let map = try #require(mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptors[1], 0))
    #expect(map != MAP_FAILED)
    defer { munmap(map, 4096) }
    var random = SystemRandomNumberGenerator()
    var seen: [Int] = []
    for round in 0..<100 {
      switch which {
      case 0: map.storeBytes(of: UInt64.max, as: UInt64.self)
      case 1: map.storeBytes(of: UInt64.random(in: 0 ... .max, using: &random), as: UInt64.self)
      // More than there is, less than before, and a hole where the page was.
      case 2: map.storeBytes(of: UInt64(round) << 33, as: UInt64.self)
      case 3: map.storeBytes(of: UInt64(100 - round) << 32, as: UInt64.self)
      default: #expect(punch(descriptors[1]) == 0)
      }
      taps.tap(round * 20..<(round + 1) * 20, pass: 5)
      seen += honest.drain()
    }
    #expect(seen == Array(0..<2000))
    #expect(honest.state.statistics.dropped == 0)
    var writer = FieldWriter()
    writer.put(RemoteTag.number, RemoteRequest.state.rawValue)
    let answer = try client.request(.bpfRequest, body: body + writer.bytes)
    let fields = try #require(MessageBody(answer.body, tags: RemoteTag.all))
    let bytes = try #require(fields[RemoteTag.counters])
    let words = (0..<8).compactMap { bytes.number(UInt64.self, at: $0 * 8) }
    let counts = try #require(BPF.Statistics(words: words))
    #expect(counts.captured == 2000 && counts.addsUp, "\(counts)")
  }

  @Test func whoNeverReadsHoldsNobodyUpAndItsPipeFillsNobody() throws {
    let taps = try TestTaps()
    let served = try Served(taps: taps)
    let client = try served.client()
    let (body, descriptors) = try open(client)
    defer { for one in descriptors { close(one) } }
    try attach(client, body)
    let map = try #require(mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptors[1], 0))
    defer { munmap(map, 4096) }
    // It says that it sleeps, before each pass; its end of the pipe may wait as it likes.
    _ = fcntl(descriptors[2], F_SETFL, 0)
    for round in 0..<5000 {
      map.storeBytes(of: UInt64(round), as: UInt64.self)
      taps.tap(round..<(round + 1))
    }
    #expect(taps.ifnet.peerCount == 1)
  }

  @Test func whatAClientHadIsFreeWhenItGoes() throws {
    let taps = try TestTaps()
    var limits = DaemonLimits()
    limits.sharedMemory = 3 << 20
    limits.peers = 2
    let served = try Served(limits, taps: taps)
    for _ in 0..<20 {
      var remote: RemoteDescriptor?
      #expect(
        eventually {
          remote = try? served.remote(slotSize: 1 << 20, slots: 2)
          return remote != nil
        })
      try #require(remote).attach(to: "tap0")
      taps.tap(0..<100)
      remote = nil
    }
    #expect(eventually { taps.ifnet.peerCount == 0 })
    #expect(try served.client().peerLines().isEmpty)
  }

  @Test func randomRequestsChangeNothingForOthers() throws {
    let taps = try TestTaps()
    let served = try Served(taps: taps)
    let honest = try served.remote(slots: 64)
    try honest.attach(to: "tap0")
    var random = SystemRandomNumberGenerator()
    var seen: [Int] = []
    for round in 0..<300 {
      let client = try served.client()
      let (body, descriptors) = try open(client)
      for one in descriptors { close(one) }
      for _ in 0..<8 {
        var writer = FieldWriter()
        for _ in 0..<Int.random(in: 0..<4, using: &random) {
          let length = [1, 2, 4, 8, 16, 40].randomElement(using: &random)!
          let value = (0..<length).map { _ in
            Bool.random(using: &random) ? 0 : UInt8.random(in: 0...255, using: &random)
          }
          writer.put(UInt16.random(in: 33...46, using: &random), value)
        }
        let kind = [MessageKind.bpfRequest, .bpfAttach, .bpfWrite, .bpfOpen].randomElement(using: &random)!
        let answer = try? client.request(kind, body: body + writer.bytes, mostDescriptors: 3)
        for one in answer?.descriptors ?? [] { close(one) }
      }
      taps.tap(round * 10..<(round + 1) * 10, pass: 10)
      seen += honest.drain()
    }
    #expect(seen == Array(0..<3000))
  }
}
