// Names of the numbers in DNS messages, in tcpdump's words, and the numbers of the record types that have a printer.

/// Types of resource records.
enum DNSType {
  static let address: UInt16 = 1
  static let nameServer: UInt16 = 2
  static let alias: UInt16 = 5
  static let authority: UInt16 = 6
  static let pointer: UInt16 = 12
  static let mailExchange: UInt16 = 15
  static let text: UInt16 = 16
  static let address6: UInt16 = 28
  static let service: UInt16 = 33
  static let address6Chain: UInt16 = 38
  static let subtreeAlias: UInt16 = 39
  static let options: UInt16 = 41
  static let unspecifiedText: UInt16 = 104
  static let signature: UInt16 = 250
  static let uri: UInt16 = 256
}

/// The operation in the header's flags, with a blank before it; nothing for a plain query.
func dnsOperationName(_ flags: UInt16) -> StaticString {
  switch flags >> 11 & 0xf {
  case 0: ""
  case 1: " inv_q"
  case 2: " stat"
  case 3: " op3"
  case 4: " notify"
  case 5: " update"
  case 6: " op6"
  case 7: " op7"
  case 8: " op8"
  case 9: " updateA"
  case 10: " updateD"
  case 11: " updateDA"
  case 12: " updateM"
  case 13: " updateMA"
  case 14: " zoneInit"
  default: " zoneRef"
  }
}

/// The result of a response, nil for one without a name. Two of them lack their blank in tcpdump.
func dnsResultName(_ number: UInt32) -> StaticString? {
  switch number {
  case 0: ""
  case 1: " FormErr"
  case 2: " ServFail"
  case 3: " NXDomain"
  case 4: " NotImp"
  case 5: " Refused"
  case 6: " YXDomain"
  case 7: " YXRRSet"
  case 8: " NXRRSet"
  case 9: " NotAuth"
  case 10: " NotZone"
  case 15: " NoChange"
  case 16: " BadVers"
  case 17: "Resp17"
  case 21: "Resp21"
  case 23: " BadCookie"
  default: nil
  }
}

/// The name of a record type, nil for one without.
func dnsTypeName(_ number: UInt16) -> StaticString? {
  switch number {
  case 1: "A"
  case 2: "NS"
  case 3: "MD"
  case 4: "MF"
  case 5: "CNAME"
  case 6: "SOA"
  case 7: "MB"
  case 8: "MG"
  case 9: "MR"
  case 10: "NULL"
  case 11: "WKS"
  case 12: "PTR"
  case 13: "HINFO"
  case 14: "MINFO"
  case 15: "MX"
  case 16: "TXT"
  case 17: "RP"
  case 18: "AFSDB"
  case 19: "X25"
  case 20: "ISDN"
  case 21: "RT"
  case 22: "NSAP"
  case 23: "NSAP_PTR"
  case 24: "SIG"
  case 25: "KEY"
  case 26: "PX"
  case 27: "GPOS"
  case 28: "AAAA"
  case 29: "LOC"
  case 30: "NXT"
  case 31: "EID"
  case 32: "NIMLOC"
  case 33: "SRV"
  case 34: "ATMA"
  case 35: "NAPTR"
  case 36: "KX"
  case 37: "CERT"
  case 38: "A6"
  case 39: "DNAME"
  case 40: "SINK"
  case 41: "OPT"
  case 42: "APL"
  case 43: "DS"
  case 44: "SSHFP"
  case 45: "IPSECKEY"
  case 46: "RRSIG"
  case 47: "NSEC"
  case 48: "DNSKEY"
  case 99: "SPF"
  case 100: "UINFO"
  case 101: "UID"
  case 102: "GID"
  case 103: "UNSPEC"
  case 104: "UNSPECA"
  case 249: "TKEY"
  case 250: "TSIG"
  case 251: "IXFR"
  case 252: "AXFR"
  case 253: "MAILB"
  case 254: "MAILA"
  case 255: "ANY"
  case 256: "URI"
  default: nil
  }
}

/// The name of an EDNS option, nil for one without.
func dnsOptionName(_ code: UInt16) -> StaticString? {
  switch code {
  case 1: "LLQ"
  case 2: "UL"
  case 3: "NSID"
  case 5: "DAU"
  case 6: "DHU"
  case 7: "N3U"
  case 8: "ECS"
  case 9: "EXPIRE"
  case 10: "COOKIE"
  case 11: "KEEPALIVE"
  case 12: "PADDING"
  case 13: "CHAIN"
  case 14: "KEY-TAG"
  case 16: "CLIENT-TAG"
  case 17: "SERVER-TAG"
  default: nil
  }
}

/// DNSSEC algorithms of the option DAU.
func dnsSignatureAlgorithmName(_ number: UInt8) -> StaticString? {
  switch number {
  case 0: "DELETE"
  case 1: "RSAMD5"
  case 2: "DH"
  case 3: "DS"
  case 5: "RSASHA1"
  case 6: "DSA-NSEC3-SHA1"
  case 7: "RSASHA1-NSEC3-SHA1"
  case 8: "RSASHA256"
  case 10: "RSASHA512"
  case 12: "ECC-GOST"
  case 13: "ECDSAP256SHA256"
  case 14: "ECDSAP384SHA384"
  case 15: "ED25519"
  case 16: "ED448"
  case 252: "INDIRECT"
  case 253: "PRIVATEDNS"
  case 254: "PRIVATEOID"
  default: nil
  }
}

/// Digests of delegation signer records, of the option DHU.
func dnsDigestAlgorithmName(_ number: UInt8) -> StaticString? {
  switch number {
  case 1: "SHA-1"
  case 2: "SHA-256"
  case 3: "GOST_R_34.11-94"
  case 4: "SHA-384"
  default: nil
  }
}

/// Hashes of NSEC3 records, of the option N3U.
func dnsHashAlgorithmName(_ number: UInt8) -> StaticString? {
  number == 1 ? "SHA-1" : nil
}
