// What a change of direction asks of the driver.
import Testing

@testable import SwBPFBPF

@Suite("Changes of direction")
struct DirectionChangeTests {
  @Test("more is asked for before it is shown, less only makes the driver think about it")
  func asks() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    var asked = wire.driver.widened.count
    var narrowed = wire.driver.narrowed
    func change(_ direction: BPF.Direction, widens: Bool, narrows: Bool) throws {
      try one.setDirection(direction)
      asked += widens ? 1 : 0
      narrowed += narrows ? 1 : 0
      #expect(one.direction == direction)
      #expect(wire.driver.widened.count == asked && wire.driver.narrowed == narrowed)
    }
    try change(.inOut, widens: false, narrows: false)
    try change(.in, widens: false, narrows: true)
    try change(.in, widens: false, narrows: false)
    try change(.out, widens: true, narrows: true)
    #expect(wire.driver.widened.last?.sent == true)
    try change(.inOut, widens: true, narrows: false)
    try change(.out, widens: false, narrows: true)
  }

  @Test("a driver that cannot let more through leaves the direction as it was")
  func refused() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.setDirection(.in)
    try one.attach(to: wire.interface)
    wire.driver.fail(.system(errno: 12, call: "test"))
    #expect(throws: BPF.Failure.system(errno: 12, call: "test")) { try one.setDirection(.inOut) }
    #expect(one.direction == .in)
    wire.tap(frame(1), .sent)
    #expect(one.statistics.captured == 0)
    wire.driver.fail(nil)
    try one.setDirection(.inOut)
    wire.tap(frame(1), .sent)
    #expect(one.statistics.captured == 1)
  }
}
