// Lines over two logarithmic axes, as SVG.

import Foundation

struct Plot {
  private struct Line {
    let name: String
    let points: [(x: Double, y: Double)]
    let isDashed: Bool
  }

  private let title: String
  private let across: String
  private let up: String
  private var lines: [Line] = []
  private let width = 720.0
  private let height = 420.0
  private let left = 70.0
  private let right = 160.0
  private let top = 40.0
  private let bottom = 50.0
  private let colors = ["#1b6ca8", "#c0392b", "#2e8b57", "#8e5ea2", "#b8860b"]

  init(title: String, across: String, up: String) { (self.title, self.across, self.up) = (title, across, up) }

  mutating func add(_ name: String, _ points: [(Double, Double)], isDashed: Bool) {
    if !points.isEmpty { lines.append(Line(name: name, points: points.map { (x: $0.0, y: $0.1) }, isDashed: isDashed)) }
  }

  var svg: String {
    let xs = lines.flatMap { $0.points.map(\.x) }
    let ys = lines.flatMap { $0.points.map(\.y) }.filter { $0 > 0 }
    guard let least = xs.min(), let most = xs.max(), let low = ys.min(), let high = ys.max() else { return "" }
    let (bottomY, topY) = (pow(10, floor(log10(low))), pow(10, ceil(log10(high))))
    func x(_ value: Double) -> Double {
      most > least ? left + (width - left - right) * log(value / least) / log(most / least) : left
    }
    func y(_ value: Double) -> Double {
      height - bottom - (height - top - bottom) * log(value / bottomY) / log(topY / bottomY)
    }
    var text = """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(fixed(width, 0)) \(fixed(height, 0))" font-family="sans-serif" \
      font-size="12">
      <rect width="100%" height="100%" fill="#ffffff"/>
      <text x="\(fixed(left, 0))" y="22" font-size="15">\(title)</text>

      """
    var decade = bottomY
    while decade <= topY * 1.001 {
      for factor in [1.0, 2, 5] where decade * factor <= topY * 1.001 {
        let value = decade * factor
        text += rule(left, y(value), width - right, y(value))
        text += label(left - 6, y(value) + 4, fixed(value, 0), "end")
      }
      decade *= 10
    }
    for value in Set(xs).sorted() {
      text += rule(x(value), top, x(value), height - bottom)
      text += label(x(value), height - bottom + 18, fixed(value, 0), "middle")
    }
    text += label((left + width - right) / 2, height - 12, across, "middle")
    text += """
      <text x="16" y="\(fixed((top + height - bottom) / 2, 0))" text-anchor="middle" \
      transform="rotate(-90 16 \(fixed((top + height - bottom) / 2, 0)))">\(up)</text>

      """
    var colorOf: [String: String] = [:]
    for line in lines where colorOf[line.name] == nil { colorOf[line.name] = colors[colorOf.count % colors.count] }
    for line in lines {
      let color = colorOf[line.name] ?? "#000000"
      let path = line.points.map { "\(fixed(x($0.x), 1)),\(fixed(y(max($0.y, bottomY)), 1))" }.joined(separator: " ")
      let dash = line.isDashed ? " stroke-dasharray=\"5 4\" opacity=\"0.7\"" : ""
      text += "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(color)\" stroke-width=\"2\"\(dash)/>\n"
      for point in line.points where !line.isDashed {
        text +=
          "<circle cx=\"\(fixed(x(point.x), 1))\" cy=\"\(fixed(y(max(point.y, bottomY)), 1))\" r=\"3\" fill=\"\(color)\"/>\n"
      }
    }
    for (place, name) in colorOf.keys.sorted().enumerated() {
      let at = top + 14 + Double(place) * 20
      let color = colorOf[name] ?? "#000000"
      text +=
        "<rect x=\"\(fixed(width - right + 14, 0))\" y=\"\(fixed(at - 9, 0))\" width=\"14\" height=\"4\" fill=\"\(color)\"/>\n"
      text += label(width - right + 34, at - 3, name, "start")
    }
    let legend = top + 14 + Double(colorOf.count) * 20
    text += label(width - right + 14, legend, "— one matches", "start")
    text += label(width - right + 14, legend + 18, "-- none matches", "start")
    return text + "</svg>\n"
  }

  private func rule(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double) -> String {
    "<line x1=\"\(fixed(x1, 1))\" y1=\"\(fixed(y1, 1))\" x2=\"\(fixed(x2, 1))\" y2=\"\(fixed(y2, 1))\" stroke=\"#dddddd\"/>\n"
  }

  private func label(_ x: Double, _ y: Double, _ text: String, _ anchor: String) -> String {
    "<text x=\"\(fixed(x, 1))\" y=\"\(fixed(y, 1))\" text-anchor=\"\(anchor)\">\(text)</text>\n"
  }
}
