// What the devices are called, and requests that Linux's headers have numbers of their own for.
import Glibc
import SwBPFBPF

enum DevicePath {
  /// - Throws: ENOENT for everything but /dev/bpf and /dev/bpfN. All of them are one cloning device.
  static func check(_ path: String) throws(BPF.Failure) {
    let unit = path.utf8.dropFirst(name.utf8.count)
    let isNumber = unit.allSatisfy { (48...57).contains($0) } && unit.count <= 6
    let isPlain = unit.first != 48 || unit.count == 1
    guard path.hasPrefix(name), isNumber, isPlain else { throw .system(errno: ENOENT, call: "open(\(path))") }
  }

  private static let name = "/dev/bpf"
}

enum SystemRequest {
  /// The BSD number of a request that every file knows, which a program compiled here has by Linux's number.
  static func bsdNumber(_ request: UInt32) -> UInt32 { numbers[request] ?? request }

  private static let numbers: [UInt32: UInt32] = [
    0x541b: 0x4004_667f,  // FIONREAD
    0x5421: 0x8004_667e,  // FIONBIO
    0x5452: 0x8004_667d,  // FIOASYNC
    0x8901: 0x8004_667c,  // FIOSETOWN
    0x8903: 0x4004_667b,  // FIOGETOWN
    0x5410: 0x8004_7476,  // TIOCSPGRP
    0x540f: 0x4004_7477,  // TIOCGPGRP
  ]
}
