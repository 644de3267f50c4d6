// Where a run takes place: interfaces of its own, or one of the user's.
internal import CPcapShim
import Glibc

/// The interfaces of a run. With cables of its own: `main`, on which witnesses stay, and `side`, which goes down and away.
package final class Ground: Sendable {
  /// The interface that is watched, and the one at the other end of its cable, by which frames are sent to it.
  package let main: String
  package let mainPeer: String
  /// Where peers are moved to.
  package let side: String
  package let sidePeer: String
  package let isOwn: Bool

  /// Moves the process into a user and a network namespace of its own; it must have one thread. A process that has the rights
  /// but may make no user namespace gets a network namespace.
  package static func enterPrivateNamespace() throws(StressFailure) {
    let result = swpcap_unshare_private()
    if result < 0 && swpcap_unshare_net() < 0 { throw .noNamespace(errno: -result) }
  }

  /// Makes the cables in the calling thread's network namespace. - Throws: EPERM without CAP_NET_ADMIN there.
  package static func own() throws(StressFailure) -> Ground {
    let ground = Ground(main: "stress0", mainPeer: "stress1", side: "stress2", sidePeer: "stress3", isOwn: true)
    // No words of the kernel's own on the cables; where it has no IPv6 there are none anyway.
    let file = unsafe open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC)
    if file >= 0 {
      _ = unsafe write(file, "1", 1)
      close(file)
    }
    try ground.makePair(ground.main, ground.mainPeer)
    try ground.makePair(ground.side, ground.sidePeer)
    return ground
  }

  package static func live(_ name: String) -> Ground {
    Ground(main: name, mainPeer: "", side: name == "lo" ? name : "lo", sidePeer: "", isOwn: false)
  }

  private init(main: String, mainPeer: String, side: String, sidePeer: String, isOwn: Bool) {
    (self.main, self.mainPeer, self.side, self.sidePeer) = (main, mainPeer, side, sidePeer)
    self.isOwn = isOwn
  }

  private func makePair(_ name: String, _ peer: String) throws(StressFailure) {
    try check(unsafe swpcap_link_pair(name, peer), "making the cable \(name)")
    for end in [name, peer] { try check(unsafe swpcap_link_switch(end, 1), "taking \(end) up") }
    _ = waitForCarrier(name)
  }

  /// Waits until frames pass; the kernel notices a moment after both ends are up.
  package func waitForCarrier(_ name: String) -> Bool {
    for _ in 0..<2000 {
      var state = swpcap_link_state()
      if unsafe swpcap_link_state(name, &state) == 0 && state.flags & UInt32(IFF_RUNNING) != 0 { return true }
      usleep(1000)
    }
    return false
  }

  /// Takes the side interface away and makes it again.
  package func recreateSide() throws(StressFailure) {
    try check(unsafe swpcap_link_delete(side), "deleting \(side)")
    try makePair(side, sidePeer)
  }

  /// Takes an interface down for a moment; returns when frames pass again.
  package func interrupt(_ name: String) throws(StressFailure) {
    try check(unsafe swpcap_link_switch(name, 0), "taking \(name) down")
    usleep(2000)
    try check(unsafe swpcap_link_switch(name, 1), "taking \(name) up")
    _ = waitForCarrier(name)
  }

  /// Removes the cables.
  package func remove() {
    if !isOwn { return }
    _ = unsafe swpcap_link_delete(main)
    _ = unsafe swpcap_link_delete(side)
  }

  /// Frames that have left by an interface; nil when it is gone.
  package func packetsSent(by name: String) -> UInt64? { state(of: name)?.sent }

  /// References on promiscuous mode that the kernel counts; nil when the interface is gone.
  package func promiscuity(of name: String) -> UInt32? { state(of: name)?.promiscuity }

  private func state(of name: String) -> swpcap_link_state? {
    var state = swpcap_link_state()
    return unsafe swpcap_link_state(name, &state) == 0 ? state : nil
  }

  private func check(_ result: CInt, _ call: String) throws(StressFailure) {
    if result < 0 { throw .system(errno: -result, call: call) }
  }
}
