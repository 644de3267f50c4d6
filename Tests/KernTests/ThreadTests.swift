// Thread: one function on a pthread.
import Glibc
import SwBPFKern
import Synchronization
import TestSupport
import Testing

private final class Result: @unchecked Sendable {
  var name = ""
  var blocked = false
  var done = false
}

private final class Itself: @unchecked Sendable {
  var thread: Thread?
  let isSet = Atomic<Bool>(false)
  let isDone = Atomic<Bool>(false)
}

@Suite("Thread", .timeLimit(.minutes(1)))
struct ThreadTests {
  @Test("join waits for the end; a second join returns at once")
  func join() {
    let result = Result()
    let thread = Thread(name: "joined") {
      pause(0.02)
      result.done = true
    }
    thread.join()
    #expect(result.done)
    thread.join()
  }

  @Test("the thread itself does not wait for its end")
  func joinsItself() {
    let itself = Itself()
    itself.thread = Thread(name: "itself") {
      while !itself.isSet.load(ordering: .acquiring) { pause(0.001) }
      itself.thread?.join()
      itself.isDone.store(true, ordering: .releasing)
    }
    itself.isSet.store(true, ordering: .releasing)
    #expect(eventually(within: 30) { itself.isDone.load(ordering: .acquiring) })
  }

  @Test("a thread has its name, cut to 15 letters, and every signal blocked")
  func nameAndSignals() {
    let result = Result()
    Thread(name: "a name longer than fits") {
      let file = open("/proc/thread-self/comm", O_RDONLY)
      var name = [UInt8](repeating: 0, count: 32)
      let length = read(file, &name, 32)
      close(file)
      result.name = String(decoding: name.prefix(max(0, length - 1)), as: UTF8.self)
      var mask = sigset_t()
      pthread_sigmask(SIG_SETMASK, nil, &mask)
      result.blocked = [SIGINT, SIGTERM, SIGHUP].allSatisfy { sigismember(&mask, $0) == 1 }
    }.join()
    #expect(result.name == "a name longer t")
    #expect(result.blocked)
  }

  @Test("a thread that nobody joins cleans up after itself")
  func detached() throws {
    let before = try #require(mappedMiB())
    for _ in 0..<200 { _ = Thread(name: "loose") {} }
    // A thread that was neither joined nor detached keeps its stack of 8 MiB mapped after its end: 1600 of them.
    #expect(eventually { mappedMiB().map { $0 - before < 800 } ?? false })
  }

  /// The size of the address space.
  private func mappedMiB() -> Int? {
    guard let file = fopen("/proc/self/statm", "r") else { return nil }
    defer { fclose(file) }
    var text = [CChar](repeating: 0, count: 128)
    guard fgets(&text, 128, file) != nil else { return nil }
    let pages = String(decoding: text.prefix { $0 != 0 && $0 != 32 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return Int(pages).map { $0 / 256 }
  }
}
