// The daemon with its tunnels.
import Logging
import SwBPFBPF
import SwBPFInterfaces
import SwBPFLiveCapture
import SwBPFPFKey
import SwBPFTunnels

extension Daemon {
  /// Makes the tunnels of the calling thread's network namespace, the socket, and all that the configuration says.
  package convenience init(_ options: Options) throws(Failure) {
    try Self.checkRights()
    let log = Self.logger(options)
    let keys = KeyEngine(now: Self.seconds)
    let taps = BPF.InterfaceTable()
    // Its own interfaces before the system's of the same names. It opens nothing before somebody asks for one of these.
    var ring = RingOptions()
    // Writers are among those who share it.
    ring.prefersLarge = true
    guard let engine = try? CaptureEngine(ring, emulated: taps) else { throw Failure("no engine of captures") }
    let remote = RemoteTaps(engine, limits: options.limits) { engine.statistics(of: $0) }
    try self.init(options, log: log, keys: keys, remote: remote) { () throws(InterfaceFailure) in
      var tunnels = TunnelEngine.Options()
      tunnels.taps = taps
      tunnels.keys = keys
      tunnels.onLog = { severity, text in
        let level: Logger.Level =
          switch severity {
          case .notice: .notice
          case .warning: .warning
          case .error: .error
          }
        log.log(level: level, "\(text)")
      }
      return TunnelService(try TunnelEngine(tunnels), keys)
    }
  }

  /// Reads and checks a file of the configuration, and nothing else. - Throws: all its mistakes, one line each.
  package static func check(_ path: String) throws(Failure) {
    _ = try read(path, TunnelService.initialSettings, nil)
  }
}
