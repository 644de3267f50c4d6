// What the main thread of a capture waits for: signals, the control socket, the keys.
internal import CPcapShim
import Glibc
import SwBPFKern

/// Session's wishes, with those served here that change or show the running capture.
final class Controls {
  private let session: Session
  private var server: ControlServer?
  private let keys: Keys?
  private var warning: String?
  /// nil before the capture has its descriptors.
  var running: RunningCapture?

  /// - Parameter usesKeys: the session handles stops.
  init(_ session: Session, usesKeys: Bool) {
    self.session = session
    keys = usesKeys ? Keys() : nil
  }

  /// Makes the control socket, as the user who starts the capture. That there is none is no error.
  func openSocket() {
    do {
      server = try ControlServer(in: ControlDirectory.forCapture(), asked: session.asked)
    } catch {
      warning = "swbpf: no control socket, so no other process can change this capture: \(error.text)"
    }
  }

  /// Once the process may have threads.
  func start() {
    if let warning { Messages.say(warning) }
    server?.start()
  }

  /// The capture begins: keys count from now on.
  /// - Parameter onQuestion: told when a question at the terminal begins, and when it has been dealt with.
  func startKeys(onQuestion: @escaping (Bool) -> Void) {
    keys?.onQuestion = onQuestion
    keys?.start()
  }

  /// The capture ends: the terminal is as it was.
  func endKeys() { keys?.end() }

  func stop() {
    endKeys()
    server?.stop()
    server = nil
  }

  /// The next wish that is not served here; nil after the time-out (ms, -1 for ever).
  func next(timeout: Int32 = -1) -> Session.Wish? {
    while true {
      keys?.settle()
      let wish = session.next(timeout: timeout, input: keys?.input ?? -1)
      switch wish {
      case .asked: server?.answer { perform($0, for: $1) }
      case .stop: if let keys { keys.stop() } else { swpcap_stop_self() }
      case .resumed: keys?.resume()
      case .typed:
        if let key = keys?.take(), let wish = press(key) { return wish }
      default: return wish
      }
    }
  }

  private func press(_ key: Keys.Key) -> Session.Wish? {
    guard let running else { return nil }
    switch key {
    case .quit: return .end
    case .statistics: return .statistics
    case .seeSent: tell(running.perform(.seeSent(.toggle)))
    case .direction: tell(running.turnDirection())
    case .filter(let text): tell(running.perform(.filter(text)), keeping: running.filterWord)
    case .noFilter: Messages.say("swbpf: as before: \(running.filterWord)")
    }
    return nil
  }

  private func tell(_ answer: ControlAnswer, keeping word: String? = nil) {
    switch answer {
    case .done(let lines): Messages.say("swbpf: " + Printable.text(lines.joined()))
    case .failed(let text): Messages.say("swbpf: \(Printable.text(text))" + (word.map { "; as before: \($0)" } ?? ""))
    }
  }

  /// What another process changed is said here too, with who it was.
  private func perform(_ request: ControlRequest, for asker: ControlServer.Asker) -> ControlAnswer {
    guard let running else { return .failed("the capture is just starting: try again") }
    let answer = running.perform(request)
    if request != .status, case .done(let lines) = answer {
      // The user of this capture, else root. His name is not looked up: that could wait for a server.
      let who = "process \(asker.pid)" + (asker.user == 0 && geteuid() != 0 ? " of root" : "")
      Messages.sayUnlessBlocked("swbpf: \(who): " + Printable.text(lines.joined()))
    }
    return answer
  }
}
