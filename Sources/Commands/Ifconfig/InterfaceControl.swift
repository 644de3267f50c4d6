// Who keeps the interfaces, as ifconfig sees him: a daemon.
import SwBPFInterfaces

/// Each function is one request. They throw ``InterfaceFailure`` when the request is refused, ``CommandError`` when nobody
/// answers any more.
protocol InterfaceControl {
  /// All tunnel interfaces.
  func names() throws -> [String]
  func status(of name: String) throws -> InterfaceStatus
  func create(_ name: String) throws
  func destroy(_ name: String) throws
  func perform(_ operation: InterfaceOperation, on name: String) throws
}
