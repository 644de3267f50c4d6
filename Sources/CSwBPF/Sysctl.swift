// Settings of the process, asked for and changed as sysctlbyname(3) does it.
import Glibc
import SwBPFBPF

enum Sysctl {
  /// Every setting is an `int`.
  private static let size = 4

  /// The old value goes to `old`, and how many bytes it has to `oldSize`, which says before how many there is room for; then
  /// `new` becomes the value. Each address may be 0.
  /// - Throws: ENOENT; EFAULT; ENOMEM for too little room, when what fits was stored and nothing is changed; EINVAL.
  static func call(_ name: String, old: UInt, oldSize: UInt, new: UInt, newSize: UInt) throws(BPF.Failure) {
    let value = try BPF.Settings.shared.value(of: name)
    let room = oldSize == 0 ? 0 : try Caller.size(oldSize)
    let stored = old == 0 ? size : Int(min(room, UInt64(size)))
    if old != 0 { try Caller.store(UInt64(bitPattern: Int64(value)), stored, at: old) }
    if stored == size && new != 0 {
      guard newSize == UInt(size) else { throw .invalid("\(name): \(newSize) bytes") }
      try BPF.Settings.shared.set(name, to: Int(Caller.int(new)))
    }
    if oldSize != 0 { try Caller.store(UInt64(stored), 8, at: oldSize) }
    if stored < size { throw .noMemory("\(name): room for \(room) bytes") }
  }
}
