import Glibc
import SwBPFStress
import Testing

@testable import TestSupport

@Suite("The model of the old design fails as the old design did")
struct ModelTests {
  @Test("the last peer leaves between test and use: a nil pointer is used")
  func nilUse() {
    let model = Model2006()
    model.attach()
    model.tap { model.detach() }
    #expect(model.counts == .init(taps: 1, nilUses: 1, staleUses: 0))
  }

  @Test("one of two peers leaves there: nothing happens")
  func anotherStays() {
    let model = Model2006()
    model.attach()
    model.attach()
    model.tap { model.detach() }
    #expect(model.counts == .init(taps: 1, nilUses: 0, staleUses: 0))
  }

  @Test("without a peer the second load is never made")
  func nobody() {
    let model = Model2006()
    model.tap { Issue.record("went on") }
    #expect(model.counts.nilUses == 0)
  }

  @Test("the interface goes with peers attached: freed memory is used until it is back")
  func departure() {
    let model = Model2006()
    model.attach()
    model.tap { model.depart() }
    model.tap()
    #expect(model.counts.staleUses == 2)
    model.arrive()
    model.tap()
    #expect(model.counts == .init(taps: 3, nilUses: 0, staleUses: 2))
  }

  @Test("two threads find it, too", .timeLimit(.minutes(1)))
  func race() {
    let model = Model2006()
    let stop = Box(false)
    let storm = startThread {
      while !stop.value {
        model.attach()
        model.detach()
      }
    }
    let found = eventually(within: 20) {
      for frame in 0..<2000 { model.tap { if frame % 8 == 0 { sched_yield() } } }
      return model.counts.nilUses > 0
    }
    stop.value = true
    pthread_join(storm, nil)
    #expect(found)
  }
}
