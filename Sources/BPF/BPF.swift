// The namespace of the bpf layer, its directions and its errors.
import Glibc

/// The semantics of BSD's bpf(4): tap points, descriptors, peers.
public enum BPF {}

extension BPF {
  /// Which frames a descriptor wants to see. (BIOCSDIRECTION, BIOCSSEESENT: `BPF_D_IN`, `BPF_D_INOUT`, `BPF_D_OUT`)
  public enum Direction: UInt32, Sendable, CaseIterable {
    /// Received frames only; see-sent off.
    case `in` = 0
    /// Received and sent frames; see-sent on. The default.
    case inOut = 1
    /// Sent frames only.
    case out = 2

    /// Whether sent frames are shown.
    public var seesSent: Bool { self != .in }
    /// Whether received frames are shown.
    public var seesReceived: Bool { self != .out }
  }

  /// Which way one frame travels, as seen by the interface: an argument of every tap, never derived from the frame.
  public enum Way: UInt8, Sendable {
    case received = 0
    case sent = 1
  }

  /// What can go wrong with a request; each case is one errno, as BSD has it.
  public enum Failure: Error, Equatable, Sendable {
    /// The descriptor has no interface, or its interface went away (ENXIO).
    case notAttached
    /// The interface went away while the descriptor was attached (ENXIO).
    case departed
    /// No interface of that name (ENXIO).
    case noSuchInterface(String)
    /// The interface is there, but of a kind that cannot be tapped (ENXIO).
    case noTapPoint(String)
    /// A slot or buffer size that cannot be (EINVAL).
    case invalid(String)
    /// Nothing to read, and the descriptor does not wait (EAGAIN).
    case wouldBlock
    /// A signal handler ran while a reader slept; nothing is lost (EINTR).
    case interrupted
    /// The caller's memory cannot be read or written (EFAULT).
    case badAddress
    /// The descriptor is locked, or a program forbids it (EPERM).
    case notPermitted(String)
    /// A frame of so many bytes is shorter than a link header or longer than the interface takes (EMSGSIZE).
    case messageSize(UInt64)
    /// It is too late for that (EBUSY).
    case busy(String)
    /// A mode that there is not (EOPNOTSUPP).
    case notSupported(String)
    /// The caller's list is too short (ENOMEM).
    case noMemory(String)
    /// The caller's room is too small (ENOSPC).
    case noSpace(String)
    /// There is no wait time-out to tell of (ENXIO).
    case noWaitTimeout
    /// No setting of that name (ENOENT).
    case noSuchSetting(String)
    /// A system call failed.
    case system(errno: CInt, call: String)

    /// The error as a C program would see it.
    public var errno: CInt {
      switch self {
      case .notAttached, .departed, .noSuchInterface, .noTapPoint: ENXIO
      case .invalid: EINVAL
      case .wouldBlock: EAGAIN
      case .interrupted: EINTR
      case .badAddress: EFAULT
      case .noWaitTimeout: ENXIO
      case .notPermitted: EPERM
      case .messageSize: EMSGSIZE
      case .busy: EBUSY
      case .notSupported: EOPNOTSUPP
      case .noMemory: ENOMEM
      case .noSpace: ENOSPC
      case .noSuchSetting: ENOENT
      case .system(let errno, _): errno
      }
    }
  }
}
