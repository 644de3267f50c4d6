// Tells the service manager how things stand. (sd_notify(3))
internal import CPcapShim
import SwBPFKern

/// Without NOTIFY_SOCKET in the environment it says nothing.
struct ServiceNotifier {
  private let path = Environment.value("NOTIFY_SOCKET")

  func ready() { tell("READY=1") }
  /// Followed by ``ready()``.
  func reloading() { tell("RELOADING=1\nMONOTONIC_USEC=\(Clock.monotonic() / 1000)") }
  func stopping() { tell("STOPPING=1") }

  private func tell(_ text: String) {
    if let path { _ = unsafe swpcap_notify(path, text) }
  }
}
