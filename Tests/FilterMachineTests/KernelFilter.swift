// The kernel as a judge of programs: SO_ATTACH_FILTER on a pair of datagram sockets.
import Glibc

@testable import SwBPFFilterMachine

/// Frames sent to oneself through the kernel's own classic BPF.
final class KernelFilter {
  private var ends: [CInt] = [-1, -1]

  init?() {
    // SOCK_DGRAM and SOCK_NONBLOCK.
    guard socketpair(AF_UNIX, 2 | 2048, 0, &ends) == 0 else { return nil }
  }

  deinit { for end in ends where end >= 0 { close(end) } }

  private struct Filter {
    var count: UInt16
    var instructions: UnsafeRawPointer
  }

  /// False: the kernel refuses the program.
  func attach(_ program: Program) -> Bool {
    attach(UnsafeRawPointer(program.code.instructions), program.count)
  }

  /// False: the kernel refuses these instructions.
  func attach(_ instructions: [Instruction]) -> Bool {
    instructions.withUnsafeBytes { attach($0.baseAddress!, instructions.count) }
  }

  private func attach(_ instructions: UnsafeRawPointer, _ count: Int) -> Bool {
    var filter = Filter(count: UInt16(count), instructions: instructions)
    return setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_FILTER, &filter, socklen_t(MemoryLayout<Filter>.size)) == 0
  }

  /// How many bytes of a frame come through; its length is LEN.
  func kept(_ frame: [UInt8]) -> Int {
    precondition(send(ends[0], frame, frame.count, 0) >= 0)
    var room: UInt8 = 0
    let count = recv(ends[1], &room, 1, Int32(MSG_TRUNC))
    return max(count, 0)
  }
}
