// strongSwan's ESP in user space: a charon for each side, whose plugin kernel-libipsec carries packets through a TUN device.

import Foundation

extension GifContestant {
  private static let charon = "/usr/lib/ipsec/charon"

  /// ESP in UDP, AES-128-GCM of libcrypto, in tunnel mode: it knows no other.
  static func strongSwan(_ scratch: String) -> GifContestant {
    let folder = URL(fileURLWithPath: scratch).path
    func file(_ side: GifSide, _ name: String) -> String { "\(folder)/charon\(side.number).\(name)" }
    func environment(_ side: GifSide) -> String { "STRONGSWAN_CONF=\(file(side, "conf"))" }
    var contestant = GifContestant(name: libipsec, device: "ipsec0", programs: [charon, "swanctl", "unshare"]) {
      side, other in
      try write(daemon(vici: file(side, "vici")), to: file(side, "conf"))
      try write(connection(side, other), to: file(side, "swanctl"))
      // Its pid file has a fixed name.
      let script = "mount -t tmpfs none /run && \(environment(side)) exec \(charon)"
      return [try side.start(["unshare", "--mount", "--propagation", "private", "sh", "-c", script])]
    }
    contestant.join = { side, _ in
      func swanctl(_ words: String) -> String {
        "\(environment(side)) swanctl \(words) --uri unix://\(file(side, "vici"))"
      }
      let words = "--load-all --file \(file(side, "swanctl"))"
      let load = "for i in 1 2 3 4 5 6 7 8 9; do \(swanctl(words)) && break; sleep 0.2; done"
      // The first side knows the connection by then, and both have their inner addresses.
      return side.number == 0
        ? load
        : "\(load); ip addr replace \(side.inner)/24 dev ipsec0; \(swanctl("--initiate --child bench --timeout 5"))"
    }
    return contestant
  }

  private static func write(_ text: String, to path: String) throws {
    do { try text.write(toFile: path, atomically: false, encoding: .utf8) } catch { throw Failure("\(path): \(error)") }
  }

  private static func daemon(vici: String) -> String {
    """
    charon {
      load = random nonce openssl kdf kernel-libipsec kernel-netlink socket-default vici
      install_routes = no
      plugins {
        vici { socket = unix://\(vici) }
        kernel-libipsec { allow_peer_ts = yes }
      }
    }
    swanctl { load = random openssl }
    """
  }

  private static func connection(_ side: GifSide, _ other: GifSide) -> String {
    """
    connections {
      bench {
        version = 2
        local_addrs = \(side.outer)
        remote_addrs = \(other.outer)
        encap = yes
        proposals = aes128gcm16-prfsha256-ecp256
        local {
          auth = psk
          id = side\(side.number)
        }
        remote {
          auth = psk
          id = side\(other.number)
        }
        children {
          bench {
            local_ts = \(side.inner)/32
            remote_ts = \(other.inner)/32
            esp_proposals = aes128gcm16
            mode = tunnel
            replay_window = 64
          }
        }
      }
    }
    secrets {
      ike-bench { secret = bench }
    }
    """
  }
}
