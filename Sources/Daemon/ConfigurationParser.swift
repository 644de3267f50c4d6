// Reads a configuration file.
import Glibc
import SwBPFInterfaces
import SwBPFPFKey

/// Reads a text once. Only a text without errors may be obeyed.
package struct ConfigurationParser {
  package private(set) var configuration = DaemonConfiguration()
  package private(set) var remarks: [ConfigurationRemark] = []

  private let rules: ConfigurationRules
  /// The text with everything blanked that is no statement of setkey, so that places in it are places in the file.
  private var keyText: [UInt8] = []
  /// Settings of interfaces, which may be made further below.
  private var later: [(interface: String, setting: DaemonConfiguration.SettingLine, line: Int)] = []

  package var errors: [ConfigurationRemark] { remarks.filter { !$0.isWarning } }

  package init(_ text: [UInt8], rules: ConfigurationRules) {
    self.rules = rules
    var splitter = ConfigurationSplitter(text)
    while let line = splitter.next() {
      switch line.content {
      case .words(let words):
        attempt(line.number) { (parser) throws(ConfigurationRemark) in
          try parser.take(words, line.number)
        }
      case .broken(let why): remarks.append(ConfigurationRemark(line: line.number, why))
      }
      if errors.count >= ConfigurationRules.mostErrors {
        remarks.append(ConfigurationRemark(line: line.number, "too many errors, the rest is not read"))
        return
      }
    }
    for one in later { attempt(one.line) { (parser) throws(ConfigurationRemark) in try parser.give(one) } }
    takeKeys(splitter.keyText)
    remarks.sort { $0.line < $1.line }
  }

  private mutating func attempt(
    _ line: Int, _ body: (inout ConfigurationParser) throws(ConfigurationRemark) -> Void
  ) {
    do throws(ConfigurationRemark) { try body(&self) } catch { remarks.append(error) }
  }

  private mutating func take(_ words: [String], _ line: Int) throws(ConfigurationRemark) {
    switch words[0] {
    case "ifconfig": try takeInterface(Array(words.dropFirst()), line)
    case "sysctl": try takeSettings(words.dropFirst(), line)
    case "allow": try takeRight(Array(words.dropFirst()), line)
    default:
      let word = IfconfigError.quoted(words[0])
      throw ConfigurationRemark(line: line, "a line begins with ifconfig, sysctl, setkey or allow, not with \(word)")
    }
  }

  // MARK: ifconfig

  private mutating func takeInterface(_ words: [String], _ line: Int) throws(ConfigurationRemark) {
    let parsed: IfconfigLine
    do throws(IfconfigError) {
      parsed = try IfconfigLine(words: words, links: rules.links)
    } catch { throw ConfigurationRemark(line: line, error.text) }
    let name = parsed.name
    guard InterfaceKind(name: name) != nil else {
      throw ConfigurationRemark(line: line, "\(name): only gif, ipsec and l2tp interfaces are made here")
    }
    guard !parsed.steps.isEmpty else { throw ConfigurationRemark(line: line, "\(name): nothing is to be done") }
    guard !parsed.steps.contains(.destroy) else {
      throw ConfigurationRemark(line: line, "\(name): destroy has no place here (leave its lines out)")
    }
    let creates = parsed.steps.first == .create
    if let index = configuration.interfaces.firstIndex(where: { $0.name == name }) {
      if creates { throw ConfigurationRemark(line: line, "\(name) is made twice") }
      configuration.interfaces[index].lines.append(parsed)
    } else {
      guard creates else {
        throw ConfigurationRemark(line: line, "\(name): its first line is: ifconfig \(name) create …")
      }
      configuration.interfaces.append(DaemonConfiguration.Interface(name: name, lines: [parsed]))
    }
  }

  // MARK: sysctl

  /// `sysctl [-w] NAME=VALUE …`
  private mutating func takeSettings(_ words: ArraySlice<String>, _ line: Int) throws(ConfigurationRemark) {
    let words = words.first == "-w" ? words.dropFirst() : words
    if words.isEmpty { throw ConfigurationRemark(line: line, "sysctl takes NAME=VALUE") }
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2 else { throw ConfigurationRemark(line: line, "sysctl takes NAME=VALUE") }
      let owned = rules.interfaceSetting(parts[0])
      guard let setting = rules.settings.first(where: { $0.name == parts[0] }) ?? owned?.setting else {
        throw ConfigurationRemark(line: line, "no setting \(IfconfigError.quoted(parts[0]))")
      }
      let value: Setting.Value? =
        if case .text = setting.allowed { .text(parts[1]) } else { Int64(parts[1]).map { .number($0) } }
      guard let value, setting.allows(value) else {
        throw ConfigurationRemark(line: line, "\(setting.name) takes \(setting.allowed)")
      }
      if let why = rules.refusal(setting.name, value) { throw ConfigurationRemark(line: line, why) }
      guard
        !configuration.settings.contains(where: { $0.name == setting.name })
          && !later.contains(where: { $0.setting.name == setting.name })
      else { throw ConfigurationRemark(line: line, "\(setting.name) is set twice") }
      let new = DaemonConfiguration.SettingLine(name: setting.name, value: value)
      if let owned { later.append((owned.interface, new, line)) } else { configuration.settings.append(new) }
    }
  }

  private mutating func give(
    _ one: (interface: String, setting: DaemonConfiguration.SettingLine, line: Int)
  ) throws(ConfigurationRemark) {
    guard let index = configuration.interfaces.firstIndex(where: { $0.name == one.interface }) else {
      throw ConfigurationRemark(line: one.line, "\(one.setting.name): no line makes \(one.interface)")
    }
    configuration.interfaces[index].settings.append(one.setting)
  }

  // MARK: allow

  /// `allow user|group NAME capture|inject IF …`
  private mutating func takeRight(_ words: [String], _ line: Int) throws(ConfigurationRemark) {
    func fail(_ text: String) -> ConfigurationRemark { ConfigurationRemark(line: line, text) }
    guard words.count >= 4 else { throw fail("allow takes user|group NAME capture|inject INTERFACE …") }
    let subject: RightRule.Subject
    switch words[0] {
    case "user":
      guard let user = UInt32(words[1]) ?? rules.user(words[1]) else {
        throw fail("no user \(IfconfigError.quoted(words[1]))")
      }
      subject = .user(user)
    case "group":
      guard let group = UInt32(words[1]) ?? rules.group(words[1]) else {
        throw fail("no group \(IfconfigError.quoted(words[1]))")
      }
      subject = .group(group)
    default: throw fail("allow is for a user or a group, not \(IfconfigError.quoted(words[0]))")
    }
    let kind: RightRule.Kind
    switch (words[2], words[0]) {
    case ("capture", _): kind = .capture
    case ("inject", "user"): kind = .inject
    case ("inject", _): throw fail("a group may be allowed to capture only")
    default: throw fail("what is allowed is capture or inject, not \(IfconfigError.quoted(words[2]))")
    }
    for word in words[3...] {
      guard word == "*" || IfconfigLine.isName(word) else {
        throw fail("\(IfconfigError.quoted(word)) is no name of an interface (* is every one)")
      }
      configuration.rights.append(RightRule(subject, kind, interface: word == "*" ? nil : word))
    }
  }

  // MARK: setkey

  private mutating func takeKeys(_ text: [UInt8]) {
    guard text.contains(where: { $0 > 0x20 }) else { return }
    let name = "net.ipsec.noauth"
    let noAuth =
      configuration.settings.first { $0.name == name }?.value ?? rules.settings.first { $0.name == name }?.value
    let file = SetkeyParser.parse(text, rules: SetkeyRules(allowsNoIntegrity: noAuth == .number(1)))
    for remark in file.remarks {
      remarks.append(
        ConfigurationRemark(
          line: remark.position.line, "column \(remark.position.column): \(remark.text)",
          isWarning: remark.severity == .warning))
    }
    for statement in file.statements {
      switch statement.action {
      case .add, .policyAdd, .policyUpdate: configuration.keys.append(statement)
      default:
        remarks.append(
          ConfigurationRemark(
            line: statement.position.line, "only add, spdadd and spdupdate have a place here"))
      }
    }
  }
}
