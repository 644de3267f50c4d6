// The options of DHCP by number: how their data looks, and their names in tcpdump's words.

/// How an option's data is printed.
enum DHCPFormat {
  case addresses
  case addressPairs
  /// Numbers of four bytes.
  case words
  case signedWords
  case shorts
  /// Decimal numbers with dots.
  case bytes
  case text
  /// `Y` or `N`.
  case switches
  /// By a function of its own.
  case special
  /// The length decides.
  case unknown
}

func dhcpOption(_ tag: UInt8) -> (format: DHCPFormat, name: StaticString) {
  switch tag {
  case 0: (.bytes, "PAD")
  case 1: (.addresses, "Subnet-Mask")
  case 2: (.signedWords, "Time-Zone")
  case 3: (.addresses, "Default-Gateway")
  case 4: (.addresses, "Time-Server")
  case 5: (.addresses, "IEN-Name-Server")
  case 6: (.addresses, "Domain-Name-Server")
  case 7: (.addresses, "LOG")
  case 8: (.addresses, "CS")
  case 9: (.addresses, "LPR-Server")
  case 10: (.addresses, "IM")
  case 11: (.addresses, "RL")
  case 12: (.text, "Hostname")
  case 13: (.shorts, "BS")
  case 14: (.text, "DP")
  case 15: (.text, "Domain-Name")
  case 16: (.addresses, "SS")
  case 17: (.text, "RP")
  case 18: (.text, "EP")
  case 19: (.switches, "IPF")
  case 20: (.switches, "SRT")
  case 21: (.addressPairs, "PF")
  case 22: (.shorts, "RSZ")
  case 23: (.bytes, "TTL")
  case 24: (.words, "MTU-Timeout")
  case 25: (.shorts, "MTU-Table")
  case 26: (.shorts, "MTU")
  case 27: (.switches, "LSN")
  case 28: (.addresses, "BR")
  case 29: (.switches, "MD")
  case 30: (.switches, "MS")
  case 31: (.switches, "Router-Discovery")
  case 32: (.addresses, "RSA")
  case 33: (.addressPairs, "Static-Route")
  case 34: (.switches, "UT")
  case 35: (.words, "AT")
  case 36: (.switches, "IE")
  case 37: (.bytes, "TT")
  case 38: (.words, "KI")
  case 39: (.switches, "KG")
  case 40: (.text, "YD")
  case 41: (.addresses, "YS")
  case 42: (.addresses, "NTP")
  case 43: (.bytes, "Vendor-Option")
  case 44: (.addresses, "Netbios-Name-Server")
  case 45: (.addresses, "WDD")
  case 46: (.special, "Netbios-Node")
  case 47: (.text, "Netbios-Scope")
  case 48: (.addresses, "XFS")
  case 49: (.addresses, "XDM")
  case 50: (.addresses, "Requested-IP")
  case 51: (.words, "Lease-Time")
  case 52: (.special, "OO")
  case 53: (.bytes, "DHCP-Message")
  case 54: (.addresses, "Server-ID")
  case 55: (.bytes, "Parameter-Request")
  case 56: (.text, "MSG")
  case 57: (.shorts, "MSZ")
  case 58: (.words, "RN")
  case 59: (.words, "RB")
  case 60: (.text, "Vendor-Class")
  case 61: (.special, "Client-ID")
  case 64: (.shorts, "N+D")
  case 65: (.addresses, "N+S")
  case 66: (.text, "TFTP")
  case 67: (.text, "BF")
  case 68: (.addresses, "MH")
  case 69: (.addresses, "SMTP")
  case 70: (.addresses, "POP3")
  case 71: (.addresses, "NNTP")
  case 72: (.addresses, "WWW")
  case 73: (.addresses, "FG")
  case 74: (.addresses, "IRC")
  case 75: (.addresses, "STS")
  case 76: (.addresses, "STDA")
  case 77: (.special, "User-Class")
  case 78: (.bytes, "SLP-DA")
  case 79: (.bytes, "SLP-SCOPE")
  case 80: (.text, "SLP-NA")
  case 81: (.special, "FQDN")
  case 82: (.special, "Agent-Information")
  case 83: (.bytes, "ARMT")
  case 88: (.text, "TZSTR")
  case 89: (.bytes, "FQDNS")
  case 90: (.bytes, "AUTH")
  case 91: (.signedWords, "Last-Transaction-Time")
  case 92: (.addresses, "Associated-IP")
  case 93: (.shorts, "ARCH")
  case 94: (.bytes, "NDI")
  case 95: (.text, "LDAP")
  case 97: (.bytes, "GUID")
  case 98: (.text, "UAP")
  case 100: (.text, "POSIX-TZ")
  case 101: (.text, "TZ-Name")
  case 112: (.addresses, "NI")
  case 113: (.text, "NITAG")
  case 114: (.text, "URL")
  case 116: (.switches, "NOAUTO")
  case 117: (.shorts, "NSSEARCH")
  case 118: (.addresses, "SUBNET")
  case 121: (.special, "Classless-Static-Route")
  case 150: (.addresses, "TFTP-Server-Address")
  case 161: (.text, "MUD-URL")
  case 249: (.special, "Classless-Static-Route-Microsoft")
  case 255: (.bytes, "END")
  default: (.unknown, "Unknown")
  }
}

/// The name of a message type (option 53), nil for one without.
func dhcpMessageName(_ type: UInt8) -> StaticString? {
  switch type {
  case 1: "Discover"
  case 2: "Offer"
  case 3: "Request"
  case 4: "Decline"
  case 5: "ACK"
  case 6: "NACK"
  case 7: "Release"
  case 8: "Inform"
  case 10: "LeaseQuery"
  case 11: "LeaseUnassigned"
  case 12: "LeaseUnknown"
  case 13: "LeaseActive"
  default: nil
  }
}
