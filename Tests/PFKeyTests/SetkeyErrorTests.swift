import Testing

@testable import SwBPFPFKey

@Suite("The language of setkey(8): mistakes with their places")
struct SetkeyErrorTests {
  static let key = "0x" + String(repeating: "5a", count: 20)

  private func lines(_ text: String, _ rules: SetkeyRules = SetkeyRules()) -> [String] {
    SetkeyParser.parse(text, rules: rules).errors.map { $0.line(file: "f") }
  }

  @Test("a missing ';' is shown where it should stand, and the next statement is read (T-160)")
  func semicolon() {
    let file = SetkeyParser.parse("flush\nadd ::1 ::2 esp 1 -E aes-gcm-16 \(Self.key)\nspdflush ;\ndump")
    #expect(
      file.errors.map { $0.line(file: "f") } == [
        "f:1:6: ';' is missing before 'add'", "f:2:75: ';' is missing before 'spdflush'",
        "f:4:5: ';' is missing before the end of the file",
      ])
    #expect(file.statements.map(\.action) == [.policyFlush])
  }

  @Test("a bad digit of a key is shown in its place (T-160)")
  func hexadecimal() {
    #expect(lines("add ::1 ::2 esp 1 -E aes-gcm-16 0x00z1 ;") == ["f:1:37: 'z' is no hexadecimal digit"])
    #expect(
      lines("add ::1 ::2 esp 1 -E aes-gcm-16 0x001 ;") == [
        "f:1:33: a key has two hexadecimal digits for each byte, not 3 in all"
      ])
    #expect(lines("add ::1 ::2 esp 1 -E aes-gcm-16 0x ;").count == 1)
    #expect(
      lines("add ::1 ::2 esp 1 -E aes-gcm-16 0011 ;") == [
        "f:1:33: a key is 0x and hexadecimal digits, or a text in quotes"
      ])
  }

  @Test(
    "the thing, the cause, the way out",
    arguments: [
      (
        "add ::1 ::2 esp 1 -E aes-gcm-17 \(key) ;",
        "1:22: unknown algorithm 'aes-gcm-17' (try aes-gcm-16)"
      ),
      (
        "add ::1 ::2 esp 1 -E aes-gcm-16 0x0011 ;",
        "1:33: aes-gcm-16 takes a key of 160, 224 or 288 bits (32 of them are the salt), not 16"
      ),
      (
        "add ::1 ::2 esp 1 -E aes-gcm-16 \(key) -A hmac-sha256 \"\(String(repeating: "k", count: 32))\" ;",
        "1:76: -A is not for aes-gcm-16, which protects integrity itself"
      ),
      (
        "add ::1 10.0.0.1 esp 1 -E aes-gcm-16 \(key) ;",
        "1:9: source and destination must both be IPv4 or both IPv6"
      ),
      ("add host ::2 esp 1 ;", "1:5: 'host' is no address (give a number, names are not looked up)"),
      (
        "add fe80::1%eth0 ::2 esp 1 ;",
        "1:5: 'fe80::1%eth0' is no address (give the scope as a number, as in fe80::1%2)"
      ),
      ("add -4 ::1 ::2 esp 1 ;", "1:8: '::1' is not an IPv4 address"),
      ("add -47 ::1 ::2 esp 1 ;", "1:5: unknown option '-47' (here are -4, -6 and -n)"),
      ("add ::1 ::2 [80] esp 1 ;", "1:13: ports are for esp-udp only"),
      ("add ::1 ::2 [65536] esp-udp 1 ;", "1:14: '65536' is no port (0 to 65535, or any)"),
      ("add ::1 ::2 [80 esp-udp 1 ;", "1:17: ']' is missing before 'esp-udp'"),
      ("add ::1 ::2 epsp 1 ;", "1:13: unknown protocol 'epsp' (try esp)"),
      ("add ::1 ::2 esp-old 1 ;", "1:13: esp-old is not supported (esp, esp-udp, ah, ipcomp are)"),
      (
        "add ::1 ::2 esp 0x100000000 ;",
        "1:17: a hexadecimal number is no SPI (a decimal number, or 0x and digits, up to 0xffffffff)"
      ),
      ("add ::1 ::2 esp ;", "1:16: the SPI is missing before ';'"),
      ("add ::1\n;", "1:8: the destination address is missing before ';'"),
      ("add ::1 ::2 esp 1 -E null -r 256 ;", "1:30: -r takes 0 to 255, not '256'"),
      ("add ::1 ::2 esp 1 -u 65536 ;", "1:22: -u takes 0 to 65535, not '65536'"),
      ("add ::1 ::2 esp 1 -lh 18446744073709551616 ;", "1:23: -lh takes a decimal number, not '18446744073709551616'"),
      ("add ::1 ::2 esp 1 -m tunel ;", "1:22: unknown mode 'tunel' (transport, tunnel or any)"),
      ("add ::1 ::2 esp 1 -f zeropad ;", "1:22: unknown word of -f: 'zeropad' (try zero-pad)"),
      ("add ::1 ::2 esp 1 -f zero-pad -f seq-pad ;", "1:34: 'seq-pad' and 'zero-pad' exclude each other"),
      ("add ::1 ::2 esp 1 -m any -m any ;", "1:26: -m stands in line 1 already"),
      ("add ::1 ::2 esp 1 -esp_frg 9 ;", "1:19: unknown option '-esp_frg' (try -esp_frag)"),
      ("add ::1 ::2 esp 1 -esp_frag 9 ;", "1:19: -esp_frag is for esp-udp only"),
      ("add ::1 ::2 esp 1 ;", "1:1: -E is missing: esp takes -E ALGORITHM KEY"),
      ("add ::1 ::2 ah 1 -E null ;", "1:18: -E is for esp only, not for ah"),
      ("add ::1 ::2 ipcomp 1 -C deflat ;", "1:25: unknown compression 'deflat' (deflate, lzs or oui)"),
      ("add ::1 ::2 esp 1 -lh 60 -E null ;", "1:19: -lh is a hard limit without its other (give -ls or -bs, too)"),
      ("add ::1 ::2 esp 1 -bs 60 -E null ;", "1:19: -bs is a soft limit without its other (give -lh or -bh, too)"),
      ("add ::1 ::2 esp 1 -E aes-gcm-16 ;", "1:32: the key of aes-gcm-16 is missing before ';'"),
      ("add ::1 ::2 esp 1 -E aes-cbc -A null ;", "1:30: the key of aes-cbc is missing before '-A'"),
      ("add ::1 ::2 esp 1 -E null \"a\" ;", "1:27: unexpected a text in quotes (a statement ends with ';')"),
      ("add ::1 ::2 esp 1 -E null \"a ;", "1:27: the quote is not closed in its line (put \" behind the text)"),
      ("flush ; ;", "1:9: nothing stands before ';'"),
      ("spadd ::1 ::2 any -P in none ;", "1:1: unknown statement 'spadd' (try spdadd)"),
      ("\u{1} flush ;", "1:1: unexpected control character 0x01"),
      ("\u{e9} flush ;", "1:1: unexpected character outside ASCII"),
      ("{ flush ;", "1:1: unexpected '{'"),
    ])
  func errors(_ text: String, _ error: String) {
    // Only statements that are about integrity are checked for it here.
    #expect(lines(text, SetkeyRules(allowsNoIntegrity: true)) == ["f:" + error])
  }

  @Test(
    "mistakes in policies",
    arguments: [
      ("::1 10.0.0.1 any -P in none", "1:12: source and destination must both be IPv4 or both IPv6"),
      ("::/129 ::1 any -P in none", "1:11: '129' is no prefix length (0 to 128)"),
      ("10.0.0.0/33 10.0.0.1 any -P in none", "1:17: '33' is no prefix length (0 to 32)"),
      ("::1[http] ::1 any -P in none", "1:12: 'http' is no port (0 to 65535, or any)"),
      ("::1 ::1 udpp -P in none", "1:16: unknown protocol 'udpp' (try udp)"),
      ("::1 ::1 256 -P in none", "1:16: unknown protocol '256' (try any, tcp, udp, icmp6, ip4 or a number)"),
      ("::1[8] ::1 icmp6 -P in none", "1:19: icmp6 has no ports (give its type and code: icmp6 8,0)"),
      ("::1 ::1 icmp6 8 -P in none", "1:22: '8' is not TYPE,CODE of ICMP"),
      ("::1 ::1 any", "1:19: -P in or -P out is missing before ';'"),
      ("::1 ::1 any -P fwd none", "1:23: 'fwd' is no direction (in or out)"),
      ("::1 ::1 any -P in", "1:25: discard, none or ipsec is missing before ';'"),
      ("::1 ::1 any -P in drop", "1:26: 'drop' is no policy (discard, none or ipsec)"),
      ("::1 ::1 any -P in bypass", "1:26: bypass is for sockets only: Invalid argument"),
      ("::1 ::1 any -P in prio 5 none", "1:26: policies have no priority: the first that matches is taken"),
      ("::1 ::1 any -P in ipsec", "1:31: PROTOCOL/MODE/[A-B]/LEVEL is missing before ';'"),
      ("::1 ::1 any -P in ipsec gre/transport//use", "1:32: 'gre' is no protocol of a policy (esp, ah or ipcomp)"),
      ("::1 ::1 any -P in ipsec esp/any//use", "1:36: 'any' is no mode of a policy (transport or tunnel)"),
      ("::1 ::1 any -P in ipsec esp/tunnel//use", "1:32: tunnel mode needs both ends: esp/tunnel/A-B/LEVEL"),
      ("::1 ::1 any -P in ipsec esp/transport//never", "1:47: unknown level 'never' (default, use, require or unique)"),
      (
        "::1 ::1 any -P in ipsec esp/transport//unique:16384",
        "1:47: 'unique:16384' is no level (unique:1 to unique:16383)"
      ),
      ("::1 ::1 any -P in ipsec esp/transport//use:1", "1:47: 'use:1' is no level (unique:1 to unique:16383)"),
      ("::1 ::1 any -P in ipsec esp/transport", "1:45: '/' is missing before ';'"),
      (
        "::1 ::1 any -P in ipsec esp/tunnel/::1/use",
        "1:43: the ends of a tunnel are two numeric addresses, as in 10.0.0.1-10.0.0.2"
      ),
      (
        "::1 ::1 any -P in ipsec esp/tunnel/::1-10.0.0.1/use",
        "1:43: source and destination must both be IPv4 or both IPv6"
      ),
    ])
  func policies(_ text: String, _ error: String) {
    #expect(lines("spdadd \(text) ;") == ["f:" + error])
  }

  @Test(
    "algorithms that are too weak, or not offered, are EINVAL",
    arguments: [
      "des-cbc", "3des-cbc", "blowfish-cbc", "cast128-cbc", "des-deriv", "aes-gmac", "camellia-cbc", "twofish-cbc",
    ])
  func weak(_ name: String) {
    #expect(
      lines("add ::1 ::2 esp 1 -E \(name) \"12345678\" ;") == [
        "f:1:22: \(name) is not offered: Invalid argument (try aes-gcm-16)"
      ])
  }

  @Test("MD5 is EINVAL, SHA-1 a warning")
  func weakHashes() {
    for name in ["hmac-md5", "keyed-md5", "keyed-sha1", "hmac-ripemd160", "aes-xcbc-mac", "tcp-md5"] {
      #expect(
        lines("add ::1 ::2 ah 1 -A \(name) \"1234567890123456\" ;") == [
          "f:1:21: \(name) is not offered: Invalid argument (try hmac-sha256)"
        ])
    }
    let file = SetkeyParser.parse("add ::1 ::2 esp 1 -E null -A hmac-sha1 \(Self.key) ;")
    #expect(file.errors.isEmpty && file.statements.count == 1)
    #expect(
      file.remarks.map { $0.line(file: "f") } == ["f:1:30: warning: hmac-sha1 is weak (try hmac-sha256)"])
  }

  @Test("encryption without integrity is EINVAL unless it is allowed")
  func integrity() {
    for algorithm in ["null", "aes-cbc 0x\(String(repeating: "5a", count: 16))", "aes-ctr \(Self.key)"] {
      for alone in ["", "-A null"] {
        let text = "\nadd ::1 ::2 esp 1 -E \(algorithm) \(alone) ;"
        let name = algorithm.split(separator: " ")[0]
        #expect(
          lines(text) == [
            "f:2:1: \(name) without -A protects no integrity: Invalid argument "
              + "(try -A hmac-sha256, or net.ipsec.noauth=1)"
          ])
        #expect(lines(text, SetkeyRules(allowsNoIntegrity: true)).isEmpty)
      }
    }
    #expect(lines("add ::1 ::2 esp 1 -E aes-gcm-16 \(Self.key) ;").isEmpty)
    #expect(lines("add ::1 ::2 ah 1 -A null ;").count == 1)
    #expect(lines("add ::1 ::2 ah 1 -A null ;", SetkeyRules(allowsNoIntegrity: true)).isEmpty)
  }

  @Test("a key of a counter mode serves one association, in one file; CBC keys may repeat")
  func repeatedKeys() {
    func add(_ spi: Int, _ algorithm: String) -> String { "add ::1 ::2 esp \(spi) \(algorithm) ;\n" }
    let gcm = "-E aes-gcm-16 \(Self.key)"
    let hash = "-A hmac-sha256 \"\(String(repeating: "k", count: 32))\""
    let error = "f:2:1: the key is in use since line 1: File exists (a key of aes-gcm-16 is for one association)"
    #expect(lines(add(1, gcm) + add(2, gcm)) == [error])
    // The engine compares keys alone, and does not take one of another counter mode, either.
    #expect(lines(add(1, gcm) + add(2, "-E aes-ctr \(Self.key) \(hash)")).count == 1)
    let ctr = "-E aes-ctr \(Self.key) \(hash)"
    let chacha = "-E chacha20-poly1305 0x\(String(repeating: "5a", count: 36))"
    #expect(lines(add(1, ctr) + add(2, ctr)).count == 1 && lines(add(1, chacha) + add(2, chacha)).count == 1)
    let cbc = "-E aes-cbc 0x\(String(repeating: "5a", count: 16)) \(hash)"
    #expect(lines(add(1, cbc) + add(2, cbc)).isEmpty)
    // What is gone leaves its key.
    for gone in ["flush ;", "flush esp ;", "delete ::1 ::2 esp 1 ;", "deleteall ::1 ::2 esp ;"] {
      #expect(lines(add(1, gcm) + gone + add(2, gcm)).isEmpty, "\(gone)")
    }
    for other in ["flush ah ;", "delete ::1 ::2 esp 2 ;", "delete ::1 ::2 ah 1 ;", "deleteall ::2 ::1 esp ;"] {
      #expect(lines(add(1, gcm) + other + add(2, gcm)).count == 1, "\(other)")
    }
  }

  @Test("manual keys of counter modes are warned of once")
  func manualKeys() {
    let other = "0x" + String(repeating: "5b", count: 20)
    let file = SetkeyParser.parse(
      "flush ;\nadd ::1 ::2 esp 1 -E aes-gcm-16 \(Self.key) ;\nadd ::1 ::2 esp 2 -E aes-gcm-16 \(other) ;")
    #expect(
      file.remarks.map { $0.line(file: "f") } == [
        "f:2:1: warning: a manual key of aes-gcm-16 must never have served before"
      ])
    #expect(file.statements.count == 3)
  }

  @Test("all errors of a file are found, up to a hundred")
  func all() {
    let file = SetkeyParser.parse("flsh ;\nflush ;\nadd ::1 ;\ndump foo ; get ;\n")
    #expect(file.errors.map(\.position.line) == [1, 3, 4, 4])
    #expect(file.statements.map(\.action) == [.flush(nil)])
    let many = SetkeyParser.parse(String(repeating: "x;\n", count: 10_000))
    #expect(many.errors.count == 101)
    #expect(many.errors.last?.text == "too many errors, the rest is not read")
  }

  @Test("no error shows a key")
  func secrets() {
    let secret = "0123456789abcdef0123456789abcdef"
    for key in ["0x\(secret)", "\"\(secret)\"", secret, secret + secret, "-E0x\(secret)"] {
      for text in [
        "add ::1 ::2 esp 1 -E \(key) ;", "add ::1 ::2 esp 1 -E null \(key) ;", "add ::1 ::2 esp \(key) ;",
        "add ::1 ::2 esp 1 -E aes-gcm-16 \(key) ;", "add ::1 ::2 esp 1 -u \(key) ;", "\(key) ;", "flush \(key) ;",
        "add ::1 ::2 esp 1 -E aes-gcm-16 \(key)\u{7f} ;", "spdadd ::1 ::2 \(key) ;", "add ::1 ::2 [\(key)] esp 1 ;",
        "spdadd ::1 ::2 any -P in ipsec esp/tunnel/\(key)/use ;", "add ::1 ::2 esp 1 -f \(key) ;",
      ] {
        let found = lines(text)
        #expect(!found.isEmpty && found.allSatisfy { !$0.contains("0123456789") }, "\(found)")
      }
    }
  }

  @Test("long words, long files and long policies are bounded")
  func bounds() {
    let long = String(repeating: "a", count: 1_000_000)
    #expect(lines("\(long) ;\nflush ;") == ["f:1:1: a word of 1000000 bytes (1024 at most)"])
    #expect(lines("add ::1 ::2 esp 1 -E aes-gcm-16 \"\(long)\" ;").count == 1)
    let rule = "esp/transport//use "
    #expect(lines("spdadd ::1 ::2 any -P in ipsec \(String(repeating: rule, count: 16)) ;").isEmpty)
    #expect(
      lines("spdadd ::1 ::2 any -P in ipsec \(String(repeating: rule, count: 17)) ;") == [
        "f:1:336: more than 16 rules in one policy"
      ])
    #expect(lines("spdadd ::1 ::2 any -P in ipsec esp/tunnel/\(String(repeating: "[", count: 1000))").count == 1)
    #expect(SetkeyParser.parse(String(repeating: "flush;", count: 20_000)).statements.count == 20_000)
  }
}
