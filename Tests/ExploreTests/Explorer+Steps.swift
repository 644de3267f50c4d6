import SwBPFKern

// What the explored threads call: each call is a turn that ends before the access and comes again with it.
extension Explorer: StepScheduler {
  func step(_ place: Step.Place, _ address: UInt) {
    guard let thread = Explorer.thread else { return }
    pause(thread, Operation(place: place, object: place.object(address), writes: place.writes))
    if place.usesMemory, dead.contains(address) { report("\(names[thread]) \(Trace.words(place)) after it was freed") }
  }

  /// A step of a model, which the real code does not have.
  func model(_ label: StaticString, _ object: UInt, writes: Bool) {
    guard let thread = Explorer.thread else { return }
    let place: Step.Place = writes ? .modelStores : .modelLoads
    pause(thread, Operation(place: place, object: place.object(object), writes: writes, label: label))
  }

  func lock(_ mutex: UInt, _ rank: LockRank) {
    guard let thread = Explorer.thread else { return }
    let object = Step.Place.takesLock.object(mutex)
    pause(thread, Operation(place: .takesLock, object: object, writes: true, needs: .lock, label: rank.label))
    owners[object] = thread
  }

  func unlock(_ mutex: UInt) {
    guard let thread = Explorer.thread else { return }
    let object = Step.Place.takesLock.object(mutex)
    owners[object] = nil
    clocks[object, default: (.zero, .zero)].written.formMaximum(tracks[thread].clock)
  }

  func wait(_ condition: UInt, _ mutex: UInt, unlock release: () -> Void, lock take: () -> Void) -> Bool {
    guard let thread = Explorer.thread else { return false }
    let object = Step.Place.wakes.object(condition)
    pause(thread, Operation(place: .waits, object: object, writes: true))
    unlock(mutex)
    release()
    sleepers.append((thread, object))
    // Broadcast makes this a wait for the lock.
    let lockObject = Step.Place.takesLock.object(mutex)
    pause(thread, Operation(place: .takesLock, object: lockObject, writes: true, needs: .wakeUp, label: "again"))
    owners[lockObject] = thread
    take()
    return true
  }

  func broadcast(_ condition: UInt) {
    guard let thread = Explorer.thread else { return }
    let object = Step.Place.wakes.object(condition)
    pause(thread, Operation(place: .wakes, object: object, writes: true))
    for sleeper in sleepers where sleeper.condition == object {
      tracks[sleeper.thread].operation.needs = .lock
      tracks[sleeper.thread].clock.formMaximum(tracks[thread].clock)
      announced(sleeper.thread)
    }
    sleepers.removeAll { $0.condition == object }
  }

  func awaitEvent(_ descriptor: Int32) -> Bool {
    guard let thread = Explorer.thread else { return false }
    let object = Step.Place.awaitsEvent.object(UInt(descriptor))
    pause(thread, Operation(place: .awaitsEvent, object: object, writes: false, needs: .event(descriptor)))
    return true
  }

  func free(_ address: UInt, _ body: @escaping () -> Void) {
    guard Explorer.thread != nil else { return body() }
    step(.frees, address)
    if !dead.insert(address).inserted { report("freed twice") }
    quarantine.append(body)
  }
}
