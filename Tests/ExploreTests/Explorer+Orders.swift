import SwBPFKern

// Which orders there are still to run.
extension Explorer {
  /// Picks the thread that takes the next step and notes the step; nil when nobody can.
  func choose(after last: Int?) -> Int? {
    var enabled: UInt8 = 0
    for index in tracks.indices where canGoOn(tracks[index]) { enabled |= 1 << UInt8(index) }
    if enabled == 0 {
      if !tracks.allSatisfy(\.isFinished) { reportStuck() }
      return nil
    }
    if isRepeated { return enabled.trailingZeroBitCount }
    let depth = order.count
    if depth == choices.count {
      let asleep = depth == 0 || !isReduced ? 0 : carriedSleep
      let candidates = enabled & ~asleep
      if candidates == 0 {
        isRepeated = true
        return enabled.trailingZeroBitCount
      }
      var chosen = candidates.trailingZeroBitCount
      if let last, candidates & 1 << UInt8(last) != 0 { chosen = last }
      choices.append(
        Choice(
          enabled: enabled, wanted: isReduced ? 1 << UInt8(chosen) : enabled, asleep: asleep, chosen: chosen))
    }
    precondition(choices[depth].enabled == enabled, "the scenario does not repeat itself")
    take(choices[depth].chosen, at: depth)
    return choices[depth].chosen
  }

  /// Notes the step of a thread, and where another order of it with steps before must be run.
  private func take(_ thread: Int, at depth: Int) {
    let operation = tracks[thread].operation
    // Who slept here sleeps on unless this step touches what he is about to do.
    carriedSleep = 0
    let sleeping = (choices[depth].asleep | choices[depth].done) & ~(1 << UInt8(thread))
    for index in tracks.indices where sleeping & 1 << UInt8(index) != 0 {
      if !operation.touches(tracks[index].operation) { carriedSleep |= 1 << UInt8(index) }
    }
    tracks[thread].taken += 1
    tracks[thread].clock[thread] = tracks[thread].taken
    if operation.object != 0 {
      var known = clocks[operation.object] ?? (.zero, .zero)
      tracks[thread].clock.formMaximum(known.written)
      if operation.writes {
        tracks[thread].clock.formMaximum(known.read)
        known.written.formMaximum(tracks[thread].clock)
      } else {
        known.read.formMaximum(tracks[thread].clock)
      }
      clocks[operation.object] = known
    }
    order.append(
      Taken(thread: thread, number: tracks[thread].taken, operation: operation, clock: tracks[thread].clock))
    for other in tracks.indices where other != thread && !tracks[other].isFinished {
      _ = race(other, with: depth)
    }
  }

  /// A thread has said what it does next: the last step that it could have come before is looked for.
  func announced(_ thread: Int) {
    if isRepeated || tracks[thread].operation.object == 0 { return }
    for depth in order.indices.reversed() where race(thread, with: depth) { return }
  }

  /// If a thread's next step could have come before a step that was taken, has that order run, too.
  private func race(_ thread: Int, with depth: Int) -> Bool {
    let taken = order[depth]
    let operation = tracks[thread].operation
    guard taken.thread != thread, taken.operation.touches(operation) else { return false }
    // It comes after in every equal order.
    if tracks[thread].clock[taken.thread] >= taken.number { return false }
    if choices[depth].enabled & 1 << UInt8(thread) != 0 {
      choices[depth].wanted |= 1 << UInt8(thread)
      return true
    }
    // It could not go on there: somebody who led to it could.
    var leading: UInt8 = 0
    for later in order[(depth + 1)...] where tracks[thread].clock[later.thread] >= later.number {
      leading |= 1 << UInt8(later.thread)
    }
    leading &= choices[depth].enabled
    if leading == 0 {
      choices[depth].wanted |= choices[depth].enabled
    } else if leading & choices[depth].wanted == 0 {
      choices[depth].wanted |= 1 << UInt8(leading.trailingZeroBitCount)
    }
    return true
  }

  /// Changes the last choice that has to be changed; false when every order was run.
  func advance() -> Bool {
    while var last = choices.popLast() {
      last.done |= 1 << UInt8(last.chosen)
      let candidates = last.wanted & ~last.done & ~last.asleep & last.enabled
      if candidates != 0 {
        last.chosen = candidates.trailingZeroBitCount
        choices.append(last)
        return true
      }
    }
    return false
  }
}
