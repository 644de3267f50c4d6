// Requests for another process: what memory they point to comes and goes with them.
// Called by whoever serves others, any thread.
import Glibc
import SwBPFKern

extension BPF {
  /// Who may ask for a request where others are served.
  package enum RequestRight: Sendable {
    /// Anybody, of a descriptor of his own.
    case own
    /// Who may capture from its interface.
    case capture
    /// Who may write to its interface.
    case inject
  }
}

extension BPF.Descriptor {
  /// An address that no process has.
  private static let nowhere: UInt64 = .max & ~7

  /// What a request takes; nil for those that others cannot ask for: signals are raised in the process that reads, and an
  /// interface is chosen where its right is known.
  package static func right(ofRequest number: UInt32) -> BPF.RequestRight? {
    guard let request = Request.byNumber[BPF.RequestNumber(rawValue: number)] else { return .own }
    let isLocal = Request.signals.contains { $0 === request } || ["BIOCSETIF", "BIOCSBLEN"].contains(request.name)
    if isLocal { return nil }
    return switch request.right {
    case .own: .own
    case .capture: .capture
    case .inject: .inject
    }
  }

  /// A request whose argument may hold an address: it is replaced by that of `memory`. What is longer than that counts as no
  /// longer, and no memory at all as an address where nothing can be. - Throws: what ``ioctl(request:argument:)`` throws.
  package func ioctl(request: UInt32, argument: inout [UInt8], memory: inout [UInt8]) throws(BPF.Failure) {
    var pointing = RequestArgument(bytes: argument)
    let entry: Int? =
      switch Request.byNumber[BPF.RequestNumber(rawValue: request)]?.name {
      case "BIOCSETF"?, "BIOCSETFNR"?, "BIOCSETWF"?: 8
      case "BIOCGDLTLIST"?: 4
      case "BIOCGETIFLIST"?: 1
      default: nil
      }
    guard let entry, argument.count == 16 else {
      memory = []
      return try ioctl(request: request, argument: &argument)
    }
    let (given, address) = (pointing.word, pointing.address)
    let room = UInt32(clamping: memory.count / entry)
    // A program that is not there whole is none; of a list only as much is used as there is.
    let isThere = !memory.isEmpty && (entry != 8 || given <= room)
    if isThere { pointing.word = min(given, room) }
    do {
      try unsafe memory.withUnsafeMutableBytes { bytes in
        let inside = isThere ? UInt64(UInt(bitPattern: bytes.baseAddress)) : Self.nowhere
        pointing.setLong(address == 0 ? 0 : inside, at: 8)
        try ioctl(request: request, argument: &pointing.bytes)
      }
    } catch let error as BPF.Failure {
      throw error
    } catch { throw .badAddress }
    // The caller's own address; none of this process goes out.
    pointing.setLong(address, at: 8)
    if entry == 1 && given > 0 { pointing.word = given }
    argument = pointing.bytes
  }
}
