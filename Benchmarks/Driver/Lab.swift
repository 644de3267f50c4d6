// The interfaces and the traffic: a veth pair in the network namespace that the driver was started in, and the
// generator that sends from g0 to c0.

import Foundation

/// Rates and sizes of one kind of traffic.
struct Traffic {
  var size: Int
  /// Frames per second; nil is as fast as possible.
  var rate: Int?
  var count: Int

  var name: String { "\(size)B-" + (rate.map { $0 % 1000 == 0 ? "\($0 / 1000)kpps" : "\($0)pps" } ?? "max") }
}

/// What the generator said at its end.
struct Sent {
  /// Frames that reached the capturing interface.
  var delivered: Double
  var seconds: Double
  /// Monotonic time of the last frame, in seconds.
  var end: Double
}

struct Lab {
  /// The interface to capture on.
  let interface = "c0"
  /// The interface that frames are sent out of.
  let sender = "g0"
  private let generator: String
  /// Why the slow way of sending is used; nil when XDP works.
  private(set) var fallback: String?

  init(options: Options) throws {
    generator = options.tools + "/generator"
    for path in ["/proc/sys/net/ipv6/conf/all/disable_ipv6", "/proc/sys/net/ipv6/conf/default/disable_ipv6"] {
      // No neighbour discovery among the frames. Without IPv6 there is no such file.
      try? "1".write(toFile: path, atomically: false, encoding: .utf8)
    }
    try Lab.run(["ip", "link", "add", sender, "type", "veth", "peer", "name", interface])
    // Gives the receiving end the NAPI that live frames need.
    try Lab.run(["ethtool", "-K", interface, "gro", "on"])
    for name in [sender, interface] { try Lab.run(["ip", "link", "set", name, "up"]) }
    if options.socket {
      fallback = "asked for"
      return
    }
    let trial = try? send(Traffic(size: 64, rate: nil, count: 20000))
    if trial?.delivered != 20000 { fallback = "live XDP frames do not arrive" }
  }

  private static func run(_ command: [String]) throws {
    let child = try Child(command, core: 0)
    var status: Int32 = 0
    waitpid(child.pid, &status, 0)
    if status != 0 { throw Failure("failed: " + command.joined(separator: " ")) }
  }

  /// A generator that is ready and waits for ``Generator/go()``.
  ///
  /// - Parameter shown: captures on the sending interface see the frames. Slower.
  /// - Parameter ports: the first of the destination ports that the frames have in turn, their number and distance; port 9
  ///   unless told.
  func prepare(
    _ traffic: Traffic, shown: Bool = false, ports: (first: Int, count: Int, step: Int)? = nil
  ) throws -> Generator {
    var command = [
      generator, "--out", sender, "--peer", interface, "--wait", "--size", "\(traffic.size)", "--count",
      "\(traffic.count)", "--pps", traffic.rate.map(String.init) ?? "max",
    ]
    if let ports {
      command += ["--port", "\(ports.first)", "--ports", "\(ports.count)", "--step", "\(ports.step)"]
    }
    if shown { command.append("--shown") } else if fallback != nil { command.append("--socket") }
    return try Generator(command)
  }

  func send(_ traffic: Traffic) throws -> Sent {
    let generator = try prepare(traffic)
    generator.go()
    return try generator.result()
  }

  /// Waits until `child` has a running packet socket on the interface, or on another one. The namespace is ours, so any such socket is
  /// the child's.
  func waitUntilCapturing(_ child: Child, on other: String? = nil, patience: Double = 10) -> Bool {
    let index = if_nametoindex(other ?? interface)
    let limit = seconds(CLOCK_MONOTONIC) + patience
    while child.isRunning && seconds(CLOCK_MONOTONIC) < limit {
      for line in contents("/proc/net/packet").split(separator: "\n").dropFirst() {
        // sk RefCnt Type Proto Iface R ...
        let fields = line.split(separator: " ")
        if fields.count > 5, fields[4] == "\(index)", fields[5] == "1" { return true }
      }
      usleep(5000)
    }
    return false
  }
}

final class Generator {
  private let child: Child
  /// Its CPU time before the first frame.
  private let idle: Double

  fileprivate init(_ command: [String]) throws {
    child = try Child(command, core: 0, input: true, output: .pipe)
    var word = [UInt8](repeating: 0, count: 6)
    guard read(child.output, &word, word.count) == word.count else { throw Failure("the generator did not start") }
    idle = child.cpu
  }

  func go() { _ = write(child.input, "\n", 1) }

  var isRunning: Bool { child.isRunning }

  /// Waits for the end.
  func result() throws -> Sent {
    let line = readAll(child.output)
    var values: [Substring: Double] = [:]
    for field in line.split(whereSeparator: \.isWhitespace) {
      let pair = field.split(separator: "=")
      if pair.count == 2 { values[pair[0]] = Double(pair[1]) }
    }
    guard let delivered = values["delivered"], let seconds = values["seconds"], let end = values["end_ns"],
      let cpu = values["cpu_ns"]
    else { throw Failure("the generator failed") }
    used = (cpu - idle) / 1e9
    return Sent(delivered: delivered, seconds: seconds, end: end / 1e9)
  }

  /// Ends it before its time.
  func stop() { child.kill() }

  /// CPU seconds spent on sending; known after ``result()``.
  private(set) var used = 0.0
}
