// The client against servers that lie, stay silent or hang up.
import Glibc
import SwBPFInterfaces
import SwBPFKern
import Testing

@testable import SwBPFDaemonClient
@testable import TestSupport

@Suite(.timeLimit(.minutes(1))) struct DaemonClientTests {
  /// What came of a request at a server that answers with these bytes.
  private func outcome(
    of answer: @escaping @Sendable (DaemonMessage) -> [[UInt8]], patience: Int64 = 500_000_000
  ) throws -> Result<DaemonClient.Answer, DaemonFailure> {
    let server = try FakeServer { socket in
      FakeServer.greet(socket)
      while let request = FakeServer.next(socket) {
        for bytes in answer(request) { _ = socket.send(bytes) }
      }
    }
    let client = try DaemonClient(socket: server.path)
    return Result { () throws(DaemonFailure) in try client.request(.ifNames, patience: patience) }
  }

  @Test func anAnswerIsTheOneWithTheRequestsNumber() throws {
    let result = try outcome { [DaemonMessage($0.kind, id: $0.id, body: [1, 0, 0, 0]).bytes] }
    #expect(try result.get().body == [1, 0, 0, 0])
  }

  @Test func aRefusalHasNumberRequestAndText() throws {
    let failure = InterfaceFailure(errno: EBUSY, request: "SIOCIFCREATE", text: "taken")
    let result = try outcome { [DaemonMessage($0.kind, id: $0.id, error: EBUSY, body: failure.body).bytes] }
    #expect(throws: DaemonFailure.refused(failure)) { try result.get() }
  }

  @Test(arguments: [0, 1, 2, 3, 4]) func answersThatAreNoneEndTheConnection(_ which: Int) throws {
    let result = try outcome { request in
      switch which {
      case 0: [[1, 2, 3]]
      case 1: [DaemonMessage(request.kind, id: request.id + 1).bytes]
      case 2: [DaemonMessage(.peers, id: request.id).bytes]
      case 3: [Array(repeating: 0x55, count: DaemonMessage.largest)]
      default: [[UInt8](repeating: 7, count: DaemonMessage.largest + 100)]
      }
    }
    guard case .failure(.broken) = result else {
      Issue.record("\(result)")
      return
    }
  }

  @Test func aSilentServerCostsTheTimeLimitAndNoMore() throws {
    let start = Clock.monotonic()
    let result = try outcome(of: { _ in [] }, patience: 200_000_000)
    guard case .failure(.silent) = result else {
      Issue.record("\(result)")
      return
    }
    #expect(Clock.monotonic() - start < 5_000_000_000)
  }

  @Test func aFloodOfEventsIsBoundedAndEnds() throws {
    let server = try FakeServer { socket in
      FakeServer.greet(socket)
      _ = FakeServer.next(socket)
      let event = DaemonMessage(.keyMessage, body: [UInt8](repeating: 1, count: 60000)).bytes
      while true {
        switch socket.send(event) {
        case 0: continue
        case EAGAIN: _ = socket.wait(writing: true, until: nil)
        default: return
        }
      }
    }
    let client = try DaemonClient(socket: server.path)
    #expect(throws: DaemonFailure.self) { try client.request(.keyOpen) }
    // And nothing is asked over that connection again.
    #expect(throws: DaemonFailure.self) { try client.request(.keyOpen) }
  }

  @Test func eventsWaitForTheirReaderInOrder() throws {
    let server = try FakeServer { socket in
      FakeServer.greet(socket)
      guard let request = FakeServer.next(socket) else { return }
      _ = socket.send(DaemonMessage(.keyMessage, body: [1]).bytes)
      _ = socket.send(DaemonMessage(.keyMessage, body: [2]).bytes)
      _ = socket.send(DaemonMessage(request.kind, id: request.id).bytes)
      _ = FakeServer.next(socket)
    }
    let client = try DaemonClient(socket: server.path)
    try client.openKeys()
    #expect(try client.keyMessage(until: 0) == [1])
    #expect(try client.keyMessage(until: 0) == [2])
    #expect(try client.keyMessage(until: 0) == nil)
  }

  @Test func descriptorsThatNobodyAskedForAreClosed() throws {
    let server = try FakeServer { socket in
      FakeServer.greet(socket)
      while let request = FakeServer.next(socket) {
        let descriptors = [CInt](repeating: STDIN_FILENO, count: 4)
        _ = socket.send(DaemonMessage(request.kind, id: request.id).bytes, descriptors: descriptors)
      }
    }
    let client = try DaemonClient(socket: server.path)
    let before = openDescriptors()
    #expect(throws: DaemonFailure.self) { try client.request(.ifNames) }
    #expect(openDescriptors() == before)
  }

  @Test func descriptorsThatWereAskedForArrive() throws {
    let server = try FakeServer { socket in
      FakeServer.greet(socket)
      while let request = FakeServer.next(socket) {
        let pair = [open("/dev/null", O_RDONLY), open("/dev/zero", O_RDONLY)]
        _ = socket.send(DaemonMessage(request.kind, id: request.id).bytes, descriptors: pair)
        for descriptor in pair { close(descriptor) }
      }
    }
    let client = try DaemonClient(socket: server.path)
    let answer = try client.request(.bpfOpen, mostDescriptors: 2)
    #expect(answer.descriptors.count == 2)
    var byte: UInt8 = 9
    #expect(read(answer.descriptors[0], &byte, 1) == 0)
    #expect(read(answer.descriptors[1], &byte, 1) == 1 && byte == 0)
    for descriptor in answer.descriptors { close(descriptor) }
  }

  @Test func aServerThatHangsUpIsToldAsThat() throws {
    let server = try FakeServer { _ in }
    do {
      _ = try DaemonClient(socket: server.path)
      Issue.record("a hello came from nowhere")
    } catch {
      guard case .broken = error else {
        Issue.record("\(error)")
        return
      }
    }
  }

  @Test func aServerOfAnotherNamespaceIsLeftUnlessTold() throws {
    let server = try FakeServer { socket in
      _ = FakeServer.next(socket)
      let hello = DaemonHello(namespace: NamespaceIdentity(device: 1, inode: 2), pid: 1)
      _ = socket.send(DaemonMessage(.hello, body: hello.body).bytes)
    }
    #expect(throws: DaemonFailure.otherNamespace(path: server.path)) { try DaemonClient(socket: server.path) }
    let client = try DaemonClient(socket: server.path, takesAnyNamespace: true)
    #expect(client.server.namespace.inode == 2)
  }

  @Test func aListThatNeverEndsIsNoList() throws {
    let server = try FakeServer { socket in
      FakeServer.greet(socket)
      while let request = FakeServer.next(socket) {
        var writer = FieldWriter()
        writer.put(MessageTag.next, UInt32(0))
        _ = socket.send(DaemonMessage(request.kind, id: request.id, body: writer.bytes).bytes)
      }
    }
    let client = try DaemonClient(socket: server.path)
    #expect(throws: DaemonFailure.self) { try client.interfaceNames() }
  }

  private func openDescriptors() -> Int {
    (0..<1024).filter { fcntl($0, F_GETFD) >= 0 }.count
  }
}

@Suite struct DaemonPlaceTests {
  @Test func nobodyListensWhereThereIsNothing() {
    #expect(throws: DaemonFailure.noDaemon(path: "/nonexistent/swbpfd/x.sock")) {
      try DaemonClient(socket: "/nonexistent/swbpfd/x.sock")
    }
  }

  @Test(arguments: ["", "/", "/tmp/", "..", "/tmp/.."]) func aPathWithoutANameIsRefused(_ path: String) {
    #expect(throws: DaemonPlace.Refusal.self) { try DaemonPlace(path: path) }
  }

  @Test func aDirectoryThatOthersCanWriteToIsRefused() {
    #expect(throws: DaemonPlace.Refusal.self) { try DaemonPlace(path: "/tmp/d.sock") }
  }

  @Test func aDirectoryBehindALinkIsRefused() throws {
    var template = Array("/tmp/swbpf-place.XXXXXX".utf8CString)
    let directory = String(cString: mkdtemp(&template))
    defer {
      unlink(directory + "/link")
      rmdir(directory)
    }
    #expect(symlink(directory, directory + "/link") == 0)
    #expect(throws: DaemonPlace.Refusal.self) { try DaemonPlace(path: directory + "/link/d.sock") }
  }

  @Test func theDefaultPathNamesTheThreadsNamespace() throws {
    let (here, there) = (try Host("a"), try Host("b"))
    let paths = try [here, there, here].map { try $0.inside { try DaemonPlace.path(named: nil) } }
    #expect(paths[0] == paths[2] && paths[0] != paths[1])
    #expect(paths[0].hasPrefix("/run/swbpfd/"))
    #expect(try DaemonPlace.path(named: "/x/y") == "/x/y")
  }
}
