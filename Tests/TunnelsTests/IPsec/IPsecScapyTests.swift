import SwBPFInterfaces
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// scapy and tshark at the other end: they take our ESP apart with the keys, and scapy makes its own.
@Suite(.needsNamespaces, .needsScapy, .timeLimit(.minutes(2)))
struct IPsecScapyTests {
  /// A transform in scapy's words.
  struct Judge: Sendable, CustomTestStringConvertible {
    let transform: Transform
    let crypt: String
    let length: Int
    let auth: String?
    var testDescription: String { transform.rawValue }

    static let all = [
      Judge(transform: .gcm, crypt: "AES-GCM", length: 20, auth: nil),
      Judge(transform: .cbcHMAC, crypt: "AES-CBC", length: 32, auth: "SHA2-256-128"),
      Judge(transform: .ctrHMAC, crypt: "AES-CTR", length: 20, auth: "SHA2-256-128"),
      Judge(transform: .nullHMAC, crypt: "NULL", length: 0, auth: "SHA2-256-128"),
    ]

    func association(_ spi: Int, _ letter: String, _ nat: String) -> String {
      "SecurityAssociation(ESP, spi=\(spi), crypt_algo='\(crypt)', crypt_key=b'\(letter)'*\(length)"
        + (auth.map { ", auth_algo='\($0)', auth_key=b'\(letter)'*32" } ?? "") + nat + ")"
    }
  }

  @Test(
    "T-133, T-134, T-141 scapy decrypts an echo request that came through the tunnel, and its answer comes out of it; as ESP and in UDP",
    arguments: Judge.all, [false, true])
  func peer(_ judge: Judge, _ isNAT: Bool) throws {
    let peer = try IPsecPeer(ports: isNAT ? NATPorts(own: 4500, peer: 4500) : NATPorts())
    try peer.associations(judge.transform)
    let (near, far) = peer.wan
    let nat = isNAT ? ", nat_t_header=UDP(sport=4500, dport=4500)" : ""
    let script = """
      from scapy.all import *
      from scapy.layers.ipsec import *
      conf.verb = 0
      o = \(judge.association(10000, "a", nat))
      i = \(judge.association(10001, "b", ""))
      s = conf.L2socket(iface='wan0')
      print('ready', flush=True)
      while True:
        p = s.recv()
        if p is None or not p.haslayer(IP) or p[IP].src != '\(near.ipv4)' or not p.haslayer(ESP): continue
        try: q = o.decrypt(IP(bytes(p[IP])))
        except Exception as e:
          print('failed', e, flush=True)
          continue
        q = q.payload if q.proto == 4 else q
        if q.haslayer(ICMP) and q[ICMP].type == 8: break
      print('inner', q.src, q.dst, flush=True)
      r = IP(src='\(far.ipv4)', dst='\(near.ipv4)', proto=4)/IP(src=q.dst, dst=q.src)/ICMP(type=0, id=q[ICMP].id, seq=q[ICMP].seq)/q[ICMP].payload
      e = i.encrypt(IP(bytes(r)))
      if \(isNAT ? "True" : "False"):
        e = IP(src=r.src, dst=r.dst)/UDP(sport=4500, dport=4500, chksum=0)/Raw(bytes(e.payload))
      s.send(Ether(src='\(far.macText)', dst='\(near.macText)')/e)
      """
    let child = try peer.far.start([try #require(Tool.scapyPython), "-c", script])
    #expect(child.out.waitForText("ready", timeout: 30), "\(child.err.text)")
    #expect(
      try peer.near.pings(GifHosts.inner4.1, from: GifHosts.inner4.0, wait: 10),
      "\(child.out.text)\(child.err.text)\(peer.trouble)")
    let output = try child.finish(timeout: 20)
    #expect(output.out.contains("inner \(GifHosts.inner4.0) \(GifHosts.inner4.1)\n"), "\(output)")
  }

  @Test("T-133, T-134 tshark decrypts what is on the wire", .needsTool("tshark"), arguments: [Transform.gcm, .cbcHMAC])
  func tshark(_ transform: Transform) throws {
    let peer = try IPsecPeer()
    try peer.associations(transform)
    func hex(_ count: Int) -> String { "0x" + String(repeating: "61", count: count) }
    let (crypt, auth) =
      transform == .gcm
      ? ("\"AES-GCM with 16 octet ICV [RFC4106]\",\"\(hex(20))\"", "\"NULL\",\"\"")
      : ("\"AES-CBC [RFC3602]\",\"\(hex(32))\"", "\"HMAC-SHA-256-128 [RFC4868]\",\"\(hex(32))\"")
    let child = try peer.far.start([
      "tshark", "-l", "-n", "-i", "wan0", "-c", "1", "-f", "ip proto 50 and src host \(peer.wan.0.ipv4)", "-o",
      "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE", "-o",
      "uat:esp_sa:\"IPv4\",\"\(peer.wan.0.ipv4)\",\"\(peer.wan.1.ipv4)\",\"0x00002710\",\(crypt),\(auth)", "-T",
      "fields",
      "-e", "ip.src", "-e", "esp.sequence", "-e", "udp.dstport",
    ])
    #expect(child.err.waitForText("Capturing on"))
    let sender = try UDPSender(in: peer.near.host, to: GifHosts.inner4.1, port: 4711)
    _ = try eventually(within: 8) {
      try sender.send(1)
      return child.wait(timeout: 0.3) != nil
    }
    let output = try child.finish()
    #expect(output.out.contains("\(peer.wan.0.ipv4),\(GifHosts.inner4.0)\t"), "\(output)")
    #expect(output.out.contains("\t4711"), "\(output)")
  }
}
