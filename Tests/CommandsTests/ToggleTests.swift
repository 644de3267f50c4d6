import Glibc
import Testing

@testable import SwBPFCommands
@testable import TestSupport

@Suite("Toggling from another process while frames flow", .needsNamespaces)
struct ToggleTests {
  @Test(
    "C-066 see-sent toggled 1000 times around a pausing sender: no wrong and no missing frame", .timeLimit(.minutes(2)))
  func thousand() throws {
    let (wire, scratch) = (try Wire(), try Scratch())
    let frames = try NumberedFrames(wire)
    let file = scratch.file("a.pcap")
    let child = try wire.near.capture(["-i", "va", "-U", "-w", file])
    let endpoint = try child.endpoint()
    let rounds: UInt64 = Requirement.short ? 200 : 1000
    var wanted: [UInt64] = []
    var refused = 0
    for round in 0..<rounds {
      let on = round % 2 == 1
      // Most by the client of the command in this process, some by the command itself.
      if round % 25 == 12 {
        let output = try wire.near.swbpf(["see-sent", on ? "on" : "off", "--pid", "\(child.pid)"])
        if output.status != .exited(0) { refused += 1 }
      } else {
        let answer = ControlClient.ask(endpoint, .seeSent(round == 0 ? .off : .toggle))
        let word = "see-sent \(on ? "on (direction inout)" : "off (direction in)")"
        if answer != .answer(.done([word])) { refused += 1 }
      }
      // Some pauses are longer than the time after which the kernel stops offering sent frames.
      if round % 50 == 7 { pause(0.03) }
      try frames.send(round)
      try frames.sendBack(round)
      if on { wanted.append(round) }
      wanted.append(round | back)
      // The received frame is the last of the round: when it is counted, the sender has stopped and the ring is empty.
      guard eventually({ endpoint.status?.number("captured") ?? 0 >= UInt64(wanted.count) }) else { break }
    }
    #expect(refused == 0)
    let output = try child.stop()
    #expect(output.err.hasSuffix(counts(wanted.count)))
    #expect(try NumberedFrames.numbers(in: file) == wanted)
  }

  @Test("with direction in, outgoing traffic wakes the reader not once", .timeLimit(.minutes(1)))
  func asleep() throws {
    let wire = try Wire()
    let frames = try NumberedFrames(wire)
    let child = try wire.near.capture(["-i", "va", "-w", "/dev/null"])
    let endpoint = try child.endpoint()
    try frames.send(0)
    #expect(eventually { endpoint.status?.number("captured") == 1 })
    #expect(try wire.near.swbpf(["direction", "in"]).status == .exited(0))
    // The kernel is told when the readers have been quiet for 10 ms; the consumer writes what it holds after a second.
    #expect(eventually { endpoint.status?.number("delivered") == 1 })
    pause(0.3)
    let threads = ["swbpf-ring", "swbpf-consumer", "swbpf-asked"]
    let before = try switches(of: child.pid)
    #expect(threads.allSatisfy { before[$0] != nil })
    let start = monotonicSeconds()
    var sent: UInt64 = 0
    // Faster than 100 000 a second where the machine allows it.
    while sent < 100_000 && monotonicSeconds() - start < 5 {
      for _ in 0..<100 {
        sent += 1
        try frames.send(sent)
      }
    }
    pause(0.05)
    let after = try switches(of: child.pid)
    #expect(threads.map { after[$0] } == threads.map { before[$0] })
    // Awake again with the first frame after the toggle.
    #expect(try wire.near.swbpf(["see-sent", "on"]).status == .exited(0))
    try frames.send(0)
    #expect(eventually { endpoint.status?.number("captured") == 2 })
    #expect(endpoint.status?.flag("kernel_filter") == true)
    try child.stop()
  }
}
