// Which interfaces a client's descriptor knows by name. Main thread only.
import SwBPFBPF

/// The daemon's interfaces as the owner of a descriptor sees them: those that he may capture from. (BIOCGETIFLIST)
final class AllowedNames: BPF.InterfaceDirectory, @unchecked Sendable {
  private let directory: any BPF.InterfaceDirectory
  private var allows: ((Right) -> Bool)?

  init(_ directory: any BPF.InterfaceDirectory) { self.directory = directory }

  /// Does a request of somebody with these rights.
  func during(_ allows: (Right) -> Bool, _ body: () throws -> Void) rethrows {
    try withoutActuallyEscaping(allows) { allows in
      self.allows = allows
      defer { self.allows = nil }
      try body()
    }
  }

  var interfaceNames: [String] {
    get throws {
      guard let allows else { return [] }
      return try directory.interfaceNames.filter { allows(.capture(interface: $0)) }
    }
  }

  /// Attaching has a message of its own.
  func interface(named name: String) throws -> BPF.Interface { throw BPF.Failure.noSuchInterface(name) }
}
