import Glibc
import TestSupport

// In libc, but for programs that ask for GNU's names only.
@_silgen_name("unshare") private func leave(_ namespaces: CInt) -> CInt

/// Runs `body` on a thread for which there is no /dev/net/tun.
func onThreadWithoutTUN<Result>(_ body: () throws -> Result) throws -> Result {
  try onNewThread { () throws -> Result in
    // CLONE_NEWNS; then private mounts, MS_REC | MS_PRIVATE.
    guard leave(0x20000) == 0 else { throw SupportError.system(call: "unshare(CLONE_NEWNS)", errno: errno) }
    guard mount("none", "/", nil, 1 << 14 | 1 << 18, nil) == 0, mount("none", "/dev/net", "tmpfs", 0, nil) == 0 else {
      throw SupportError.system(call: "mount", errno: errno)
    }
    return try body()
  }
}
