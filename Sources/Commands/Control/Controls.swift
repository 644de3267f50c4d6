// What the main thread of a capture waits for: signals, the control socket, the keys.
import Glibc
import SwBPFKern

/// Session's wishes, with those served here that change or show the running capture.
final class Controls {
  private let session: Session
  private var server: ControlServer?
  /// nil before the capture has its descriptors.
  var running: RunningCapture?

  init(_ session: Session, usesSocket: Bool) {
    self.session = session
    guard usesSocket else { return }
    do {
      server = try ControlServer(in: ControlDirectory.forCapture(), asked: session.asked)
    } catch {
      Messages.say("swbpf: no control socket, so no other process can change this capture: \(error.text)")
    }
  }

  /// Once the process may have threads.
  func start() { server?.start() }

  func stop() {
    server?.stop()
    server = nil
  }

  /// The next wish that is not served here; nil after the time-out (ms, -1 for ever).
  func next(timeout: Int32 = -1) -> Session.Wish? {
    while true {
      let wish = session.next(timeout: timeout)
      guard case .asked? = wish else { return wish }
      server?.answer { perform($0) }
    }
  }

  private func perform(_ request: ControlRequest) -> ControlAnswer {
    guard let running else { return .failed("the capture is just starting: try again") }
    let answer = running.perform(request)
    if request != .status, case .done(let lines) = answer { Messages.sayUnlessBlocked("swbpf: " + lines.joined()) }
    return answer
  }
}
