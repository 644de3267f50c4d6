// Where something stands in a file of setkey(8), and what is said about it.

/// A place in the text: both count from 1, columns in bytes.
package struct SetkeyPosition: Equatable, Sendable {
  package var line: Int
  package var column: Int

  package init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }
}

/// An error, or a warning, at a place of the text. It never quotes a key.
package struct SetkeyRemark: Equatable, Sendable, Error {
  package enum Severity: Sendable { case error, warning }

  package let severity: Severity
  package let position: SetkeyPosition
  package let text: String

  package init(_ text: String, at position: SetkeyPosition, severity: Severity = .error) {
    self.severity = severity
    self.position = position
    self.text = text
  }

  /// `FILE:3:17: text`
  package func line(file: String) -> String {
    "\(file):\(position.line):\(position.column): \(severity == .warning ? "warning: " : "")\(text)"
  }
}
