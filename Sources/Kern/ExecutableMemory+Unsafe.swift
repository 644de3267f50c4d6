// Memory that holds machine code. Made and given back on control paths; run by whoever its owner lets.
internal import CKern

/// Pages with machine code: executable, never writable at the same time. Given back with the last reference.
///
/// - Threads: any. Whoever publishes ``entry`` to a packet path keeps the object until no packet path can run it.
@safe package final class ExecutableMemory: @unchecked Sendable {
  /// Where the code begins.
  package let entry: UnsafeRawPointer
  package let count: Int

  /// Copies code into fresh pages; nil when the system refuses memory that can be executed.
  package init?(_ code: [UInt8]) {
    // SAFETY: the shim reads `count` bytes of the array and returns pages with a copy.
    guard let memory = unsafe code.withUnsafeBytes({ unsafe swkern_code_map($0.baseAddress, $0.count) }) else {
      return nil
    }
    unsafe entry = UnsafeRawPointer(memory)
    count = code.count
  }

  deinit {
    // SAFETY: mapped in init with this length; by contract nobody runs it any more.
    unsafe swkern_code_unmap(UnsafeMutableRawPointer(mutating: entry), count)
  }
}
