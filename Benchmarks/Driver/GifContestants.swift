// The tunnels that the benches `gif`, `l2tp` and `esp` compare: how each is made between two network namespaces.

import Foundation

/// One side of the cable.
struct GifSide {
  /// 0 or 1; also the core of whatever runs there.
  let number: Int
  /// A process that holds the network namespace.
  let holder: Child

  static let cable = "cable0"
  /// Bytes of an inner packet at most, whatever the tunnel.
  static let mtu = 1400
  var outer: String { "10.77.0.\(number + 1)" }
  var inner: String { "10.78.0.\(number + 1)" }

  init(_ number: Int) throws {
    self.number = number
    holder = try Child(Self.mortal + ["unshare", "--net", "sleep", "infinity"], core: 0)
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/net")
    for _ in 0..<500 {
      let other = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(holder.pid)/ns/net")
      if let other, other != own, contents("/proc/\(holder.pid)/comm").hasPrefix("sleep") { return }
      usleep(10_000)
    }
    throw Failure("no network namespace")
  }

  func command(_ words: [String]) -> [String] { Self.mortal + ["nsenter", "--net=/proc/\(holder.pid)/ns/net"] + words }

  /// Makes a command end with the driver, however that ends.
  private static let mortal = ["setpriv", "--pdeathsig", "KILL"]

  func start(_ words: [String], output: Output = .null, errors: Output = .null) throws -> Child {
    try Child(command(words), core: number % Machine.cores, output: output, errors: errors)
  }

  /// - Returns: whether it ended well.
  @discardableResult
  func run(_ script: String) throws -> Bool { try start(["sh", "-c", script]).finish().status == 0 }

  func must(_ script: String) throws {
    if try !run(script) { throw Failure("failed: \(script)") }
  }
}

/// A kind of tunnel.
struct GifContestant {
  let name: String
  /// The interface that it makes; where `isNumbered`, the side's number follows.
  let device: String
  var isNumbered = false
  /// What is missing of these is why the contestant is left out.
  let programs: [String]
  /// Segmentation and coalescing are off on the tunnel and on the cable.
  var isPlain = false
  /// The interface gets its address and MTU afterwards.
  var isBare = true
  /// Starts one end.
  /// - Returns: the processes that carry packets.
  let start: (GifSide, _ other: GifSide) throws -> [Child]
  /// What a side runs when both ends are there.
  var join: (GifSide, _ other: GifSide) -> String = { _, _ in ":" }

  func interface(_ side: GifSide) -> String { isNumbered ? "\(device)\(side.number)" : device }

  static let gif = "gif"
  static let socat = "socat"
  static let wireguard = "wireguard-go"
  static let vxlan = "vxlan"
  static let plain = " plain"
  /// No tunnel: what the cable and iperf3 cost by themselves.
  static let bare = "cable"
  static let thousand = "gif of 1000"

  static let l2tp = "l2tp"
  static let openvpnTAP = "openvpn tap"
  static let openvpnGCM = "openvpn AES-GCM"
  static let openvpnTUN = "openvpn tun GCM"

  static let esp = "esp"
  static let espInUDP = "esp in udp"
  static let libipsec = "libipsec"

  /// Tunnels that encrypt, and those without that they are measured by. All ciphers are AES-128-GCM, but wireguard's.
  static func allOfESP(_ options: Options) -> [GifContestant] {
    let end = options.gifEnd
    return [
      cable, own(espInUDP, end, count: 1, options: ["--ipsec-udp"], device: "ipsec0"),
      own(esp, end, count: 1, options: ["--ipsec"], device: "ipsec0"),
      own(l2tp, end, count: 1, options: ["--l2tp"], device: "l2tp0"), wireguardGo(options.tools),
      strongSwan(options.tools), openvpnEncrypted(openvpnTUN, device: "tun0", options.tools),
      openvpnEncrypted(openvpnGCM, device: "tap0", options.tools), vxlanDevice(vxlan),
    ]
  }

  /// Tunnels of Ethernet frames.
  static func allOfEthernet(_ options: Options) -> [GifContestant] {
    let end = options.gifEnd
    return [
      cable, own(l2tp, end, count: 1, options: ["--l2tp"], device: "l2tp0"), openvpnBare(openvpnTAP, device: "tap0"),
      openvpnEncrypted(openvpnGCM, device: "tap0", options.tools), vxlanDevice(vxlan),
      own(l2tp + plain, end, count: 1, options: ["--l2tp", "--no-coalescing"], device: "l2tp0"),
      vxlanDevice(vxlan + plain),
    ]
  }

  static func all(_ options: Options) -> [GifContestant] {
    let end = options.gifEnd
    return [
      cable, own(gif, end, count: 1), own(thousand, end, count: 1000), socatTUN, wireguardGo(options.tools),
      openvpnBare("openvpn", device: "tun0"),
      vxlanDevice(vxlan), own(gif + plain, end, count: 1, options: ["--no-coalescing"]), vxlanDevice(vxlan + plain),
    ]
  }

  private static var cable: GifContestant {
    GifContestant(name: bare, device: "bare0", programs: ["ip"]) { side, other in
      if side.number == 0 { try side.must("ip link add bare0 type veth peer name bare0 netns \(other.holder.pid)") }
      return []
    }
  }

  private static func own(
    _ name: String, _ end: String, count: Int, options: [String] = [], device: String = "gif0"
  ) -> GifContestant {
    GifContestant(
      name: name, device: device, programs: [end], isPlain: name.hasSuffix(plain), isBare: false
    ) { side, other in
      let child = try side.start(
        [end, side.outer, other.outer, side.inner, other.inner, "\(GifSide.mtu)", "\(count)"] + options, output: .pipe)
      var word = [UInt8](repeating: 0, count: 6)
      guard read(child.output, &word, word.count) > 0, word.starts(with: "ready".utf8) else {
        throw Failure("the engine did not start")
      }
      return [child]
    }
  }

  private static var socatTUN: GifContestant {
    GifContestant(name: socat, device: "tun0", programs: ["socat"]) {
      side, other in
      [
        try side.start([
          "socat", "UDP4-DATAGRAM:\(other.outer):4000,bind=\(side.outer):4000",
          "TUN:\(side.inner)/24,tun-name=tun0,iff-no-pi,iff-up",
        ])
      ]
    }
  }

  private static func wireguardGo(_ scratch: String) -> GifContestant {
    // Its control sockets are found by name, whatever the namespace.
    let device = "wgbench"
    func key(_ side: GifSide) -> String { "\(scratch)/wireguard\(side.number).key" }
    var contestant = GifContestant(
      name: wireguard, device: device, isNumbered: true, programs: ["wireguard-go", "wg"]
    ) { side, _ in
      try side.must("umask 077; wg genkey > \(key(side))")
      return [try side.start(["wireguard-go", "-f", "\(device)\(side.number)"])]
    }
    contestant.join = { side, other in
      """
      wg set \(device)\(side.number) private-key \(key(side)) listen-port 4002 \
        peer $(wg pubkey < \(key(other))) allowed-ips 10.78.0.0/24 endpoint \(other.outer):4002
      """
    }
    return contestant
  }

  /// Neither cipher nor authentication.
  private static func openvpnBare(_ name: String, device: String) -> GifContestant {
    GifContestant(name: name, device: device, programs: ["openvpn"]) {
      side, other in
      [
        try side.start(
          ("openvpn --dev \(device) --dev-type \(device.prefix(3)) --proto udp --local \(side.outer) --remote \(other.outer) --port 4001 "
            + "--tun-mtu \(GifSide.mtu) --mssfix 0 --cipher none --auth none --disable-dco --verb 0")
            .split(separator: " ").map(String.init))
      ]
    }
  }

  /// AES-128-GCM, with certificates that each side made for itself.
  private static func openvpnEncrypted(_ name: String, device: String, _ scratch: String) -> GifContestant {
    func file(_ side: GifSide) -> String { "\(scratch)/openvpn\(side.number)" }
    func make(_ side: GifSide) throws {
      try side.must(
        "test -s \(file(side)).print || { umask 077; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
          + "-nodes -days 30 -subj /CN=bench\(side.number) -keyout \(file(side)).key -out \(file(side)).crt && "
          + "openssl x509 -in \(file(side)).crt -noout -fingerprint -sha256 | sed 's/.*=//' >\(file(side)).print; }")
    }
    return GifContestant(name: name, device: device, programs: ["openvpn", "openssl"]) { side, other in
      for one in [side, other] { try make(one) }
      let print = contents("\(file(other)).print").split(separator: "\n").first.map(String.init) ?? ""
      return [
        try side.start(
          ("openvpn --dev \(device) --dev-type \(device.prefix(3)) --proto udp --local \(side.outer) "
            + "--remote \(other.outer) --port 4001 "
            + "--tun-mtu \(GifSide.mtu) --mssfix 0 --disable-dco --verb 0 --data-ciphers AES-128-GCM "
            + "--\(side.number == 0 ? "tls-server --dh none" : "tls-client") --cert \(file(side)).crt "
            + "--key \(file(side)).key --peer-fingerprint \(print)").split(separator: " ").map(String.init))
      ]
    }
  }

  private static func vxlanDevice(_ name: String) -> GifContestant {
    GifContestant(name: name, device: "vxlan0", programs: ["ip"], isPlain: name.hasSuffix(plain)) {
      side, other in
      try side.must(
        "ip link add vxlan0 type vxlan id 7 local \(side.outer) remote \(other.outer) dstport 4789 dev \(GifSide.cable)"
      )
      return []
    }
  }
}
