// Algorithms with their numbers, setkey's words and lengths of keys. Used by the engine, setkey and ESP.

/// Encryption. (`SADB_EALG_*`, `SADB_X_EALG_*`)
package enum EncryptionAlgorithm: UInt8, Sendable, CaseIterable {
  case none = 0
  case desCBC = 2
  case tripleDESCBC = 3
  case cast128CBC = 6
  case blowfishCBC = 7
  case null = 11
  case aesCBC = 12
  case aesCTR = 13
  case aesGCM16 = 20
  case camelliaCBC = 22
  case aesGMAC = 23
  /// An addition, with the transform number of IKEv2: NetBSD's list has none.
  case chacha20Poly1305 = 28

  /// setkey's words; the first one is what it prints.
  package var names: [String] {
    switch self {
    case .none: []
    case .desCBC: ["des-cbc"]
    case .tripleDESCBC: ["3des-cbc"]
    case .cast128CBC: ["cast128-cbc"]
    case .blowfishCBC: ["blowfish-cbc"]
    case .null: ["null"]
    case .aesCBC: ["aes-cbc", "rijndael-cbc"]
    case .aesCTR: ["aes-ctr"]
    case .aesGCM16: ["aes-gcm-16"]
    case .camelliaCBC: ["camellia-cbc"]
    case .aesGMAC: ["aes-gmac"]
    case .chacha20Poly1305: ["chacha20-poly1305"]
    }
  }

  package init?(name: String) {
    guard let found = EncryptionAlgorithm.allCases.first(where: { $0.names.contains(name) }) else { return nil }
    self = found
  }

  /// Whether the engine takes it; the others are EINVAL.
  package var isOffered: Bool {
    switch self {
    case .null, .aesCBC, .aesCTR, .aesGCM16, .chacha20Poly1305: true
    default: false
    }
  }

  /// Lengths of keys in bits, with the 32-bit salt where there is one.
  package var keyBits: [Int] {
    switch self {
    case .none, .null: [0]
    case .desCBC: [64]
    case .tripleDESCBC: [192]
    case .cast128CBC: [40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128]
    case .blowfishCBC: Array(stride(from: 40, through: 448, by: 8))
    case .aesCBC, .camelliaCBC: [128, 192, 256]
    case .aesCTR, .aesGCM16, .aesGMAC: [160, 224, 288]
    case .chacha20Poly1305: [288]
    }
  }

  /// Bytes of the initialisation vector that a packet carries.
  package var ivLength: Int {
    switch self {
    case .none, .null: 0
    case .desCBC, .tripleDESCBC, .cast128CBC, .blowfishCBC: 8
    case .aesCBC, .camelliaCBC: 16
    case .aesCTR, .aesGCM16, .aesGMAC, .chacha20Poly1305: 8
    }
  }

  /// Whether it protects integrity, too.
  package var isAuthenticated: Bool {
    switch self {
    case .aesGCM16, .aesGMAC, .chacha20Poly1305: true
    default: false
    }
  }

  /// Whether one key must never serve two associations, because their counters could meet.
  package var isCounterMode: Bool {
    switch self {
    case .aesCTR, .aesGCM16, .aesGMAC, .chacha20Poly1305: true
    default: false
    }
  }
}

/// Authentication. (`SADB_AALG_*`, `SADB_X_AALG_*`)
package enum AuthenticationAlgorithm: UInt8, Sendable, CaseIterable {
  case none = 0
  case hmacMD5 = 2
  case hmacSHA1 = 3
  case hmacSHA256 = 5
  case hmacSHA384 = 6
  case hmacSHA512 = 7
  case hmacRIPEMD160 = 8
  case aesXCBC = 9
  case null = 251

  /// setkey's words; the first one is what it prints.
  package var names: [String] {
    switch self {
    case .none: []
    case .hmacMD5: ["hmac-md5"]
    case .hmacSHA1: ["hmac-sha1"]
    case .hmacSHA256: ["hmac-sha256", "hmac-sha2-256"]
    case .hmacSHA384: ["hmac-sha384", "hmac-sha2-384"]
    case .hmacSHA512: ["hmac-sha512", "hmac-sha2-512"]
    case .hmacRIPEMD160: ["hmac-ripemd160"]
    case .aesXCBC: ["aes-xcbc-mac"]
    case .null: ["null"]
    }
  }

  package init?(name: String) {
    guard let found = AuthenticationAlgorithm.allCases.first(where: { $0.names.contains(name) }) else { return nil }
    self = found
  }

  /// Whether the engine takes it; the others are EINVAL.
  package var isOffered: Bool {
    switch self {
    case .hmacSHA1, .hmacSHA256, .hmacSHA384, .hmacSHA512, .null: true
    default: false
    }
  }

  /// Lengths of keys in bits.
  package var keyBits: [Int] {
    switch self {
    case .none, .null: [0]
    case .hmacMD5, .aesXCBC: [128]
    case .hmacSHA1, .hmacRIPEMD160: [160]
    case .hmacSHA256: [256]
    case .hmacSHA384: [384]
    case .hmacSHA512: [512]
    }
  }

  /// Bytes of the check value in a packet.
  package var icvLength: Int {
    switch self {
    case .none, .null: 0
    case .hmacMD5, .hmacSHA1, .hmacRIPEMD160, .aesXCBC: 12
    case .hmacSHA256: 16
    case .hmacSHA384: 24
    case .hmacSHA512: 32
    }
  }

  /// Whether it protects anything.
  package var isAuthenticated: Bool { self != .none && self != .null }
}

/// Compression. (`SADB_X_CALG_*`) The engine stores such associations; nothing compresses.
package enum CompressionAlgorithm: UInt8, Sendable, CaseIterable {
  case oui = 1
  case deflate = 2
  case lzs = 3

  package var names: [String] {
    switch self {
    case .oui: ["oui"]
    case .deflate: ["deflate"]
    case .lzs: ["lzs"]
    }
  }

  package init?(name: String) {
    guard let found = CompressionAlgorithm.allCases.first(where: { $0.names.contains(name) }) else { return nil }
    self = found
  }
}
