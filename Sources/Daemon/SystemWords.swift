// strerror(3), and names of users.
import Glibc
import SwBPFDaemonClient

enum SystemWords {
  static func of(_ error: CInt) -> String { SystemText.of(error) }

  static func user(_ name: String) -> UInt32? {
    guard let entry = unsafe getpwnam(name) else { return nil }
    return unsafe entry.pointee.pw_uid
  }

  static func group(_ name: String) -> UInt32? {
    guard let entry = unsafe getgrnam(name) else { return nil }
    return unsafe entry.pointee.gr_gid
  }

  static func linkIndex(_ name: String) -> UInt32? {
    let index = unsafe if_nametoindex(name)
    return index == 0 ? nil : index
  }
}
