// Reports are collected instead of ending the process; tests run one at a time.
import Glibc
import SwBPFKern

private final class Collected: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private var reports: [LockReport] = []
  init() { pthread_mutex_init(mutex, nil) }
  deinit { mutex.deallocate() }
  func add(_ report: LockReport) {
    pthread_mutex_lock(mutex)
    reports.append(report)
    pthread_mutex_unlock(mutex)
  }
  var all: [LockReport] {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return reports
  }
}

/// What is reported while the body runs. The checks report again afterwards.
func reports(_ body: () -> Void) -> [LockReport] {
  let collected = Collected()
  LockDebug.reset()
  LockDebug.handle { collected.add($0) }
  body()
  LockDebug.handle(nil)
  LockDebug.reset()
  return collected.all
}

/// The kinds of what is reported while the body runs.
func findings(_ body: () -> Void) -> [LockReport.Kind] { reports(body).map(\.kind) }

/// The old shape: a lock that lies by value in somebody else's memory.
struct EmbeddedLock {
  /// Bytes.
  static let size = MemoryLayout<pthread_mutex_t>.size
  let address: UnsafeMutableRawPointer
  let rank: LockRank
  init(at address: UnsafeMutableRawPointer, rank: LockRank = .route) { (self.address, self.rank) = (address, rank) }
  private var mutex: UnsafeMutablePointer<pthread_mutex_t> { address.assumingMemoryBound(to: pthread_mutex_t.self) }

  func initialize() {
    pthread_mutex_init(mutex, nil)
    LockDebug.initialized(address, rank: rank)
  }
  func lock() {
    LockDebug.wants(address, rank: rank)
    pthread_mutex_lock(mutex)
    LockDebug.acquired(address, rank: rank)
  }
  func unlock() {
    LockDebug.releasing(address)
    pthread_mutex_unlock(mutex)
  }
  func destroy() {
    LockDebug.destroyed(address)
    pthread_mutex_destroy(mutex)
  }
}
