// Messages as bytes, and bytes that are no messages.
import SwBPFInterfaces
import Testing

@testable import SwBPFDaemonClient

@Suite struct DaemonMessageTests {
  @Test(arguments: MessageKind.allCases) func aMessageSurvivesItsBytes(_ kind: MessageKind) throws {
    let message = DaemonMessage(kind, id: 0x0102_0304, error: 17, body: [1, 2, 3])
    #expect(try DaemonMessage(message.bytes[...]) == message)
  }

  @Test func everyCutMessageIsGarbage() {
    let bytes = DaemonMessage(.ifNames, id: 1, body: [1, 2, 3]).bytes
    for length in 0..<bytes.count {
      #expect(throws: DaemonMessage.Malformed.garbage) { try DaemonMessage(bytes[..<length]) }
    }
    #expect(throws: DaemonMessage.Malformed.garbage) { try DaemonMessage((bytes + [0])[...]) }
  }

  @Test func anotherVersionOrKindIsToldAsWhatItIs() {
    var bytes = DaemonMessage(.hello).bytes
    bytes[4] = 9
    #expect(throws: DaemonMessage.Malformed.version(9)) { try DaemonMessage(bytes[...]) }
    bytes[4] = 1
    bytes[6] = 0xfe
    #expect(throws: DaemonMessage.Malformed.kind(0xfe, id: 0)) { try DaemonMessage(bytes[...]) }
  }

  @Test func aHelloSurvivesItsBytesAndLaterFieldsArePassedOver() {
    let hello = DaemonHello(
      namespace: NamespaceIdentity(device: 4, inode: 4_026_531_840), pid: 77, takesAnyNamespace: true)
    #expect(DaemonHello(body: hello.body) == hello)
    var writer = FieldWriter()
    writer.put(999, [1])
    #expect(DaemonHello(body: hello.body + writer.bytes) == hello)
    #expect(DaemonHello(body: []) == nil)
    #expect(DaemonHello(body: Array(hello.body.dropLast())) == nil)
  }

  @Test func aFieldThatComesTwiceOrIsNotExpectedMakesABodyNone() {
    var writer = FieldWriter()
    writer.put(MessageTag.name, "gif0", limit: 255)
    #expect(MessageBody(writer.bytes, tags: [MessageTag.name])?.text(MessageTag.name, limit: 15) == "gif0")
    #expect(MessageBody(writer.bytes, tags: [MessageTag.name])?.text(MessageTag.name, limit: 3) == nil)
    #expect(MessageBody(writer.bytes, tags: [MessageTag.value]) == nil)
    writer.put(MessageTag.name, "gif1", limit: 255)
    #expect(MessageBody(writer.bytes, tags: [MessageTag.name]) == nil)
  }
}
