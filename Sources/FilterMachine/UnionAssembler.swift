// Instructions with labels for targets, laid out so that no conditional jump is longer than its eight bits.
// Used while a union is made; control paths.

struct UnionAssembler {
  struct Label { fileprivate let number: Int }

  private enum Item {
    case plain(Instruction)
    case branch(code: UInt16, k: UInt32, holds: Int, fails: Int)
    case jump(Int)
  }

  private var items: [Item] = []
  /// The item that a label stands in front of.
  private var places: [Int] = []

  /// Items so far: no more instructions than that times three come of it.
  var count: Int { items.count }

  mutating func label() -> Label {
    places.append(-1)
    return Label(number: places.count - 1)
  }

  mutating func place(_ label: Label) { places[label.number] = items.count }

  mutating func emit(_ code: UInt16, _ k: UInt32 = 0) { items.append(.plain(Instruction(code: code, k: k))) }

  mutating func emit(_ instruction: Instruction) { items.append(.plain(instruction)) }

  mutating func branch(_ code: UInt16, _ k: UInt32, holds: Label, fails: Label) {
    items.append(.branch(code: code, k: k, holds: holds.number, fails: fails.number))
  }

  /// Goes on behind it when the comparison holds.
  mutating func require(_ code: UInt16, _ k: UInt32, otherwise: Label) {
    let onward = label()
    branch(code, k, holds: onward, fails: otherwise)
    place(onward)
  }

  /// Goes on behind it unless the comparison holds.
  mutating func refuse(_ code: UInt16, _ k: UInt32, to target: Label) {
    let onward = label()
    branch(code, k, holds: target, fails: onward)
    place(onward)
  }

  mutating func jump(to label: Label) { items.append(.jump(label.number)) }

  /// The program: a target further away than 255 instructions is reached over a JA, whose distance has 32 bits.
  /// Every label that is used must have its place.
  func assembled() -> [Instruction] {
    var isFar = [(holds: Bool, fails: Bool)](repeating: (false, false), count: items.count)
    while true {
      let starts = positions(isFar)
      var changed = false
      for (index, item) in items.enumerated() {
        guard case .branch(_, _, let holds, let fails) = item else { continue }
        let next = starts[index] + 1
        if !isFar[index].holds && starts[places[holds]] - next > 255 {
          isFar[index].holds = true
          changed = true
        }
        if !isFar[index].fails && starts[places[fails]] - next > 255 {
          isFar[index].fails = true
          changed = true
        }
      }
      if !changed { return laidOut(isFar, starts) }
    }
  }

  private func positions(_ isFar: [(holds: Bool, fails: Bool)]) -> [Int] {
    var starts: [Int] = []
    starts.reserveCapacity(items.count + 1)
    var at = 0
    for (index, item) in items.enumerated() {
      starts.append(at)
      switch item {
      case .plain: at += 1
      case .branch: at += 1 + (isFar[index].holds ? 1 : 0) + (isFar[index].fails ? 1 : 0)
      case .jump(let label): at += places[label] == index + 1 ? 0 : 1
      }
    }
    starts.append(at)
    return starts
  }

  private func laidOut(_ isFar: [(holds: Bool, fails: Bool)], _ starts: [Int]) -> [Instruction] {
    var program: [Instruction] = []
    program.reserveCapacity(starts[items.count])
    func jump(to label: Int) {
      program.append(Instruction(code: Opcode.JA, k: UInt32(starts[places[label]] - program.count - 1)))
    }
    for (index, item) in items.enumerated() {
      switch item {
      case .plain(let instruction): program.append(instruction)
      case .jump(let label): if places[label] != index + 1 { jump(to: label) }
      case .branch(let code, let k, let holds, let fails):
        let next = program.count + 1
        let far = isFar[index]
        program.append(
          Instruction(
            code: code, jt: UInt8(far.holds ? 0 : starts[places[holds]] - next),
            jf: UInt8(far.fails ? (far.holds ? 1 : 0) : starts[places[fails]] - next), k: k))
        if far.holds { jump(to: holds) }
        if far.fails { jump(to: fails) }
      }
    }
    return program
  }
}
