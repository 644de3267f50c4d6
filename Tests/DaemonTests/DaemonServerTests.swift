// The server with clients that ask, and with clients that break every rule.
import Glibc
import SwBPFDaemonClient
import SwBPFInterfaces
import SwBPFKern
import SwBPFPFKey
import Testing

@testable import SwBPFDaemon
@testable import TestSupport

@Suite(.timeLimit(.minutes(2))) struct DaemonServerTests {
  // MARK: What is asked

  @Test func interfacesAreMadeChangedAndDestroyed() throws {
    let served = try Served()
    let client = try served.client()
    try client.createInterface("gif0")
    try client.perform(.mtu(1400), on: "gif0")
    #expect(try client.interfaceNames() == ["gif0"])
    #expect(try client.interfaceStatus("gif0").mtu == 1400)
    #expect(throws: DaemonFailure.refused(InterfaceFailure(errno: EEXIST, request: "SIOCIFCREATE"))) {
      try client.createInterface("gif0")
    }
    try client.destroyInterface("gif0")
    #expect(try client.interfaceNames().isEmpty)
    #expect(throws: DaemonFailure.refused(InterfaceFailure(errno: ENXIO, request: "SIOCGIFFLAGS"))) {
      try client.interfaceStatus("gif0")
    }
  }

  @Test func settingsAreReadAndSet() throws {
    let served = try Served()
    let client = try served.client()
    #expect(try client.setting("net.inet.ip.gifttl").value == .number(30))
    try client.set("net.inet.ip.gifttl", to: .number(64))
    #expect(try client.settings().map(\.value) == [.number(64), .text("")])
    #expect(throws: DaemonFailure.self) { try client.setting("net.none") }
  }

  @Test func aLongListComesInParts() throws {
    let served = try Served()
    let client = try served.client()
    // Longer than one message.
    let names = (0..<5000).map { "gif\($0)" }
    for name in names { try served.interfaces.create(name) }
    #expect(try client.interfaceNames() == names.sorted())
  }

  @Test func whatIsNotServedIsRefusedAndTheConnectionGoesOn() throws {
    let served = try Served()
    let client = try served.client()
    for kind in [MessageKind.bpfOpen, .bpfAttach, .bpfRequest, .bpfWrite, .bpfClose] {
      #expect(throws: DaemonFailure.refused(InterfaceFailure(errno: EOPNOTSUPP, request: ""))) {
        try client.request(kind)
      }
    }
    #expect(throws: DaemonFailure.self) { try client.request(.ifCreate, body: [1, 2, 3]) }
    #expect(throws: DaemonFailure.self) { try client.request(.ifNames, body: [UInt8](repeating: 0, count: 65)) }
    #expect(try client.peerLines().isEmpty)
    #expect(try client.interfaceNames().isEmpty)
  }

  // MARK: PF_KEY

  /// Parsed each time: LeakSanitizer does not see statements that only a static value refers to.
  private static var add: [SetkeyStatement] {
    SetkeyParser.parse("spdadd 10.0.0.1 10.0.0.2 any -P out discard ; spddump ; spdflush ;").statements
  }

  @Test func keyMessagesAreAnsweredAndToldToAll() throws {
    let served = try Served()
    let (one, other) = (try served.client(), try served.client())
    #expect(throws: DaemonFailure.refused(InterfaceFailure(errno: ENOTCONN, request: "PF_KEY"))) {
      try one.sendKeyMessage(try #require(Self.add[1].message()))
    }
    for client in [one, other] { try client.openKeys() }
    #expect(throws: DaemonFailure.refused(InterfaceFailure(errno: EISCONN, request: "PF_KEY"))) { try one.openKeys() }
    try one.sendKeyMessage(try #require(Self.add[0].message(sequence: 7, pid: 4711)))
    let deadline = Clock.monotonic() + 5_000_000_000
    for client in [one, other] {
      let header = try MessageHeader(try #require(try client.keyMessage(until: deadline)))
      #expect(header.type == MessageType.spdAdd.rawValue && header.sequence == 7 && header.errno == 0)
    }
    // A mistake is answered to the one who made it.
    try one.sendKeyMessage(try #require(Self.add[0].message(sequence: 8, pid: 4711)))
    let header = try MessageHeader(try #require(try one.keyMessage(until: deadline)))
    #expect(header.sequence == 8 && CInt(header.errno) == EEXIST)
    #expect(try other.keyMessage(until: Clock.monotonic() + 50_000_000) == nil)
    // Bytes that are no message fail as write(2) does.
    #expect(throws: DaemonFailure.refused(InterfaceFailure(errno: EINVAL, request: "PF_KEY"))) {
      try one.sendKeyMessage([1, 2, 3])
    }
    try one.closeKeys()
    #expect(throws: DaemonFailure.self) { try one.sendKeyMessage([1, 2, 3]) }
  }

  @Test func aListOfManyPoliciesArrivesWholeAtAReaderThatTakesItsTime() throws {
    let served = try Served()
    let client = try served.client()
    try client.openKeys()
    let count = 4000
    for number in 0..<count {
      let text = "spdadd 10.\(number >> 8).\(number & 255).1 10.0.0.2 any -P out discard ;"
      try client.sendKeyMessage(try #require(SetkeyParser.parse(text).statements[0].message()))
      _ = try client.keyMessage(until: Clock.monotonic() + 5_000_000_000)
    }
    try client.sendKeyMessage(try #require(Self.add[1].message(pid: 1)))
    usleep(100_000)
    var seen = 0
    while let bytes = try client.keyMessage(until: Clock.monotonic() + 5_000_000_000) {
      let header = try MessageHeader(bytes)
      #expect(header.sequence == UInt32(count - 1 - seen))
      seen += 1
      if header.sequence == 0 { break }
    }
    #expect(seen == count)
  }

  // MARK: Who breaks the rules

  @Test func whoDoesNotGreetInTimeIsLeft() throws {
    var limits = DaemonLimits()
    limits.hello = 200_000_000
    let served = try Served(limits)
    let silent = try served.connect()
    #expect(silent.isEnded(within: 3))
    #expect(try served.client().interfaceNames().isEmpty)
  }

  @Test func aClientOfAnotherNamespaceIsLeftUnlessItSaysThatItKnows() throws {
    let served = try Served()
    let elsewhere = try Host("elsewhere")
    #expect(throws: DaemonFailure.otherNamespace(path: served.path)) {
      try elsewhere.inside { () throws(DaemonFailure) in _ = try DaemonClient(socket: served.path) }
    }
    let names = try elsewhere.inside { () throws(DaemonFailure) in
      try DaemonClient(socket: served.path, takesAnyNamespace: true).interfaceNames()
    }
    #expect(names.isEmpty)
  }

  @Test(arguments: 0..<7) func garbageInsteadOfAHelloEndsTheConnection(_ which: Int) throws {
    let served = try Served()
    let socket = try served.connect()
    var hello = try Served.hello().bytes
    switch which {
    case 0: hello = [0]
    case 1: hello.removeLast()
    case 2: hello = [UInt8](repeating: 0xff, count: 60000)
    case 3: hello = DaemonMessage(.ifNames, id: 1).bytes
    case 4: hello = DaemonMessage(.hello, body: [1, 2, 3]).bytes
    case 5: hello = [UInt8](repeating: 0, count: DaemonMessage.largest + 1000)
    default: hello[4] = 77
    }
    #expect(socket.send(hello) == 0)
    if which == 6 { #expect(socket.next()?.error == EPROTO) }
    #expect(socket.isEnded())
    #expect(try served.client().interfaceNames().isEmpty)
  }

  @Test func garbageAfterTheHelloEndsTheConnection() throws {
    let served = try Served()
    let socket = try served.connect()
    #expect(socket.send(try Served.hello().bytes) == 0 && socket.next()?.kind == .hello)
    #expect(socket.send([1, 2, 3]) == 0)
    #expect(socket.isEnded())
  }

  @Test func anUnknownKindOfRequestIsRefused() throws {
    let served = try Served()
    let socket = try served.connect()
    #expect(socket.send(try Served.hello().bytes) == 0 && socket.next()?.kind == .hello)
    var bytes = DaemonMessage(.peers, id: 5).bytes
    (bytes[6], bytes[7]) = (0xee, 0xee)
    #expect(socket.send(bytes) == 0)
    let answer = try #require(socket.next())
    #expect(answer.id == 5 && answer.error == EOPNOTSUPP)
    // An id of 0 would be an event.
    #expect(socket.send(DaemonMessage(.ifNames, id: 0, body: []).bytes) == 0)
    #expect(socket.next()?.error == EINVAL)
  }

  @Test func descriptorsThatAClientSendsAreClosed() throws {
    let served = try Served()
    let socket = try served.connect()
    #expect(socket.send(try Served.hello().bytes) == 0 && socket.next()?.kind == .hello)
    func count() -> Int { (0..<1024).filter { fcntl($0, F_GETFD) >= 0 }.count }
    let before = count()
    for _ in 0..<20 {
      let four = [CInt](repeating: STDIN_FILENO, count: 4)
      var writer = FieldWriter()
      writer.put(MessageTag.start, UInt32(0))
      #expect(socket.send(DaemonMessage(.ifNames, id: 1, body: writer.bytes).bytes, descriptors: four) == 0)
      #expect(socket.next()?.error == 0)
    }
    #expect(count() == before)
  }

  @Test func connectionsOfOneUserAreBounded() throws {
    var limits = DaemonLimits()
    // Root has four times as many.
    limits.connections = 2
    let served = try Served(limits)
    let clients = try (0..<8).map { _ in try served.client() }
    do {
      _ = try served.client()
      Issue.record("a ninth connection was taken")
    } catch let error as DaemonFailure { #expect(error.refusal?.errno == EUSERS, "\(error)") }
    #expect(try clients[7].interfaceNames().isEmpty)
    withExtendedLifetime(clients) {}
  }

  @Test func aPlaceIsFreeAgainWhenAConnectionEnds() throws {
    var limits = DaemonLimits()
    limits.connections = 1
    let served = try Served(limits)
    for _ in 0..<50 {
      do {
        let clients = try (0..<4).map { _ in try served.client() }
        withExtendedLifetime(clients) {}
      }
      var all: [DaemonClient] = []
      // The server hears of the ends a moment later.
      #expect(
        eventually {
          if let client = try? served.client() { all.append(client) }
          return all.count == 4
        })
      all = []
      #expect(eventually { (try? served.client()) != nil })
      pause(0.02)
    }
  }

  @Test func requestsOfOneUserAreSlowedDownToTheirRate() throws {
    var limits = DaemonLimits()
    limits.requests = 2
    limits.window = 100_000_000
    let served = try Served(limits)
    let client = try served.client()
    let start = Clock.monotonic()
    // Root has ten times as many: 20 in a window, of which the hello is one.
    for _ in 0..<70 { _ = try client.interfaceNames() }
    #expect(Clock.monotonic() - start > 200_000_000)
  }

  @Test func aClientThatTakesNothingIsDropped() throws {
    var limits = DaemonLimits()
    limits.slowness = 300_000_000
    let served = try Served(limits)
    let (slow, writer) = (try served.connect(), try served.client())
    #expect(slow.send(try Served.hello().bytes) == 0 && slow.next()?.kind == .hello)
    #expect(slow.send(DaemonMessage(.keyOpen, id: 1).bytes) == 0 && slow.next()?.error == 0)
    try writer.openKeys()
    // What is told to all fills its socket, and then its queue.
    let deadline = Clock.monotonic() + 20_000_000_000
    for number in 0..<20000 where Clock.monotonic() < deadline {
      let text = "spdadd 10.\(number >> 8).\(number & 255).1 10.0.0.2 any -P out discard ;"
      try writer.sendKeyMessage(try #require(SetkeyParser.parse(text).statements[0].message()))
      _ = try writer.keyMessage(until: Clock.monotonic() + 5_000_000_000)
      var set = pollfd(fd: slow.descriptor, events: 0, revents: 0)
      if poll(&set, 1, 0) == 1 && set.revents & Int16(POLLHUP) != 0 { break }
    }
    #expect(slow.isEnded(within: 3))
    #expect(try writer.interfaceNames().isEmpty)
  }

  @Test func whoHangsUpInTheMiddleOfARequestIsForgotten() throws {
    let served = try Served()
    for _ in 0..<100 {
      let socket = try served.connect()
      _ = socket.send(try Served.hello().bytes)
      _ = socket.send(DaemonMessage(.ifCreate, id: 1, body: [6, 0, 4, 0] + Array("gif0".utf8)).bytes)
    }
    #expect(eventually { (try? served.client().interfaceNames()) != nil })
  }

  @Test func randomBytesFromManyClientsLeaveTheServerAsItWas() throws {
    let served = try Served()
    var random = SystemRandomNumberGenerator()
    for round in 0..<40 {
      let sockets = try (0..<8).map { _ in try served.connect() }
      for socket in sockets {
        if round % 2 == 0 { _ = socket.send(try Served.hello().bytes) }
        for _ in 0..<Int.random(in: 0..<4, using: &random) {
          var bytes = (0..<Int.random(in: 1..<200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
          }
          if Bool.random(using: &random) {
            let kind = MessageKind.allCases.randomElement(using: &random) ?? .peers
            if bytes.count > 100 { bytes.removeLast(50) }
            bytes = DaemonMessage(kind, id: 1, body: bytes).bytes
          }
          _ = socket.send(bytes)
        }
      }
    }
    #expect(eventually { (try? served.client().interfaceNames())?.isEmpty == true })
  }

  @Test func aSecondDaemonDoesNotTakeTheFirstOnesPlace() throws {
    let served = try Served()
    let place = try DaemonPlace(path: served.path, creating: true)
    #expect(throws: DaemonPlace.Refusal.self) {
      try DaemonServer(place, limits: DaemonLimits(), log: .init(label: "test"))
    }
    #expect(try served.client().interfaceNames().isEmpty)
  }
}
