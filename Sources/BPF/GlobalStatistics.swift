// What all descriptors together have counted. (sysctl net.bpf.stats)

extension BPF {
  /// The sum over every descriptor that this process has had, open or closed; never reset. (`struct bpf_stat` of NetBSD)
  public struct GlobalStatistics: Sendable, Equatable {
    /// Shown to a descriptor and not hidden by its direction. (`bs_recv`)
    public internal(set) var received: UInt64 = 0
    /// Captured, but lost because every buffer was full. (`bs_drop`)
    public internal(set) var dropped: UInt64 = 0
    /// Accepted by a descriptor's program. (`bs_capt`)
    public internal(set) var captured: UInt64 = 0

    mutating func add(_ counters: Statistics) {
      received &+= counters.received
      dropped &+= counters.dropped
      captured &+= counters.captured
    }

    mutating func add(_ more: GlobalStatistics) {
      received &+= more.received
      dropped &+= more.dropped
      captured &+= more.captured
    }
  }

  /// The counts of now. Packets are not held up, and no descriptor is counted twice or missed while it closes.
  public static var globalStatistics: GlobalStatistics { DescriptorTable.shared.statistics }
}
