// Interfaces that are not there yet, or go away under a capture.
internal import CPcapShim
import Glibc
import SwBPF
import SwBPFKern
import SwBPFLiveCapture

extension LiveCommand {
  /// --persist at the start: waits for every name, or a signal.
  func waitForAll(_ engine: CaptureEngine, _ session: Session) throws {
    for name in names where unsafe name != "any" && !devices.contains(name) && swpcap_link_index(name) == 0 {
      Messages.say("swbpf: \(name): no such interface yet, waiting for it")
      let waiter = Thread(name: "swbpf-await") {
        _ = try? engine.waitForInterface(named: name)
        session.finish()
      }
      while unsafe swpcap_link_index(name) == 0 {
        switch controls?.next() {
        case .end:
          isEnded = true
          engine.cancel()
          waiter.join()
          return
        default: continue
        }
      }
      waiter.join()
      session.clear()
    }
  }

  /// On the consumer's thread: an interface went away and everything of it has been read.
  func departed(_ reader: any CaptureReader, _ engine: CaptureEngine, cooked: Bool) -> Bool {
    guard let index = descriptors.firstIndex(where: { $0 === reader }), !isAll else { return true }
    let descriptor = descriptors[index]
    let name = names[index]
    guard settings.persists, !devices.contains(name) else {
      Messages.say("swbpf: \(name): the interface went away")
      departedName = name
      descriptor.detach()
      if !descriptors.contains(where: { $0.isAttached }) { consumer?.end() }
      return false
    }
    descriptor.forgetDeparted()
    Messages.say("swbpf: \(name): the interface went away, waiting for it")
    let consumer = consumer
    waiters.append(
      Thread(name: "swbpf-await") { [self] in
        while (try? engine.waitForInterface(named: name)) == true {
          do {
            try attachAgain(descriptor, to: name, engine, cooked: cooked)
            Messages.say("swbpf: \(name): the interface is there again")
            consumer?.wake()
            return
          } catch {
            usleep(10_000)
          }
        }
      })
    return true
  }

  private func attachAgain(_ descriptor: BPF.Descriptor, to name: String, _ engine: CaptureEngine, cooked: Bool) throws
  {
    try descriptor.attachAlso(to: engine.interface(named: name), cooked: cooked)
    if settings.isPromiscuous { try? descriptor.setPromiscuous() }
  }
}
