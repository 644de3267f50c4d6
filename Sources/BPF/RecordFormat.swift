// How a record looks in a slot.

extension BPF {
  /// The layout of the records in a descriptor's slots.
  public enum RecordFormat: Sendable, Equatable {
    /// A savefile's: 16 bytes of header {seconds, fraction, captured length, length; 32 bits each, host order}, the frame,
    /// no padding. The fraction is nanoseconds or microseconds.
    case savefile(nanoseconds: Bool)
    /// What read(2) of an open bpf device returns: `struct bpf_hdr` or `bpf_xhdr`, the frame, and zeros up to the next
    /// record, so that each network header is aligned.
    case device(Profile)

    var layout: RecordLayout {
      switch self {
      case .savefile(let nanoseconds): RecordLayout(nanoseconds: nanoseconds)
      case .device(let profile): RecordLayout(profile)
      }
    }
  }

  /// Bytes of a savefile record's header.
  @inlinable package static var savefileHeaderSize: Int { 16 }
  /// Bytes of a LINUX_SLL2 header.
  package static let cookedHeaderSize = 20
}

/// The numbers of a record format.
struct RecordLayout: Equatable {
  let isSavefile: Bool
  /// The fraction of a savefile's record is nanoseconds.
  let nanoseconds: Bool
  let profile: BPF.Profile
  /// Bytes of header that mean something. (`SIZEOF_BPF_HDR`)
  let headerBytes: UInt32
  /// Network headers lie at multiples of this. (`BPF_ALIGNMENT`)
  let alignment: UInt32
  var stamp = BPF.StampFormat.microtime

  init(nanoseconds: Bool) {
    isSavefile = true
    self.nanoseconds = nanoseconds
    profile = .freebsd
    headerBytes = UInt32(BPF.savefileHeaderSize)
    alignment = 1
  }

  init(_ profile: BPF.Profile) {
    isSavefile = false
    nanoseconds = false
    self.profile = profile
    switch profile {
    case .freebsd: (headerBytes, alignment) = (26, 8)
    case .netbsd: (headerBytes, alignment) = (32, 8)
    case .openbsd: (headerBytes, alignment) = (28, 4)
    }
  }

  /// (`BPF_WORDALIGN`)
  @inline(__always) func aligned(_ size: Int) -> Int {
    let mask = Int(alignment) &- 1
    return (size &+ mask) & ~mask
  }

  /// Bytes from the start of a record to its frame, for a link header of so many bytes. (`bh_hdrlen`)
  @inline(__always) func headerLength(link: UInt32) -> UInt32 {
    let mask = alignment &- 1
    return ((link &+ headerBytes &+ mask) & ~mask) &- link
  }
}
