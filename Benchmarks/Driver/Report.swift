// Tables on the terminal, rows of JSON in a file.

import Foundation

func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

func pad(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - text.count))
}

func pad(_ value: Double, _ width: Int, _ digits: Int) -> String {
  let text = fixed(value, digits)
  return String(repeating: " ", count: max(0, width - text.count)) + text
}

func median(_ values: [Double]) -> Double? {
  guard !values.isEmpty else { return nil }
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// Progress, on standard error.
func note(_ text: String) { emit(text, to: 2) }

private func emit(_ text: String, to fd: Int32) {
  let line = text + "\n"
  _ = line.withCString { write(fd, $0, strlen($0)) }
}

final class Report {
  private let bench: String
  private let path: String
  private var rows: [Row] = []

  /// One figure; or, with the metric `skipped`, none and the reason.
  private struct Row: Codable {
    let bench: String
    let subject: String
    let `case`: String
    let metric: String
    let value: Double?
    let unit: String
    var reason: String?
  }

  init(_ bench: String, options: Options) {
    self.bench = bench
    path = "\(options.tools)/\(bench).json"
  }

  func add(_ subject: String, _ name: String, _ metric: String, _ value: Double?, _ unit: String) {
    guard let value, value.isFinite else { return }
    rows.append(
      Row(bench: bench, subject: subject, case: name, metric: metric, value: (value * 1e4).rounded() / 1e4, unit: unit))
  }

  func skip(_ subject: String, _ reason: String) {
    line("skipped: \(subject): \(reason)")
    rows.append(Row(bench: bench, subject: subject, case: "", metric: "skipped", value: nil, unit: "", reason: reason))
  }

  /// Has the rows of the last run stay, but those of cases for which `isNew` holds.
  func keepRows(but isNew: (String) -> Bool) {
    guard let old = try? JSONDecoder().decode([Row].self, from: Data(contents(path).utf8)) else { return }
    rows = old.filter { $0.metric != "skipped" && !isNew($0.case) } + rows
  }

  /// A figure that is there, of this run or kept.
  func value(_ subject: String, _ name: String, _ metric: String) -> Double? {
    rows.last { $0.subject == subject && $0.case == name && $0.metric == metric }?.value
  }

  func line(_ text: String = "") { emit(text, to: 1) }

  /// A negative width is a column that begins at the left.
  func row(_ cells: [String], _ widths: [Int]) {
    let padded = zip(cells, widths).map { cell, width in
      let space = String(repeating: " ", count: max(0, abs(width) - cell.count))
      return width < 0 ? cell + space : space + cell
    }
    line(padded.joined(separator: " "))
  }

  /// An array with one row per line.
  func save() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let lines = try rows.map { String(decoding: try encoder.encode($0), as: UTF8.self) }
    try ("[\n" + lines.joined(separator: ",\n") + "\n]\n").write(toFile: path, atomically: true, encoding: .utf8)
    line("rows: \(path)")
  }
}
