// A pseudo-terminal with a session of its own, for programs that care whether they are at a terminal.
import CPcapShim
import Glibc

/// A terminal and the program that leads its session, usually a shell; what it shows is read as it comes.
package final class Pty: Sendable {
  /// What the terminal shows: standard output and standard error of its programs, and the echo of what is typed.
  package let screen: ChildStream
  package let child: Child
  private let master: CInt
  private let slave: CInt

  /// Starts a program as the leader of a new session whose controlling terminal this is, in the foreground.
  /// The namespace is that of `host`.
  package init(in host: Host, _ command: [String], environment: [String: String] = [:]) throws {
    var (master, slave): (CInt, CInt) = (-1, -1)
    try check("openpty") { openpty(&master, &slave, nil, nil, nil) }
    for end in [master, slave] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let terminal = Child.Input.descriptor(slave)
    do {
      // setsid(1) makes the session and takes the terminal on standard input for it.
      child = try host.inside {
        try Child(
          ["setsid", "--ctty", "--wait"] + command, input: terminal, output: .descriptor(slave),
          errors: .descriptor(slave), environment: environment)
      }
    } catch {
      close(master)
      close(slave)
      throw error
    }
    self.master = master
    self.slave = slave
    screen = ChildStream(dup(master))
  }

  deinit {
    child.signal(SIGKILL)
    close(slave)
    close(master)
  }

  /// Types.
  package func type(_ text: String) throws {
    try check("write(pty)") { Glibc.write(master, text, text.utf8.count) }
  }

  /// Whether the terminal hands over whole lines and echoes them, as a shell's children expect it.
  package var isCooked: Bool {
    var settings = termios()
    guard tcgetattr(slave, &settings) == 0 else { return false }
    return settings.c_lflag & tcflag_t(ICANON | ECHO | ISIG) == tcflag_t(ICANON | ECHO | ISIG)
  }

  /// Every setting of the terminal, to be compared.
  package var settings: [UInt8] {
    var settings = termios()
    guard tcgetattr(slave, &settings) == 0 else { return [] }
    return withUnsafeBytes(of: settings) { Array($0) }
  }

  /// The group in the foreground.
  package var foreground: pid_t { tcgetpgrp(master) }
}
