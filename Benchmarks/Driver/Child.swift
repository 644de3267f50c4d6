// A program started by the benchmarks: spawning on one core, CPU time, memory, ending.

import Foundation

/// What stops a measurement; the message is all there is to say.
struct Failure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

func seconds(_ clock: clockid_t) -> Double {
  var time = timespec()
  clock_gettime(clock, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func sleep(seconds: Double) {
  if seconds > 0 { usleep(UInt32(seconds * 1e6)) }
}

/// Reads a file of /proc, whose size is not known before.
func contents(_ path: String) -> String {
  let fd = open(path, O_RDONLY | O_CLOEXEC)
  guard fd >= 0 else { return "" }
  defer { close(fd) }
  return readAll(fd)
}

/// Reads until the end of the file.
func readAll(_ fd: Int32) -> String {
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65536)
  while case let count = read(fd, &chunk, chunk.count), count > 0 { bytes += chunk[..<count] }
  return String(decoding: bytes, as: UTF8.self)
}

/// Where a child's output goes.
enum Output {
  case null
  case file(String)
  case pipe
}

final class Child {
  let pid: pid_t
  /// Real time just before the exec.
  let started: Double
  /// Our end of the child's standard output, when that is a pipe.
  let output: Int32
  /// Our end of the child's standard input, when that is a pipe.
  let input: Int32
  private var reaped = false

  /// Starts `command` on `core`. The core is set on ourselves around the spawn, so that the child starts there and no
  /// helper program adds to its start-up.
  init(_ command: [String], core: Int, input: Bool = false, output: Output = .null, errors: Output = .null) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    var close: [Int32] = []
    defer { for fd in close { Glibc.close(fd) } }

    func connect(_ target: Int32, _ output: Output) -> Int32 {
      switch output {
      case .null:
        posix_spawn_file_actions_addopen(&actions, target, "/dev/null", O_WRONLY, 0)
      case .file(let path):
        posix_spawn_file_actions_addopen(&actions, target, path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
      case .pipe:
        let (read, write) = makePipe()
        posix_spawn_file_actions_adddup2(&actions, write, target)
        close.append(write)
        return read
      }
      return -1
    }
    if input {
      let (read, write) = makePipe()
      posix_spawn_file_actions_adddup2(&actions, read, 0)
      close.append(read)
      self.input = write
    } else {
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
      self.input = -1
    }
    self.output = connect(1, output)
    _ = connect(2, errors)

    // A shell starts its background jobs with SIGINT ignored, and a child would inherit that.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))

    var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid = pid_t()
    var everywhere = cpu_set_t()
    sched_getaffinity(0, MemoryLayout<cpu_set_t>.size, &everywhere)
    var there = cpu_set_t()
    there.__bits.0 = 1 << core
    sched_setaffinity(0, MemoryLayout<cpu_set_t>.size, &there)
    started = seconds(CLOCK_REALTIME)
    let status = posix_spawnp(&pid, command[0], &actions, &attributes, &arguments, environ)
    sched_setaffinity(0, MemoryLayout<cpu_set_t>.size, &everywhere)
    self.pid = pid
    if status != 0 {
      reaped = true
      throw Failure("\(command[0]): \(String(cString: strerror(status)))")
    }
  }

  deinit {
    kill()
    for fd in [input, output] where fd >= 0 { close(fd) }
  }

  /// CPU nanoseconds of all threads that live. Nothing that a reader does per packet may run in a thread that has ended.
  var cpu: Double { cpuNanoseconds(ofThreadsOf: pid) }

  /// How often its threads that live have gone to sleep of their own will so far, which is how often they were woken.
  var wakeUps: Double { sum(overThreadsOf: pid, "status", after: "\nvoluntary_ctxt_switches:") }

  var isRunning: Bool {
    if reaped { return false }
    if waitpid(pid, nil, WNOHANG) == pid { reaped = true }
    return !reaped
  }

  /// Peak memory in bytes, and the part of it that is mapped packet ring. Ring pages that the kernel does not count as
  /// resident are added.
  var memory: (peak: Double, ring: Double) {
    var peak = 0.0
    for line in contents("/proc/\(pid)/status").split(separator: "\n") where line.hasPrefix("VmHWM:") {
      peak = firstNumber(in: line) * 1024
    }
    var ring = 0.0
    var resident = 0.0
    var inRing = false
    for line in contents("/proc/\(pid)/smaps").split(separator: "\n") {
      // A mapping's first line begins with its addresses, its other lines with a capital letter.
      if line.first.map({ !$0.isUppercase }) == true {
        inRing = line.contains("socket:[")
      } else if inRing, line.hasPrefix("Size:") {
        ring += firstNumber(in: line) * 1024
      } else if inRing, line.hasPrefix("Rss:") {
        resident += firstNumber(in: line) * 1024
      }
    }
    return (peak + ring - resident, ring)
  }

  /// Asks the child to end, waits for it, and ends it by force when it does not.
  func end(with signal: Int32 = SIGINT, patience: Double = 5) {
    guard isRunning else { return }
    Glibc.kill(pid, signal)
    let limit = seconds(CLOCK_MONOTONIC) + patience
    while isRunning && seconds(CLOCK_MONOTONIC) < limit { usleep(2000) }
    kill()
  }

  /// The same for a child that has nothing left to do: one that does not end by itself is ended.
  func finish(patience: Double) -> (status: Int32?, cpu: Double) {
    let limit = seconds(CLOCK_MONOTONIC) + patience
    var state = siginfo_t()
    while seconds(CLOCK_MONOTONIC) < limit {
      state = siginfo_t()
      if waitid(P_PID, id_t(pid), &state, WEXITED | WNOHANG | WNOWAIT) == 0 && state.si_signo != 0 { return finish() }
      usleep(5000)
    }
    Glibc.kill(pid, SIGKILL)
    return finish()
  }

  /// Waits for the end: exit status (nil after a signal) and the CPU seconds of the child's whole life.
  func finish() -> (status: Int32?, cpu: Double) {
    var status: Int32 = 0
    var usage = rusage()
    while wait4(pid, &status, 0, &usage) < 0 && errno == EINTR {}
    reaped = true
    let times = [usage.ru_utime, usage.ru_stime].map { Double($0.tv_sec) + Double($0.tv_usec) / 1e6 }
    return (status & 0x7f == 0 ? status >> 8 & 0xff : nil, times[0] + times[1])
  }

  func kill() {
    guard isRunning else { return }
    Glibc.kill(pid, SIGKILL)
    waitpid(pid, nil, 0)
    reaped = true
  }
}

private func makePipe() -> (read: Int32, write: Int32) {
  var ends: [Int32] = [0, 0]
  precondition(pipe2(&ends, O_CLOEXEC) == 0, "no pipe")
  return (ends[0], ends[1])
}

func cpuNanoseconds(ofThreadsOf pid: pid_t) -> Double { sum(overThreadsOf: pid, "schedstat", after: "") }

/// The first number behind `mark` in a file of each thread, added up.
private func sum(overThreadsOf pid: pid_t, _ file: String, after mark: String) -> Double {
  guard let directory = opendir("/proc/\(pid)/task") else { return 0 }
  defer { closedir(directory) }
  var sum = 0.0
  while let entry = readdir(directory) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    guard name.first?.isNumber == true else { continue }
    let text = contents("/proc/\(pid)/task/\(name)/\(file)")
    if mark.isEmpty {
      sum += firstNumber(in: text)
    } else if let range = text.range(of: mark) {
      sum += firstNumber(in: text[range.upperBound...])
    }
  }
  return sum
}

/// The first run of digits; 0 without one.
func firstNumber(in text: some StringProtocol) -> Double {
  Double(text.drop { !$0.isNumber }.prefix { $0.isNumber }) ?? 0
}
