// Writes that fail: nothing is kept and nothing is sent.
import Glibc
import SwBPFFilterMachine
import Testing

@testable import SwBPFBPF
@testable import TestSupport

@Suite("Writes that fail", .timeLimit(.minutes(1)))
struct WriteFailureTests {
  @Test("C-181: writes that fail keep no memory")
  func noLeak() throws {
    let bench = try Bench()
    let one = try bench.open()
    one.setFeedback(1)
    one.setWriteProgram(starting(with: 1))
    func failInEveryWay() throws -> Int {
      let before = residentBytes()
      for _ in 0..<1000 {
        bench.driver.refuse(.system(errno: ENOBUFS, call: "test"))
        #expect(one.writeRefusal(ethernet(1500)) == ENOBUFS)
        bench.driver.refuse(nil)
        #expect(one.writeRefusal([2] + ethernet(1499)) == EPERM)
        #expect(one.writeRefusal(ethernet(1501)) == EMSGSIZE)
        #expect(throws: BPF.Failure.badAddress) { try one.write(pieces: [(8, 1500)]) }
      }
      return residentBytes() - before
    }
    if Requirement.sanitizer == nil {
      // 1000 frames of one kind are 1.5 MB. Other tests may take memory meanwhile, but not each time.
      #expect(try (0..<5).contains { _ in try failInEveryWay() < 700_000 })
    } else {
      // A sanitizer keeps what is freed for a while, and finds leaks itself.
      _ = try failInEveryWay()
    }
    #expect(bench.driver.sent.isEmpty)
  }

  @Test("C-219: with feedback on an interface that was never up, 28 bytes are ENETDOWN and nothing is kept")
  func writeLeak() throws {
    let bench = try Bench()
    bench.driver.set(isUp: false)
    let one = try bench.open()
    one.setFeedback(1)
    for _ in 0..<100 { #expect(one.writeRefusal(ethernet(14)) == ENETDOWN) }
    #expect(bench.driver.sent.isEmpty && one.readableBytes == 0 && one.statistics == BPF.Statistics())
  }

  @Test("C-220: a gathered write of 2^32 + 28 bytes is EMSGSIZE")
  func writeTruncation() throws {
    let one = try Bench().open()
    let buffer = [UInt8](repeating: 0, count: 28)
    buffer.withUnsafeBytes { bytes in
      let address = UInt64(UInt(bitPattern: bytes.baseAddress))
      #expect(throws: BPF.Failure.messageSize(1 << 32 + 28)) {
        try one.write(pieces: [(address, 28), (4096, 1 << 32)])
      }
    }
  }

  @Test("memory that cannot be read is EFAULT, and nothing is sent")
  func badMemory() throws {
    let bench = try Bench()
    let one = try bench.open()
    let page = GuardedPage()
    #expect(throws: BPF.Failure.badAddress) { try one.write(pieces: [(8, 60)]) }
    page.place(ethernet(46)) { address in
      #expect(throws: BPF.Failure.badAddress) { try one.write(pieces: [(address, 61)]) }
      #expect(throws: Never.self) { try one.write(pieces: [(address, 60)]) }
    }
    #expect(bench.driver.sent.count == 1 && one.writeStatistics.failed == 2)
  }
}

/// Memory of this process.
private func residentBytes() -> Int {
  guard let file = fopen("/proc/self/statm", "r") else { return 0 }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 128)
  guard fgets(&line, CInt(line.count), file) != nil else { return 0 }
  let words = line.prefix { $0 != 0 }.split(separator: 0x20)
  return words.count > 1 ? words[1].reduce(0) { $0 * 10 + Int($1) - 0x30 } * 4096 : 0
}
