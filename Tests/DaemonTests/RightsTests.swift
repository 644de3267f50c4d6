// Who may do what.
import Glibc
import SwBPFDaemonClient
import Testing

@testable import SwBPFDaemon

@Suite struct RightsTests {
  private let rights = Rights(
    rules: [
      RightRule(.user(1001), .capture, interface: "eth0"), RightRule(.user(1001), .inject, interface: "gif0"),
      RightRule(.group(10), .capture, interface: nil), RightRule(.group(11), .inject, interface: nil),
    ], overflowUser: 65534)

  private func allows(_ user: uid_t, _ right: Right) -> Bool { allows(user, [], right) }

  private func allows(_ user: uid_t, _ groups: Set<gid_t>, _ right: Right) -> Bool {
    rights.allows(Caller(user: user, groups: groups, pid: 1), right)
  }

  @Test func rootMayDoEverything() {
    #expect(allows(0, .admin) && allows(0, .own))
    #expect(allows(0, .capture(interface: "x")) && allows(0, .inject(interface: "x")))
  }

  @Test func aUserHasWhatALineGivesHimAndNothingElse() {
    #expect(allows(1001, .own) && !allows(1001, .admin))
    #expect(allows(1001, .capture(interface: "eth0")) && !allows(1001, .capture(interface: "eth1")))
    #expect(allows(1001, .inject(interface: "gif0")) && !allows(1001, .inject(interface: "eth0")))
    #expect(!allows(1002, .capture(interface: "eth0")))
  }

  @Test func aGroupGivesCaptureOnly() {
    #expect(allows(1002, [5, 10], .capture(interface: "any name")))
    #expect(!allows(1002, [5, 10], .inject(interface: "eth0")))
    // Even where a rule says otherwise.
    #expect(!allows(1002, [11], .inject(interface: "eth0")) && !allows(1002, [11], .capture(interface: "eth0")))
  }

  @Test func theUserOfUnknownUsersHasNoRights() {
    let rights = Rights(rules: [RightRule(.user(65534), .capture, interface: nil)], overflowUser: 65534)
    let nobody = Caller(user: 65534, groups: [0, 10], pid: 1)
    #expect(!rights.allows(nobody, .own) && !rights.allows(nobody, .capture(interface: "eth0")))
    #expect(Rights.systemOverflowUser == 65534)
  }

  @Test func everyKindOfRequestHasARowWithItsRight() {
    for kind in MessageKind.allCases where kind != .hello {
      #expect(RequestRow.byKind[kind] != nil, "\(kind)")
    }
    // What changes something for others takes root.
    for kind in [MessageKind.ifCreate, .ifDestroy, .ifOperation, .sysctlSet, .keyOpen, .keyMessage] {
      #expect(RequestRow.byKind[kind]?.right == .admin)
    }
    #expect(RequestRow.byKind[.bpfAttach]?.right == .capture && RequestRow.byKind[.bpfWrite]?.right == .inject)
  }

  @Test func randomBodiesOfEveryKindAreReadOrRefused() throws {
    var random = SystemRandomNumberGenerator()
    for kind in MessageKind.allCases {
      for _ in 0..<500 {
        var body: [UInt8] = []
        // Mostly fields, so that their values are reached.
        for _ in 0..<Int.random(in: 0...3, using: &random) {
          let value = (0..<Int.random(in: 0...30, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
          }
          body += [UInt8.random(in: 0...14, using: &random), 0, UInt8(value.count), 0] + value
        }
        let message = DaemonMessage(kind, id: 1, body: body)
        #expect(try DaemonMessage(message.bytes[...]) == message)
        _ = RequestCheck.read(message)
        _ = DaemonHello(body: body)
      }
    }
  }

  @Test func aUsersPeersAndMemoryAreBounded() {
    var limits = DaemonLimits()
    (limits.peers, limits.sharedMemory) = (2, 100)
    let accounts = Accounts(limits)
    #expect(accounts.takePeer(1, memory: 60) == 0)
    #expect(accounts.takePeer(1, memory: 60) == ENOMEM)
    #expect(accounts.takePeer(1, memory: -1) == ENOMEM)
    #expect(accounts.takePeer(1, memory: 40) == 0)
    #expect(accounts.takePeer(1, memory: 0) == EMFILE)
    #expect(accounts.takePeer(2, memory: 100) == 0)
    accounts.returnPeer(1, memory: 60)
    #expect(accounts.takePeer(1, memory: 60) == 0)
  }
}

@Suite struct LogLinesTests {
  @Test func aTextCannotBeginALineOrAField() {
    #expect(LogLines.quoted("gif0") == "gif0")
    #expect(LogLines.quoted("") == "\"\"")
    #expect(LogLines.quoted("a b=c") == "\"a b=c\"")
    #expect(LogLines.quoted("a\nlevel=x \"q\" \u{1b}[2J\u{202e}") == #""a\u{a}level=x \"q\" \u{1b}[2J\u{202e}""#)
  }

  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
      (1_795_290_244_123_456_789, "2026-11-21T19:44:04.123Z"), (4_107_542_399_999_999_999, "2100-02-28T23:59:59.999Z"),
      (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000Z"),
    ] as [(Int64, String)]) func timesAreWritten(_ time: Int64, _ text: String)
  {
    #expect(LogLines.stamp(time) == text)
  }
}
