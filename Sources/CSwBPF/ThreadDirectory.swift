// Where BIOCSETIF looks names up for a C program: in the network namespace of the thread that asks.
// Any thread.
import Glibc
import SwBPFBPF
import SwBPFKern
import SwBPFLiveCapture

/// A network namespace, by what tells it from the others.
struct NetworkNamespace: Hashable, Sendable {
  let device: UInt
  let inode: UInt

  /// That of the calling thread. - Throws: the error of /proc.
  static func ofThisThread() throws(BPF.Failure) -> Self {
    var facts = stat()
    guard unsafe stat("/proc/thread-self/ns/net", &facts) == 0 else {
      throw .system(errno: errno, call: "stat(/proc/thread-self/ns/net)")
    }
    return Self(device: facts.st_dev, inode: facts.st_ino)
  }
}

/// The engines of the process: one for each namespace, as long as a device uses it.
final class Engines: @unchecked Sendable {
  static let shared = Engines()

  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var table: [NetworkNamespace: (engine: CaptureEngine, users: Int)] = [:]

  func take(_ namespace: NetworkNamespace) throws -> CaptureEngine {
    try lock.withLock {
      var entry = try table[namespace] ?? (CaptureEngine(), 0)
      entry.users += 1
      table[namespace] = entry
      return entry.engine
    }
  }

  /// The last user ends the engine's threads. Not from one of these.
  func giveBack(_ namespace: NetworkNamespace) {
    let last: CaptureEngine? = lock.withLock {
      guard var entry = table[namespace] else { return nil }
      entry.users -= 1
      table[namespace] = entry.users > 0 ? entry : nil
      return entry.users > 0 ? nil : entry.engine
    }
    last?.close()
  }
}

/// The interfaces that one device may be attached to. It uses an engine from the first look-up in its namespace on.
final class ThreadDirectory: BPF.InterfaceDirectory, @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var engines: [NetworkNamespace: CaptureEngine] = [:]

  func interface(named name: String) throws -> BPF.Interface { try engine().interface(named: name) }

  var interfaceNames: [String] { get throws { try engine().interfaceNames } }

  /// Called when nobody asks any more, and not from a thread of an engine.
  func giveUp() {
    let used = lock.withLock {
      defer { engines = [:] }
      return Array(engines.keys)
    }
    for namespace in used { Engines.shared.giveBack(namespace) }
  }

  private func engine() throws -> CaptureEngine {
    let namespace = try NetworkNamespace.ofThisThread()
    if let engine = lock.withLock({ engines[namespace] }) { return engine }
    let engine = try Engines.shared.take(namespace)
    let isKnown = lock.withLock { engines.updateValue(engine, forKey: namespace) != nil }
    if isKnown { Engines.shared.giveBack(namespace) }
    return engine
  }
}
