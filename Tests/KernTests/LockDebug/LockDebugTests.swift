// LockDebug: each wrong use of a lock is reported, once.
import SwBPFKern
import TestSupport
import Testing

@Suite("LockDebug", .timeLimit(.minutes(1)))
struct LockDebugTests {
  /// Memory that a lock can lie in.
  private let memory = UnsafeMutableRawPointer.allocate(byteCount: 2 * EmbeddedLock.size, alignment: 16)
  private var lock: EmbeddedLock { EmbeddedLock(at: memory) }

  @Test("T-016 a lock at an address that has one is reported as already initialized")
  func twice() {
    lock.initialize()
    let found = reports { lock.initialize() }
    #expect(found.map(\.kind) == [.alreadyInitialized])
    #expect(found.first?.address == UInt(bitPattern: memory))
    #expect(found.first?.text.contains("already initialized at 0x") == true)
    lock.destroy()
    memory.deallocate()
  }

  @Test("T-017 taking, giving back or destroying at an address without a lock is reported as uninitialized lock")
  func unknown() {
    #expect(findings { LockDebug.wants(memory, rank: .route) } == [.uninitialized])
    #expect(findings { LockDebug.releasing(memory) } == [.uninitialized])
    #expect(findings { LockDebug.destroyed(memory) } == [.uninitialized])
    memory.deallocate()
  }

  @Test("T-018 memory that is freed with a lock in it is reported, whole or in part, but not its neighbour")
  func freed() {
    let second = EmbeddedLock(at: memory + EmbeddedLock.size)
    second.initialize()
    #expect(findings { LockDebug.freeing(memory, count: 2 * EmbeddedLock.size) } == [.freedWithLock])
    #expect(findings { LockDebug.freeing(memory + EmbeddedLock.size, count: 1) } == [.freedWithLock])
    #expect(findings { LockDebug.freeing(memory, count: EmbeddedLock.size) } == [])
    #expect(findings { LockDebug.freeing(memory + EmbeddedLock.size + 1, count: 8) } == [])
    second.destroy()
    #expect(findings { LockDebug.freeing(memory, count: 2 * EmbeddedLock.size) } == [])
    memory.deallocate()
  }

  @Test("T-019 destroying a held lock is reported as locked or in use")
  func destroyedHeld() {
    let found = reports {
      let lock = Lock(rank: .leaf)
      lock.lock()
    }
    #expect(found.map(\.kind) == [.destroyedWhileHeld])
    #expect(found.first?.text.contains("is locked or in use") == true)
  }

  @Test("T-019 taking a lock again is reported as locking against myself")
  func againstMyself() {
    let lock = Lock(rank: .leaf)
    #expect(
      findings {
        lock.lock()
        lock.lock()
        lock.unlock()
        lock.unlock()
      } == [.lockingAgainstMyself])
    lock.withLock {}
  }

  @Test("T-020 only the first finding is reported, until the checks are reset")
  func once() {
    #expect(
      findings {
        LockDebug.destroyed(memory)
        LockDebug.destroyed(memory)
        LockDebug.wants(memory, rank: .leaf)
      } == [.uninitialized])
    #expect(
      findings {
        LockDebug.destroyed(memory)
        LockDebug.reset()
        LockDebug.releasing(memory)
      } == [.uninitialized, .uninitialized])
    memory.deallocate()
  }

  @Test("while the checks are silent they go on keeping account")
  func silentAccount() {
    let found = findings {
      LockDebug.destroyed(memory)
      lock.initialize()
      lock.lock()
      LockDebug.reset()
      lock.unlock()
      lock.destroy()
    }
    #expect(found == [.uninitialized])
    memory.deallocate()
  }

  @Test("a lock of a lower or the same rank is reported")
  func order() {
    let low = Lock(rank: .interface)
    let high = Lock(rank: .buffer)
    let other = Lock(rank: .buffer)
    #expect(findings { high.withLock { low.withLock {} } } == [.wrongOrder])
    #expect(findings { high.withLock { other.withLock {} } } == [.wrongOrder])
    #expect(findings { low.withLock { high.withLock {} } } == [])
  }

  @Test("giving back a lock that another thread holds, or nobody, is reported")
  func notHeld() {
    let owner = Guarded()
    #expect(findings { owner.lock.unlock() } == [.notHeld])
    owner.lock.lock()
    #expect(findings { onNewThread { owner.lock.unlock() } } == [.notHeld])
    #expect(findings { onNewThread { owner.lock.assertHeld() } } == [.notHeld])
    owner.lock.unlock()
  }

  @Test("a thread that ends with a lock is reported as held on exit, and later threads are not taken for it")
  func heldOnExit() {
    lock.initialize()
    #expect(findings { onNewThread { lock.lock() } } == [.heldOnExit])
    #expect(findings { for _ in 0..<20 { Thread(name: "later") { Lock(rank: .leaf).withLock {} }.join() } } == [])
    #expect(findings { lock.destroy() } == [.destroyedWhileHeld])
    memory.deallocate()
  }

  @Test("the registry knows each lock as long as it lives")
  func count() {
    memory.deallocate()
    let before = LockDebug.lockCount
    do {
      let locks = (0..<5).map { _ in Guarded() }
      withExtendedLifetime(locks) { #expect(LockDebug.lockCount == before + 5) }
    }
    #expect(LockDebug.lockCount == before)
  }

  #if DEBUG
    @Test("by default a report ends the process")
    func ends() async {
      await #expect(processExitsWith: .failure) {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 16)
        LockDebug.destroyed(memory)
      }
    }
  #endif

  /// A lock that can be captured.
  private final class Guarded: Sendable { let lock = Lock(rank: .leaf) }
}
