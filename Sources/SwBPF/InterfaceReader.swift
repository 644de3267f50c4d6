// A reader of one interface: with a ring of this process, or through the daemon of its network namespace.
// Called by users of the library.
public import SwBPFBPF
internal import SwBPFDaemonClient
public import SwBPFLiveCapture

/// Reads an interface through the daemon where one serves it, else with a ring of its own.
///
///     let reader = try InterfaceReader("eth0")
///     print(reader.source)
///     while let batch = try reader.nextSlot(timeout: .seconds(10)) { … }
///
/// Through the daemon the kernel is tapped once, whatever the number of processes that read, and no capability is needed
/// but the daemon's permission.
/// - Threads: one reads; the rest is done on any.
public final class InterfaceReader: Sendable {
  /// Whether the daemon is asked.
  public enum DaemonUse: Sendable {
    /// Where it serves the user; else a ring of its own.
    case preferred
    case only
    case never
  }

  public enum Source: Sendable, Equatable {
    case ownRing
    case daemon(process: Int32)
  }

  public struct Options: Sendable {
    public var daemon = DaemonUse.preferred
    /// The daemon's socket; nil: SWBPF_SOCKET in the environment, else that of the calling thread's network namespace.
    public var socket: String?
    /// Bytes of a batch of records, and how many of them are there to be filled.
    public var slotSize = 256 << 10
    public var slots = 64
    public var filter = FilterExpression("")
    public var direction = BPF.Direction.inOut
    public var hasNanoseconds = true
    /// No frame waits for others.
    public var isImmediate = false
    public var isPromiscuous = false

    public init() {}
  }

  /// Why the daemon does not serve.
  public struct DaemonError: Error, Sendable, CustomStringConvertible {
    public let description: String
  }

  public let source: Source
  public let linkType: Int32
  private let way: Way
  private let isImmediate: Bool

  private enum Way: Sendable {
    case own(BPF.Descriptor, CaptureEngine)
    case remote(RemoteDescriptor)
  }

  /// - Throws: what ``CaptureEngine/attach(_:to:cooked:)`` throws; ``DaemonError`` with ``DaemonUse/only``.
  public init(_ name: String, options: Options = Options()) throws {
    isImmediate = options.isImmediate
    let served: (way: RemoteDescriptor, linkType: Int32)?
    do throws(DaemonFailure) {
      if options.daemon == .never { served = nil } else { served = try Self.open(name, options) }
    } catch {
      if options.daemon == .only { throw DaemonError(description: "\(name): \(error.text)") }
      served = nil
    }
    if let served {
      (way, linkType, source) = (.remote(served.way), served.linkType, .daemon(process: served.way.server))
      try setFilter(options.filter)
      return
    }
    var configuration = BPF.Descriptor.Configuration(
      slotSize: options.slotSize, slots: options.slots, format: .savefile(nanoseconds: options.hasNanoseconds))
    configuration.pushesDown = true
    let (descriptor, engine) = (try BPF.Descriptor(configuration), try CaptureEngine())
    try descriptor.setFilter(options.filter)
    try descriptor.setDirection(options.direction)
    descriptor.setImmediate(options.isImmediate)
    let interface = try engine.interface(named: name)
    try descriptor.attach(to: interface)
    if options.isPromiscuous { try descriptor.setPromiscuous() }
    (way, linkType, source) = (.own(descriptor, engine), interface.linkType, .ownRing)
  }

  deinit { close() }

  /// Attached; it lets nothing in yet.
  private static func open(
    _ name: String, _ options: Options
  ) throws(DaemonFailure) -> (RemoteDescriptor, linkType: Int32) {
    let remote = try RemoteDescriptor(
      DaemonClient(socket: options.socket), slotSize: options.slotSize, slots: options.slots,
      nanoseconds: options.hasNanoseconds)
    try remote.refuseAll()
    try remote.change(options.direction)
    let linkType = try remote.attach(to: name).linkType
    if options.isPromiscuous { try remote.setPromiscuous() }
    if options.isImmediate { try remote.setImmediate(true) }
    return (remote, linkType)
  }

  // MARK: Reading

  /// As ``BPF/Descriptor/nextSlot(timeout:)``. - Throws: ENXIO also when the daemon is gone and everything has been read.
  public func nextSlot(timeout: Duration? = nil) throws(BPF.Failure) -> BPF.Slot? {
    switch way {
    case .own(let descriptor, _): return try descriptor.nextSlot(timeout: timeout)
    case .remote(let remote): return try remote.nextSlot(timeout: timeout, isImmediate: isImmediate)
    }
  }

  /// Counters; of a daemon that is gone, the last ones.
  public var statistics: BPF.Statistics {
    switch way {
    case .own(let descriptor, _): descriptor.statistics
    case .remote(let remote): remote.state.statistics
    }
  }

  // MARK: Changing

  /// Holds for every frame after it.
  public func setDirection(_ direction: BPF.Direction) throws {
    switch way {
    case .own(let descriptor, _): try descriptor.setDirection(direction)
    case .remote(let remote): try asked { () throws(DaemonFailure) in try remote.change(direction) }
    }
  }

  /// What is stored is discarded.
  public func setFilter(_ filter: FilterExpression) throws {
    switch way {
    case .own(let descriptor, _): try descriptor.setFilter(filter)
    case .remote(let remote):
      let program = try filter.program(linkType: linkType)
      try asked { () throws(DaemonFailure) in try remote.setProgram(program, flushing: true) }
    }
  }

  private func asked(_ body: () throws(DaemonFailure) -> Void) throws(DaemonError) {
    do throws(DaemonFailure) { try body() } catch { throw DaemonError(description: error.text) }
  }

  /// No more frames come in; what is stored is discarded.
  public func close() {
    switch way {
    case .own(let descriptor, let engine):
      descriptor.detach()
      engine.close()
    case .remote(let remote): remote.shut()
    }
  }
}
