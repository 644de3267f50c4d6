import Glibc
import Testing

@testable import TestSupport

@Suite("Children")
struct ChildTests {
  @Test("status, output and errors come back", .timeLimit(.minutes(1)))
  func output() throws {
    let output = try Child(["sh", "-c", "cat; echo wrong >&2; exit 3"], input: .file("/etc/hostname")).finish()
    #expect(output.status == .exited(3))
    #expect(output.err == "wrong\n")
    #expect(!output.out.isEmpty)
  }

  @Test("lines are read as they come, and input is written", .timeLimit(.minutes(1)))
  func lines() throws {
    let child = try Child(["sh", "-c", "echo one; read word; echo got $word; printf rest"], input: .pipe)
    #expect(child.out.nextLine() == "one")
    #expect(child.out.nextLine(timeout: 0.05) == nil)
    child.write("two\n")
    #expect(child.out.waitFor("got") == "got two")
    #expect(child.out.nextLine() == "rest")
    #expect(child.out.nextLine() == nil)
    #expect(try child.finish().status == .exited(0))
  }

  @Test("a child starts with default signals and is stopped by one", .timeLimit(.minutes(1)))
  func signals() throws {
    let child = try Child(["sleep", "60"])
    #expect(child.isRunning)
    #expect(child.wait(timeout: 0.05) == nil)
    #expect(try child.stop(SIGPIPE).status == .signaled(SIGPIPE))
    child.signal(SIGTERM)
  }

  @Test("a child that does not end in time is an error, and is gone with its object", .timeLimit(.minutes(1)))
  func timeout() throws {
    var pid: pid_t = 0
    do {
      let child = try Child(["sleep", "60"], environment: ["LC_ALL": "C"])
      pid = child.pid
      #expect(throws: SupportError.self) { try child.finish(timeout: 0.05) }
    }
    #expect(kill(pid, 0) == -1 && errno == ESRCH)
  }

  @Test("a program that is not there is named")
  func missing() {
    #expect(throws: SupportError.self) { try Child(["no-such-program"]) }
    #expect(!Requirement.tool("no-such-program"))
    #expect(Requirement.tool("sh"))
  }
}
