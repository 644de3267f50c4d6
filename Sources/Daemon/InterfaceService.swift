// What the daemon asks of the tunnels.
import SwBPFInterfaces

/// The interfaces and settings of one network namespace.
/// - Threads: the daemon calls it on one.
package protocol InterfaceService: AnyObject, Sendable {
  /// - Throws: EEXIST, EINVAL (no such kind), EBUSY (the name of a real device), EPERM.
  func create(_ name: String) throws(InterfaceFailure)
  func destroy(_ name: String) throws(InterfaceFailure)
  func perform(_ operation: InterfaceOperation, on name: String) throws(InterfaceFailure)
  func status(of name: String) throws(InterfaceFailure) -> InterfaceStatus
  var names: [String] { get }
  /// Every setting with its value now.
  var settings: [Setting] { get }
  /// - Throws: ENOENT (no such setting), EINVAL.
  func set(_ name: String, to value: Setting.Value) throws(InterfaceFailure)
  /// Devices and routes go. Nothing is asked afterwards.
  func shutdown()
}
