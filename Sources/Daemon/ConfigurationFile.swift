// The daemon's configuration file: lines of ifconfig, sysctl, setkey and allow. Read whole, with every mistake found at once.
import Glibc
import SwBPFInterfaces
import SwBPFPFKey

/// What a configuration file says.
package struct DaemonConfiguration: Equatable, Sendable {
  /// An interface with all its lines, in their order. The first of them makes it.
  package struct Interface: Equatable, Sendable {
    package let name: String
    package var lines: [IfconfigLine]
    /// What sysctl sets of it alone.
    package var settings: [SettingLine] = []
  }

  package struct SettingLine: Equatable, Sendable {
    package let name: String
    package let value: Setting.Value
  }

  /// In the order in which they are named first.
  package var interfaces: [Interface] = []
  package var settings: [SettingLine] = []
  /// `add`, `spdadd` and `spdupdate`.
  package var keys: [SetkeyStatement] = []
  package var rights: [RightRule] = []

  package init() {}
}

/// A mistake, or a warning, at a line.
package struct ConfigurationRemark: Error, Equatable, Sendable {
  package let line: Int
  package let text: String
  package let isWarning: Bool

  package init(line: Int, _ text: String, isWarning: Bool = false) {
    self.line = line
    self.text = text
    self.isWarning = isWarning
  }
}

/// What a configuration is checked against, so that whatever is parsed can be done as far as can be known before.
package struct ConfigurationRules: Sendable {
  /// Bytes of a file.
  package static let largestFile = 1 << 20
  /// More mistakes than these are not collected.
  static let mostErrors = 100

  /// Those that there are.
  package var settings: [Setting]
  package var links: LinkNames
  /// A setting that there is only while an interface is, and that interface.
  package var interfaceSetting: @Sendable (String) -> (interface: String, setting: Setting)? = { _ in nil }
  /// What is wrong with a value of the right kind.
  package var refusal: @Sendable (String, Setting.Value) -> String? = { _, _ in nil }
  /// The number of a user's name, of a group's.
  package var user: @Sendable (String) -> UInt32?
  package var group: @Sendable (String) -> UInt32?

  package init(
    settings: [Setting], links: LinkNames = .numbers,
    user: @escaping @Sendable (String) -> UInt32? = { _ in nil },
    group: @escaping @Sendable (String) -> UInt32? = { _ in nil }
  ) {
    self.settings = settings
    self.links = links
    self.user = user
    self.group = group
  }
}
