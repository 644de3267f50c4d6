// The functions of include/swbpf.h: each finds the device of its number and asks it.
// Called by C programs, on any thread. Addresses are plain numbers here; the kernel reads and writes what is behind them.
import Glibc
import SwBPFBPF

/// Runs a call as C wants it: its result, or -1 with errno set. errno stays as it was when nothing fails.
private func answer(_ body: () throws(BPF.Failure) -> Int) -> Int {
  let before = errno
  let result: Int
  let number: CInt
  do throws(BPF.Failure) {
    (result, number) = (try body(), before)
  } catch let failure {
    (result, number) = (-1, failure.errno)
  }
  errno = number
  return result
}

private func open(_ profile: BPF.Profile, _ flags: CInt) throws(BPF.Failure) -> Int {
  let access = try OpenDevice.Access(flags: flags)
  let device = try OpenDevice(profile, access, nonBlocking: flags & O_NONBLOCK != 0)
  return Int(try OpenTable.shared.add(device, closeOnExec: flags & O_CLOEXEC != 0))
}

private func write(_ number: CInt, _ pieces: (OpenDevice) throws(BPF.Failure) -> [(address: UInt64, count: UInt64)])
  throws(BPF.Failure) -> Int
{
  let device = try OpenTable.shared.device(number)
  guard device.access.writes else { throw .system(errno: EBADF, call: "write") }
  let pieces = try pieces(device)
  var total: UInt64 = 0
  for piece in pieces {
    let (sum, overflows) = total.addingReportingOverflow(piece.count)
    guard !overflows && sum <= UInt64(Int.max) else { throw .invalid("a write of more than \(Int.max) bytes") }
    total = sum
  }
  return try device.descriptor.write(pieces: pieces)
}

@_cdecl("swbpf_open")
public func cOpen(_ path: UInt, _ flags: CInt) -> CInt {
  CInt(
    answer { () throws(BPF.Failure) in
      if path != 0 { try DevicePath.check(Caller.string(path)) }
      return try open(.freebsd, flags)
    })
}

@_cdecl("swbpf_open_profile")
public func cOpenProfile(_ name: UInt, _ flags: CInt) -> CInt {
  CInt(
    answer { () throws(BPF.Failure) in
      if name == 0 { return try open(.freebsd, flags) }
      let text = try Caller.string(name)
      guard let profile = BPF.Profile(rawValue: text) else { throw .invalid("profile \(text)") }
      return try open(profile, flags)
    })
}

@_cdecl("swbpf_close")
public func cClose(_ number: CInt) -> CInt {
  CInt(
    answer { () throws(BPF.Failure) in
      try OpenTable.shared.close(number)
      return 0
    })
}

/// `int swbpf_ioctl(int, unsigned long, ...)`: in the calling conventions of x86-64 and arm64 Linux the address that follows
/// is passed as a third argument is.
@_cdecl("swbpf_ioctl")
public func cIoctl(_ number: CInt, _ request: UInt, _ argument: UInt) -> CInt {
  CInt(
    answer { () throws(BPF.Failure) in
      // As BSD does it: what a program of 32-bit habits passes is sign-extended.
      let request = SystemRequest.bsdNumber(UInt32(truncatingIfNeeded: request))
      try OpenTable.shared.device(number).ioctl(request: request, address: UInt64(argument))
      return 0
    })
}

@_cdecl("swbpf_read")
public func cRead(_ number: CInt, _ buffer: UInt, _ size: UInt) -> Int {
  answer { () throws(BPF.Failure) in
    let device = try OpenTable.shared.device(number)
    guard device.access.reads else { throw .system(errno: EBADF, call: "read") }
    return try device.descriptor.read(toAddress: UInt64(buffer), size: Int(clamping: size))
  }
}

@_cdecl("swbpf_write")
public func cWrite(_ number: CInt, _ frame: UInt, _ size: UInt) -> Int {
  answer { () throws(BPF.Failure) in try write(number) { _ in [(UInt64(frame), UInt64(size))] } }
}

@_cdecl("swbpf_writev")
public func cWritev(_ number: CInt, _ vector: UInt, _ count: CInt) -> Int {
  answer { () throws(BPF.Failure) in
    try write(number) { _ throws(BPF.Failure) in try Caller.vector(vector, count) }
  }
}

@_cdecl("swbpf_poll_fd")
public func cPollDescriptor(_ number: CInt) -> CInt {
  CInt(
    answer { () throws(BPF.Failure) in
      _ = try OpenTable.shared.device(number)
      return Int(number)
    })
}

@_cdecl("swbpf_sysctl")
public func cSysctl(_ name: UInt, _ old: UInt, _ oldSize: UInt, _ new: UInt, _ newSize: UInt) -> CInt {
  CInt(
    answer { () throws(BPF.Failure) in
      try Sysctl.call(Caller.string(name), old: old, oldSize: oldSize, new: new, newSize: newSize)
      return 0
    })
}
