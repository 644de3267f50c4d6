// Who keeps the settings, as sysctl sees him: a daemon.
import SwBPFInterfaces

/// Each function is one or more requests. They throw ``InterfaceFailure`` when a request is refused, ``CommandError`` when
/// nobody answers any more.
protocol SettingControl {
  /// The setting of that name, or all below that node; all with an empty name. In the order of their names.
  func settings(_ name: String) throws -> [Setting]
  func set(_ name: String, to value: Setting.Value) throws
}
