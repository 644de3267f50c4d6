// A process started by a test. It inherits the network namespace of the thread that starts it, and is gone with its object.
import Glibc

package final class Child: Sendable {
  package enum Input: Sendable {
    case null, pipe
    case file(String)
    case descriptor(CInt)
  }
  package enum Sink: Sendable {
    case null, pipe
    case file(String)
    case descriptor(CInt)
  }
  package enum Status: Equatable, Sendable {
    case exited(CInt)
    case signaled(CInt)
  }

  package struct Output: Sendable {
    package let status: Status
    package let out: String
    package let err: String
  }

  package let command: [String]
  package let pid: pid_t
  /// What the process writes to standard output and standard error, read as it comes (`.pipe` only).
  package let out: ChildStream
  package let err: ChildStream
  private let input: InputPipe
  private let ending: Ending

  /// Starts a process. Its signals are at their defaults, whatever the test process ignores or blocks.
  package init(
    _ command: [String], input: Input = .null, output: Sink = .pipe, errors: Sink = .pipe,
    environment: [String: String] = [:]
  ) throws {
    guard let path = Tool.path(command[0]) else { throw SupportError.noTool(command[0]) }
    // A child that ended must not take the tests with it when they write to it.
    _ = Glibc.signal(SIGPIPE, SIG_IGN)
    var ours: [CInt] = []
    var theirs: [(CInt, close: Bool)] = []
    defer { for case (let descriptor, true) in theirs { close(descriptor) } }

    func openPipe(childReads: Bool) throws -> CInt {
      var ends: [CInt] = [-1, -1]
      try check("pipe") { pipe2Cloexec(&ends) }
      theirs.append((ends[childReads ? 0 : 1], true))
      return ends[childReads ? 1 : 0]
    }
    func openFile(_ path: String, _ flags: CInt) throws -> CInt {
      theirs.append((try check("open(\(path))") { open(path, flags | O_CLOEXEC, 0o644) }, true))
      return -1
    }
    do {
      switch input {
      case .null: ours.append(try openFile("/dev/null", O_RDONLY))
      case .pipe: ours.append(try openPipe(childReads: true))
      case .file(let path): ours.append(try openFile(path, O_RDONLY))
      case .descriptor(let descriptor):
        theirs.append((descriptor, false))
        ours.append(-1)
      }
      for sink in [output, errors] {
        switch sink {
        case .null: ours.append(try openFile("/dev/null", O_WRONLY))
        case .pipe: ours.append(try openPipe(childReads: false))
        case .file(let path): ours.append(try openFile(path, O_WRONLY | O_CREAT | O_TRUNC))
        case .descriptor(let descriptor):
          theirs.append((descriptor, false))
          ours.append(-1)
        }
      }
      pid = try spawn(path, command, descriptors: theirs.map(\.0), environment: environment)
    } catch {
      for descriptor in ours where descriptor >= 0 { close(descriptor) }
      throw error
    }
    self.command = command
    self.input = InputPipe(ours[0])
    out = ChildStream(ours[1])
    err = ChildStream(ours[2])
    ending = Ending(pid)
  }

  deinit {
    ending.signal(SIGKILL)
    _ = ending.wait(upTo: 10)
  }

  package var isRunning: Bool { ending.wait(upTo: 0) == nil }

  /// Sends a signal; nothing happens to a process that has ended.
  package func signal(_ number: CInt) { ending.signal(number) }

  /// Writes to the process's standard input (`.pipe`); a process that ended does not care.
  package func write(_ text: String) { input.write(Array(text.utf8)) }
  package func write(_ bytes: [UInt8]) { input.write(bytes) }
  package func closeInput() { input.close() }

  /// Waits for the end; nil when it has not come in time (the process goes on).
  package func wait(timeout: Double) -> Status? { ending.wait(upTo: timeout) }

  /// Waits for the end and for the last of the output. One that does not end in time is killed, and that is an error.
  @discardableResult
  package func finish(timeout: Double = 30) throws -> Output {
    guard let status = wait(timeout: timeout) else {
      ending.signal(SIGKILL)
      throw SupportError.timeout(command, seconds: timeout)
    }
    // The output may outlive the process in a grandchild's hands: do not wait for that for ever.
    _ = out.waitForEnd(timeout: 5)
    _ = err.waitForEnd(timeout: 5)
    return Output(status: status, out: out.text, err: err.text)
  }

  /// Signals, then waits for the end: `stop()` is what Ctrl-C does.
  @discardableResult
  package func stop(_ number: CInt = SIGINT, timeout: Double = 30) throws -> Output {
    ending.signal(number)
    return try finish(timeout: timeout)
  }
}

/// Standard input of a child, from our side.
private final class InputPipe: @unchecked Sendable {
  private let monitor = Monitor()
  private var descriptor: CInt

  init(_ descriptor: CInt) { self.descriptor = descriptor }
  deinit { close() }

  func write(_ bytes: [UInt8]) {
    monitor.withLock {
      var done = 0
      while descriptor >= 0, done < bytes.count {
        let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done) }
        if count < 0 && errno != EINTR { return }
        done += max(0, count)
      }
    }
  }

  func close() {
    monitor.withLock {
      if descriptor >= 0 { Glibc.close(descriptor) }
      descriptor = -1
    }
  }
}

/// How a child ended, noted by a thread that waits for it, so that there never is a zombie.
private final class Ending: @unchecked Sendable {
  private let pid: pid_t
  private let monitor = Monitor()
  private var status: Child.Status?

  init(_ pid: pid_t) {
    self.pid = pid
    pthread_detach(startThread { self.reap() })
  }

  private func reap() {
    // WNOWAIT: the number stays taken until `status` is set, so that `signal` can never hit a stranger.
    var info = siginfo_t()
    while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
    monitor.withLock {
      var raw: CInt = 0
      while waitpid(pid, &raw, 0) < 0 && errno == EINTR {}
      status = raw & 0x7f == 0 ? .exited((raw >> 8) & 0xff) : .signaled(raw & 0x7f)
      monitor.changed()
    }
  }

  func signal(_ number: CInt) {
    monitor.withLock {
      if status == nil { kill(pid, number) }
    }
  }

  func wait(upTo seconds: Double) -> Child.Status? {
    monitor.withLock {
      _ = monitor.wait(upTo: seconds) { status != nil }
      return status
    }
  }
}

/// pipe2 is not in Swift's Glibc. Between the two calls another thread may start a child, which then holds an end of the
/// pipe open: starting is one at a time for that reason.
private let starting = Monitor()

private func pipe2Cloexec(_ ends: inout [CInt]) -> CInt {
  starting.withLock {
    guard pipe(&ends) == 0 else { return -1 }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return 0
  }
}

private func spawn(
  _ path: String, _ command: [String], descriptors: [CInt], environment: [String: String]
) throws -> pid_t {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  for (target, descriptor) in descriptors.enumerated() {
    posix_spawn_file_actions_adddup2(&actions, descriptor, CInt(target))
  }

  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var every = sigset_t()
  sigfillset(&every)
  var none = sigset_t()
  sigemptyset(&none)
  posix_spawnattr_setsigdefault(&attributes, &every)
  posix_spawnattr_setsigmask(&attributes, &none)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

  var settings: [String] = []
  var entry = environ
  while let text = entry.pointee {
    let setting = String(cString: text)
    let name = String(setting.prefix { $0 != "=" })
    if environment[name] == nil { settings.append(setting) }
    entry += 1
  }
  settings += environment.map { "\($0.key)=\($0.value)" }

  var arguments = command.map { strdup($0) } + [nil]
  var variables = settings.map { strdup($0) } + [nil]
  defer { for text in arguments + variables { free(text) } }
  var pid: pid_t = 0
  let error = starting.withLock { posix_spawn(&pid, path, &actions, &attributes, &arguments, &variables) }
  if error != 0 { throw SupportError.system(call: "posix_spawn(\(path))", errno: error) }
  return pid
}
