// What can be changed and seen of a capture while it runs. Main thread only.
internal import CPcapShim
import SwBPF
import SwBPFBPF
import SwBPFFilterMachine
import SwBPFKern
import SwBPFLiveCapture

/// The descriptors of a capture as one thing: direction and filter are the same for all of them.
final class RunningCapture {
  private let readers: [any CaptureReader]
  private let engine: CaptureEngine?
  /// As the command line has them; one for each descriptor, or several names behind one.
  private let names: [String]
  private let isAll: Bool
  private let started = Clock.monotonic()
  private(set) var filter: FilterExpression

  /// - Parameter isAll: one descriptor reads every interface.
  init(
    _ readers: [any CaptureReader], _ engine: CaptureEngine?, names: [String], isAll: Bool, filter: FilterExpression
  ) {
    self.readers = readers
    self.engine = engine
    self.names = names
    self.isAll = isAll
    self.filter = filter
  }

  var direction: BPF.Direction { readers[0].now.direction }

  // MARK: Changing

  func perform(_ request: ControlRequest) -> ControlAnswer {
    do {
      switch request {
      case .status: return .done(readers.indices.map { status(of: $0).line })
      case .seeSent(let value):
        let on = value == .toggle ? !direction.seesSent : value == .on
        try set(on ? .inOut : .in)
        return .done([directionWord])
      case .direction(let value):
        try set(value)
        return .done([directionWord])
      case .filter(let text):
        try setFilter(text)
        return .done([filterWord])
      }
    } catch {
      return .failed(Messages.explain(error, interface: names.joined(separator: ", "), arguments: []))
    }
  }

  /// in, out, inout, in …
  func turnDirection() -> ControlAnswer {
    let next: BPF.Direction =
      switch direction {
      case .in: .out
      case .out: .inOut
      case .inOut: .in
      }
    return perform(.direction(next))
  }

  /// `see-sent off (direction in)`
  var directionWord: String {
    let note = direction == .out && names == ["lo"] ? "; lo shows packets once, as received: nothing is seen" : ""
    return "see-sent \(direction.seesSent ? "on" : "off") (direction \(direction.word))\(note)"
  }

  /// `filter tcp port 80`
  var filterWord: String {
    filter.text.allSatisfy(\.isWhitespace) ? "no filter" : "filter \(filter.text)"
  }

  /// All or none: what is changed already is changed back when one refuses.
  private func set(_ new: BPF.Direction) throws {
    var done: [(any CaptureReader, BPF.Direction)] = []
    do {
      for reader in readers {
        done.append((reader, reader.now.direction))
        try reader.setDirection(new)
      }
    } catch {
      for (reader, old) in done { try? reader.setDirection(old) }
      throw error
    }
  }

  /// Compiled for every link type before anything is changed. What is stored stays, and the counters go on.
  private func setFilter(_ text: String) throws {
    var new = filter
    new.text = text
    var linkTypes = Set(readers.flatMap(\.tappedLinkTypes))
    if isAll || linkTypes.isEmpty { linkTypes.insert(1) }
    var programs: [Int32: Program?] = [:]
    for linkType in linkTypes { programs[linkType] = .some(try new.program(linkType: linkType)) }
    let (compiled, expression) = (programs, new)
    for reader in readers {
      try reader.setProgram(
        from: { linkType in
          if let known = compiled[linkType] { return known }
          return try expression.program(linkType: linkType)
        }, flushing: false)
    }
    filter = new
  }

  // MARK: Seeing

  private func status(of index: Int) -> PeerStatus {
    let reader = readers[index]
    let now = reader.now
    let counts = now.statistics
    let own = engine?.statistics(of: isAll ? "any" : names[index])
    // An interface that was renamed has its new name here.
    let name = isAll ? names.joined(separator: ",") : now.name ?? names[index]
    let linkType = isAll ? 276 : now.linkType
    return PeerStatus([
      "interface": .text(name),
      "link_type": .text(linkType.map { Listing.name(of: $0) } ?? "-"),
      "direction": .text(now.direction.word),
      "see_sent": .flag(now.direction.seesSent),
      "offered": .number(counts.offered),
      "hidden": .number(counts.hidden),
      "refused": .number(counts.refused),
      "captured": .number(counts.captured),
      "dropped": .number(counts.dropped),
      "cut": .number(counts.cut),
      "delivered": .number(counts.delivered),
      "waiting": .number(counts.waiting),
      "kernel_filter": .flag((own?.isNarrowed ?? false) || (now.ring?.isNarrowed ?? false)),
      "kernel_drops": .number((own?.dropped ?? 0) + (now.ring?.dropped ?? 0)),
      "freezes": .number((own?.freezes ?? 0) + (now.ring?.freezes ?? 0)),
      "slots": .number(UInt64(reader.slotCount)),
      "slot_size": .number(UInt64(reader.slotBytes)),
      "waiting_bytes": .number(UInt64(reader.storedBytes)),
      "age_ms": .number(UInt64((Clock.monotonic() - started) / 1_000_000)),
      "filter": .text(filter.text),
    ])
  }
}
