// What a descriptor has its drivers let through: its programs and directions, before they are published.
// Requests; the descriptor's lock is held. Wishes are only those whose programs may go to the kernel.
import SwBPFFilterMachine
import SwBPFKern
import Synchronization

extension BPF.Descriptor {
  func wish(for program: Program?, _ seen: SeenWays) -> Union.Wish {
    Union.Wish(program.map { UnionPart($0) }, sent: seen.seesSent, received: seen.seesReceived)
  }

  /// Has the driver let through what an attachment that no tap sees yet wants, too; the interface's lock is held.
  func widen(_ one: Attachment) throws(BPF.Failure) {
    try one.ifnet.driver.widen(one.ifnet, to: demand(with: one))
  }

  var ringNeeds: BPF.RingNeeds { unsafe buffers.pointee.lock.withLock { unsafe buffers.pointee.slots.needs } }

  private func demand(with one: Attachment) -> BPF.Demand {
    var demand = one.ifnet.demand
    if isPushed {
      unsafe demand.add(one.node.pointee.wishes, ringNeeds)
    } else {
      demand.add(seenWays, ringNeeds)
    }
    return demand
  }

  /// Shows other directions of frames that a program in the kernel picks.
  func changeWays(to new: SeenWays) throws {
    if new == seenWays { return }
    let wishes = attachments.map { one in
      let part = one.ifnet.lock.withLock { unsafe one.node.pointee.wishes.last?.part }
      return Union.Wish(part, sent: new.seesSent, received: new.seesReceived)
    }
    try change(to: wishes, upgrading: false, isSeamless: true) {
      unsafe Step.point(.storesDirection, buffers)
      unsafe buffers.pointee.direction.store(new.rawValue, ordering: .releasing)
    }
  }

  /// Changes what the attachments want: has the drivers let it through beside what they wanted before, publishes it, and
  /// then asks for no more than the new.
  ///
  /// The new wish is in its list before the driver is asked whether it gets through already: another peer's request may
  /// replace the kernel's program at any time, by one of all lists.
  /// - Parameters:
  ///   - wishes: one for each attachment.
  ///   - upgrading: those that only write are about to read.
  /// - Throws: the driver's error; then nothing has changed.
  func change(to wishes: [Union.Wish], upgrading: Bool, isSeamless: Bool, publish: () -> Void) throws {
    if Step.has(.publishesBeforeWidening) { publish() }
    var done = 0
    var isPublished = false
    defer {
      for index in 0..<done {
        let one = attachments[index]
        one.ifnet.lock.withLock {
          unsafe one.node.pointee.wishes = [isPublished ? wishes[index] : one.node.pointee.wishes[0]]
        }
        if one.isWriter && !upgrading { continue }
        one.ifnet.driver.release()
        one.ifnet.driver.mayNarrow(one.ifnet)
      }
    }
    for (index, one) in attachments.enumerated() {
      try one.ifnet.lock.withLock { () throws(BPF.Failure) in
        unsafe one.node.pointee.wishes.append(wishes[index])
        done = index + 1
        if one.isWriter && !upgrading { return }
        let isEnough = one.ifnet.driver.holdOpen(sent: wishes[index].sent, wishes: [wishes[index]])
        if isEnough || one.ifnet.isDead { return }
        var demand = one.isWriter ? demand(with: one) : one.ifnet.demand
        demand.isSeamless = isSeamless
        try one.ifnet.driver.widen(one.ifnet, to: demand)
      }
    }
    publish()
    isPublished = true
  }
}
