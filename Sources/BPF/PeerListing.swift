// The list of open descriptors, for whoever wants to know what is going on. (sysctl net.bpf.peers)
// Any thread; packets are not held up.
import Glibc

extension BPF {
  /// What is told of one descriptor. (`struct bpf_d_ext`, `struct xbpf_d`)
  public struct Peer: Sendable {
    /// The process that has it.
    public var process: pid_t
    /// Names of the interfaces that it is attached to; none when it is not.
    public var interfaces: [String]
    /// DLT_ number of the frames; nil while it is not attached.
    public var linkType: Int32?
    /// Which frames it is shown. (BIOCGDIRECTION)
    public var direction: Direction
    /// Each record is ready at once. (BIOCIMMEDIATE)
    public var isImmediate: Bool
    /// It keeps an interface in promiscuous mode. (BIOCPROMISC)
    public var isPromiscuous: Bool
    /// It only writes, so taps do not see it.
    public var isWriter: Bool
    /// Frames it writes keep their source address. (BIOCGHDRCMPLT)
    public var isHeaderComplete: Bool
    /// Frames it writes come in again. (BIOCGFEEDBACK)
    public var hasFeedback: Bool
    /// Only harmless requests work. (BIOCLOCK)
    public var isLocked: Bool
    /// A read program is in force. (BIOCSETF)
    public var hasProgram: Bool
    /// Bytes of one buffer, and how many there are.
    public var bufferSize: Int
    public var bufferCount: Int
    /// Bytes that wait to be read.
    public var storedBytes: Int
    /// Its counters, all of one moment.
    public var statistics: Statistics
  }

  /// Every open descriptor of this process: those that only write first, then readers, each newest first.
  public static var peers: [Peer] {
    let all = DescriptorTable.shared.all.reversed().map(\.peer)
    return all.filter(\.isWriter) + all.filter { !$0.isWriter }
  }
}

extension BPF.Descriptor {
  /// What is told of this one.
  var peer: BPF.Peer {
    let (about, device) = lock.withLock { (attachments.filter { !$0.ifnet.isGone }, self.device) }
    return BPF.Peer(
      process: getpid(), interfaces: about.map(\.ifnet.name), linkType: about.first?.interface.linkType,
      direction: direction, isImmediate: isImmediate, isPromiscuous: about.contains(where: \.promiscuous),
      isWriter: about.contains(where: \.isWriter) || (about.isEmpty && device.onlyWrites(configuration.settings)),
      isHeaderComplete: device.isHeaderComplete, hasFeedback: device.feedback != 0, isLocked: device.isLocked,
      hasProgram: about.contains { $0.program != nil }, bufferSize: bufferSize, bufferCount: configuration.slots,
      storedBytes: storedBytes, statistics: statistics)
  }
}
