// ESPState: what ESP keeps for one association. Made at its first packet, goes with it.
internal import CCrypto
import SwBPFPFKey
import SwBPFPackets

/// Keyed contexts for each worker, the replay window, and where the vectors start.
///
/// - Threads: any; a context is used by its worker alone.
/// Keys are overwritten when the association goes, in it and in the contexts.
@safe final class ESPState: @unchecked Sendable {
  let format: ESPFormat
  let window: ReplayWindow
  /// The vector of a counter mode is this and the 64-bit count of packets. Another one for each association that is added, so
  /// keys that are read again from a file meet other vectors.
  let firstVector: UInt64
  /// One for each worker and direction; nil before it is needed.
  private let contexts: UnsafeMutablePointer<OpaquePointer?>

  init(_ association: Association) {
    format = ESPFormat(association)
    window = ReplayWindow(
      size: Int(association.replay) * 8, isExtended: association.flags.contains(.extendedSequence))
    firstVector = .random(in: .min ... .max)
    // SAFETY: freed in deinit; indexed by workers, whose numbers are below the limit.
    unsafe contexts = .allocate(capacity: ESPWorker.limit * 2)
    unsafe contexts.initialize(repeating: nil, count: ESPWorker.limit * 2)
  }

  deinit {
    for index in 0..<ESPWorker.limit * 2 { unsafe swcrypto_free(contexts[index]) }
    unsafe contexts.deallocate()
  }

  /// That of an association; made when there is none.
  @inline(__always) static func of(_ association: Unmanaged<Association>) -> Unmanaged<ESPState> {
    // SAFETY: nothing else is attached to associations.
    if let pointer = unsafe association._withUnsafeGuaranteedRef({ unsafe $0.attachment }) {
      return unsafe Unmanaged<ESPState>.fromOpaque(pointer)
    }
    return unsafe make(association)
  }

  @inline(never) private static func make(_ association: Unmanaged<Association>) -> Unmanaged<ESPState> {
    let association = unsafe association.takeUnretainedValue()
    association.attach(ESPState(association))
    guard let pointer = unsafe association.attachment else { fatalError("nothing is attached") }
    return unsafe Unmanaged<ESPState>.fromOpaque(pointer)
  }

  /// A worker's context; nil when libcrypto has no such algorithm.
  @inline(__always)
  @unsafe func context(_ worker: Int, protects: Bool, _ association: Unmanaged<Association>) -> OpaquePointer? {
    let index = worker * 2 + (protects ? 1 : 0)
    if let context = unsafe contexts[index] { return unsafe context }
    return unsafe makeContext(index, protects, association)
  }

  @inline(never)
  private func makeContext(_ index: Int, _ protects: Bool, _ association: Unmanaged<Association>) -> OpaquePointer? {
    let association = unsafe association.takeUnretainedValue()
    let context = unsafe association.encryptionKey.withBytes { key in
      unsafe association.authenticationKey.withBytes { authenticationKey in
        unsafe swcrypto_new(
          association.encryption.number, key.baseAddress, key.count, association.authentication.number,
          authenticationKey.baseAddress, authenticationKey.count, protects ? 1 : 0)
      }
    }
    unsafe contexts[index] = unsafe context
    return unsafe context
  }

  /// Where the parts of a packet lie whose encrypted part has so many bytes.
  @inline(__always) func layout(text: Int, number: UInt64, isExtended: Bool) -> swcrypto_layout {
    swcrypto_layout(
      vector: UInt32(format.vector), text: UInt32(text), check: UInt32(format.check),
      high: UInt32(truncatingIfNeeded: number >> 32), extended: isExtended ? 1 : 0)
  }
}

extension EncryptionAlgorithm {
  /// CCrypto's number; negative for what it does not have.
  fileprivate var number: CInt {
    switch self {
    case .none, .null: CInt(SWCRYPTO_NULL)
    case .aesCBC: CInt(SWCRYPTO_AES_CBC)
    case .aesCTR: CInt(SWCRYPTO_AES_CTR)
    case .aesGCM16: CInt(SWCRYPTO_AES_GCM)
    case .chacha20Poly1305: CInt(SWCRYPTO_CHACHA20_POLY1305)
    default: -1
    }
  }
}

extension AuthenticationAlgorithm {
  fileprivate var number: CInt {
    switch self {
    case .none, .null: CInt(SWCRYPTO_NO_MAC)
    case .hmacSHA1: CInt(SWCRYPTO_HMAC_SHA1)
    case .hmacSHA256: CInt(SWCRYPTO_HMAC_SHA256)
    case .hmacSHA384: CInt(SWCRYPTO_HMAC_SHA384)
    case .hmacSHA512: CInt(SWCRYPTO_HMAC_SHA512)
    default: -1
    }
  }
}
