// The end of a live capture: what is waited for, the ring's last frames, the counts. The main thread's part.
import Glibc
import SwBPF
import SwBPFKern

extension LiveCommand {
  /// Until a signal or the consumer's end.
  func waitForEnd(_ session: Session, _ engine: CaptureEngine?, _ consumer: Consumer, _ output: Output) {
    let showsProgress =
      settings.lines.verboseCount > 0 && settings.output != nil && !settings.prints && isatty(STDERR_FILENO) == 1
    var shown: UInt64?
    guard let controls else { return }
    while true {
      switch controls.next(timeout: showsProgress ? 1000 : -1) {
      case .end, .done: return
      case .flush: consumer.flush()
      case .statistics: Counts(readers, engine, packets: nil).say()
      case .asked, .typed, .stop, .resumed: continue
      case nil:
        let packets = output.reported.load(ordering: .relaxed)
        if showsProgress, shown != packets { Messages.write("Got \(packets)\r", to: STDERR_FILENO) }
        shown = packets
      }
    }
  }

  /// Takes the ring's last frames, detaches, lets the consumer read what is left.
  /// - Returns: false when the output takes nothing for three seconds, or at a signal that comes a second later than the
  ///   first: sooner it is the same wish, as timeout(1) sends it twice.
  /// - Parameter detaches: takes the last frames and ends what comes in; tells the consumer before.
  func settle(_ session: Session, _ consumer: Consumer, detaches: () -> Void) -> Bool {
    let begin = Clock.monotonic()
    detaches()
    consumer.wake()
    var progress = consumer.progress
    var deadline = Clock.monotonic() + 3_000_000_000
    while true {
      switch controls?.next(timeout: 100) {
      case .done: return true
      case .end where Clock.monotonic() - begin > 1_000_000_000: return false
      default: break
      }
      if consumer.progress != progress {
        progress = consumer.progress
        deadline = Clock.monotonic() + 3_000_000_000
      }
      if Clock.monotonic() > deadline { return false }
    }
  }

  func finish(_ engine: CaptureEngine?, _ output: Output, _ consumer: Consumer?, isStuck: Bool = false) -> CInt {
    if let failure = consumer?.failure { Messages.say("swbpf: \(failure)") }
    if isStuck { Messages.say("swbpf: the output takes nothing: ending without what is still in the buffers") }
    Counts(readers, engine, packets: output.packets).say()
    engine?.close()
    for waiter in waiters { waiter.join() }
    // The consumer asks us about departures: neither would ever be freed.
    self.consumer = nil
    return consumer?.failure != nil || isStuck || departedName != nil ? 1 : 0
  }
}
