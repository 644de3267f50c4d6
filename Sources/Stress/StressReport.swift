// What a run knows of itself, while it lasts and at its end.

/// How a run stands at one moment.
package struct StressReading: Sendable {
  package var seconds = 0.0
  /// Frames that the sender sent; 0 on live traffic.
  package var sent: UInt64 = 0
  /// Frames that the ring of the main interface took.
  package var accepted: UInt64 = 0
  /// Frames that each witness looked at.
  package var seen: [UInt64] = []
  /// Frames of live traffic that both witnesses saw alike.
  package var compared: UInt64 = 0
  /// Peers of the storm that were attached and detached.
  package var cycles: UInt64 = 0
  /// Peers of the storm that are attached now.
  package var peers = 0
  package var operations: [StressOperation: UInt64] = [:]
  /// For each storm thread that has made so many, its first decisions as one number: the same for the same seed.
  package var trails: [UInt64] = []
  /// How long attaching (with opening) and detaching took.
  package var attach = Latencies()
  package var detach = Latencies()
  /// The longest pass of the ring thread, ns, with what the scheduler took from it.
  package var longestPass: Int64 = 0
  package var losses = Losses()
  /// Pauses of the sender at which everything was compared.
  package var pauses: UInt64 = 0
  package var model: Model2006.Counts?
  package var broken: [StressCheck: Findings.Broken] = [:]

  package init() {}
}

/// The end of a run.
package struct StressReport: Sendable {
  package var plan: StressPlan
  package var reading: StressReading
  package var isInterrupted: Bool
  /// Bytes of heap more than before.
  package var heapGrowth: Int64 = 0

  package init(plan: StressPlan, reading: StressReading, isInterrupted: Bool) {
    (self.plan, self.reading, self.isInterrupted) = (plan, reading, isInterrupted)
  }

  /// Every check of the engine held. The model of the old design is no part of it.
  package var held: Bool { reading.broken.isEmpty }

  /// 0 only if everything held; a run with the old design's model has to fail.
  package var exitStatus: CInt { held && reading.model == nil ? 0 : 1 }
}
