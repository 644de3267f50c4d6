import Glibc
import Testing

@testable import SwBPFCommands
@testable import TestSupport

@Suite("Nobody else's control", .needsNamespaces, .needsTool("python3"))
struct HostileClientTests {
  let wire: Wire
  let scratch: Scratch

  init() throws {
    wire = try Wire()
    scratch = try Scratch()
  }

  /// Python that finds its own start time and the directory of control sockets.
  private func preamble(_ directory: String) -> String {
    """
    import os, socket, sys, time, random
    d = "\(directory)"
    start = open("/proc/self/stat").read().rpartition(")")[2].split()[19]
    own = "%s/%d-%s.sock" % (d, os.getpid(), start)
    def listen(path):
        s = socket.socket(socket.AF_UNIX)
        s.bind(path)
        s.listen(64)
        return s

    """
  }

  @Test(
    "captures of two users: neither lists, toggles or fakes the other's; root sees both", .timeLimit(.minutes(1)),
    .needsOtherUsers)
  func twoUsers() throws {
    let (one, two) = (try OtherUser(4711, in: scratch), try OtherUser(4712, in: scratch))
    let first = try one.capture(in: wire.near, ["-i", "va", "-w", "/dev/null"])
    let second = try two.capture(in: wire.near, ["-i", "va", "-w", "/dev/null"])
    let mine = try one.swbpf(in: wire.near, ["peers", "--json"])
    #expect(mine.out.contains("\"pid\":\(first.pid),\"uid\":4711,"), "\(mine.out)\(mine.err)")
    #expect(!mine.out.contains("\(second.pid)"))

    // Without a name he means his own; the other's is refused, whatever place he looks in.
    #expect(try one.swbpf(in: wire.near, ["see-sent", "off"]).out.hasPrefix("\(first.pid): see-sent off"))
    let refused = try one.swbpf(in: wire.near, ["see-sent", "off", "--pid", "\(second.pid)"])
    #expect(refused.status == .exited(1) && refused.err.contains("owned by 4712"), "\(refused.err)")
    let name = try #require(ControlEndpoint.all().first { $0.name.pid == second.pid })
    let path = "\(two.runtime)/swbpf/\(name.name.file)"
    let knock = try one.run(
      in: wire.near, ["python3", "-c", "import socket; socket.socket(socket.AF_UNIX).connect('\(path)')"])
    #expect(knock.status != .exited(0) && knock.err.contains("PermissionError"), "\(knock.err)")
    // Even if the directory were open: who may connect is asked who he is.
    let opened = try wire.near.run(["sh", "-c", "chmod 755 \(two.runtime) \(two.runtime)/swbpf; chmod 666 \(path)"])
    #expect(opened.status == .exited(0))
    let ask = """
      import socket
      s = socket.socket(socket.AF_UNIX)
      s.connect('\(path)')
      try:
          s.sendall(b"swbpf/1 see-sent off\\n")
          print(s.recv(100))
      except (BrokenPipeError, ConnectionResetError):
          print(b"")
      """
    #expect(try one.run(in: wire.near, ["python3", "-c", ask]).out == "b''\n")
    // And his own client looks into no directory that others may enter.
    let careful = try two.swbpf(in: wire.near, ["peers", "--json"])
    #expect(careful.out == "[]\n")
    _ = try wire.near.run(["sh", "-c", "chmod 700 \(two.runtime) \(two.runtime)/swbpf"])

    let all = try wire.near.swbpf(["peers", "--json"]).out
    #expect(all.contains("\"pid\":\(first.pid),\"uid\":4711,") && all.contains("\"pid\":\(second.pid),\"uid\":4712,"))
    #expect(all.split(separator: "\n").contains { $0.contains("\(second.pid)") && $0.contains("\"see_sent\":true") })
    #expect(try wire.near.swbpf(["direction", "in", "--pid", "\(second.pid)"]).status == .exited(0))
    #expect(try first.stop().status == .exited(0))
    #expect(try second.stop().status == .exited(0))
  }

  @Test(
    "a capture of root answers nobody else: owned by root, and the command that would", .timeLimit(.minutes(1)),
    .needsOtherUsers)
  func ownedByRoot() throws {
    let user = try OtherUser(4711, in: scratch)
    let child = try wire.near.capture(["-i", "va", "-w", "/dev/null"])
    for words in [["see-sent", "off"], ["direction", "in", "--pid", "\(child.pid)"], ["filter", "tcp port 80"]] {
      let output = try user.swbpf(in: wire.near, words)
      let quoted = words.map { $0.contains(" ") ? "'\($0)'" : $0 }.joined(separator: " ")
      #expect(output.status == .exited(1) && output.out.isEmpty)
      #expect(output.err == "swbpf: owned by root: sudo swbpf \(quoted)\n")
    }
    #expect(try child.endpoint().status?.text("direction") == "inout")
    // The socket of a capture that became another user stays root's.
    try child.stop()
    let other = try wire.near.capture(["-i", "va", "-Z", "nobody", "-w", "/dev/null"])
    #expect(try wire.near.swbpf(["direction", "in", "--pid", "\(other.pid)"]).status == .exited(0))
    try other.stop()
    #expect(try wire.near.swbpf(["peers", "--json"]).out == "[]\n")
  }

  @Test(
    "planted sockets, dead ones, links and liars are left out, and change nothing for others", .timeLimit(.minutes(1)))
  func planted() throws {
    let child = try wire.near.capture(["-i", "va", "-w", "/dev/null"])
    let endpoint = try child.endpoint()
    let directory = endpoint.directory.path
    let real = endpoint.name.file
    let script =
      preamble(directory) + """
        open(d + "/7-7.sock", "w").close()
        os.symlink("\(real)", d + "/8-8.sock")
        listen(d + "/9-9.sock").close()
        liar = listen(d + "/%d-1.sock" % os.getpid())
        other = listen(d + "/\(child.pid)-1.sock")
        mute = listen(own)
        os.symlink("/etc", d + "/10-10.sock")
        open(d + "/..-\\x1b[2J.sock", "w").close()
        print("ready", flush=True)
        sys.stdin.read()
        """
    let liar = try wire.near.start(["python3", "-c", script], input: .pipe)
    #expect(liar.out.waitFor("ready") != nil)
    let start = monotonicSeconds()
    let output = try wire.near.swbpf(["peers", "--json"])
    #expect(monotonicSeconds() - start < 5)
    let rows = output.lines.filter { $0.hasPrefix("{") }
    #expect(rows.count == 2, "\(output.out)")
    #expect(rows.contains { $0.hasPrefix("{\"pid\":\(child.pid),") && $0.contains("\"answers\":true") })
    // One that listens and never answers is a capture that does not answer, for all that can be known.
    #expect(rows.contains { $0.hasPrefix("{\"pid\":\(liar.pid),") && $0.contains("\"answers\":false") })
    #expect(output.err.contains("7-7.sock: left out") && output.err.contains("8-8.sock: left out"), "\(output.err)")
    #expect(!output.out.contains("\u{1b}") && !output.err.contains("\u{1b}"))
    #expect(!endpoint.directory.names.contains("9-9.sock"))
    #expect(try wire.near.swbpf(["see-sent", "off", "--pid", "\(child.pid)"]).status == .exited(0))
    liar.closeInput()
    try liar.finish()
    try child.stop()
    for name in endpoint.directory.names { endpoint.directory.remove(name) }
  }

  @Test(
    "an answer that is endless, garbage, late or full of commands for the terminal does no harm",
    .timeLimit(.minutes(1)))
  func badServers() throws {
    let child = try wire.near.capture(["-i", "va", "-w", "/dev/null"])
    let directory = try child.endpoint().directory.path
    let script =
      preamble(directory) + """
        s = listen(own)
        s.settimeout(30)
        print("ready", flush=True)
        answers = [b"swbpf/1 ok\\n" + b"x" * (1 << 20), b"\\0\\xff\\n\\n", b"", b"swbpf/1 ok",
                   b"swbpf/1 ok\\ninterface=\\x1b[2Jevil\\tfilter=%1b]0;x%07\\tcaptured=5\\n"]
        for answer in answers:
            c, _ = s.accept()
            c.recv(100)
            try:
                c.sendall(answer)
            except OSError:
                pass
            c.close()
        c, _ = s.accept()
        c.recv(100)
        try:
            for i in range(400):
                c.sendall(b"s")
                time.sleep(0.02)
        except OSError:
            pass
        """
    let liar = try wire.near.start(["python3", "-c", script])
    #expect(liar.out.waitFor("ready") != nil)
    for (reason, lines) in [("too long", 2), ("no answer", 2), ("no answer within", 3), ("no answer", 2)] {
      let output = try wire.near.swbpf(["peers"])
      #expect(output.status == .exited(0) && output.err.contains(reason), "\(output.err)")
      #expect(output.lines.count == lines, "\(output.out)")
    }
    let output = try wire.near.swbpf(["peers"])
    #expect(output.out.contains("\\x1b[2Jevil") && output.out.contains("\\x1b]0;x\\x07"), "\(output.out)")
    #expect(!output.out.contains("\u{1b}") && !output.out.contains("\u{7}"))
    let start = monotonicSeconds()
    let slow = try wire.near.swbpf(["peers"])
    #expect(slow.err.contains("no answer within a second") && monotonicSeconds() - start < 5)
    liar.signal(SIGKILL)
    try child.stop()
    _ = try wire.near.swbpf(["peers"])
  }

  @Test("a directory that is a link, or another user's, is not used", .timeLimit(.minutes(1)), .needsOtherUsers)
  func directories() throws {
    let (one, two) = (try OtherUser(4711, in: scratch), try OtherUser(4712, in: scratch))
    func arrange(_ words: String) throws {
      let output = try wire.near.run(["sh", "-ec", "rm -rf \(one.runtime)/swbpf; \(words)"])
      try #require(output.status == .exited(0), "\(output.err)")
    }
    let there = try two.capture(in: wire.near, ["-i", "va", "-w", "/dev/null"])
    for words in [
      "ln -s \(two.runtime)/swbpf \(one.runtime)/swbpf; chown -h 4711 \(one.runtime)/swbpf",
      "mkdir -m 700 \(one.runtime)/swbpf; chown 4712 \(one.runtime)/swbpf",
      "mkdir -m 777 \(one.runtime)/swbpf; chown 4711 \(one.runtime)/swbpf",
    ] {
      try arrange(words)
      let child = try one.capture(in: wire.near, ["-i", "va", "-w", "/dev/null"], saying: "no control socket")
      #expect(child.err.waitFor("listening on") != nil)
      #expect(try one.swbpf(in: wire.near, ["peers", "--json"]).out == "[]\n")
      let all = try wire.near.swbpf(["peers", "--json"]).out
      #expect(all.split(separator: "\n").filter { $0.hasPrefix("{") }.count == 1 && all.contains("\(there.pid)"))
      #expect(try child.stop().status == .exited(0))
    }
    try arrange("true")
    try there.stop()
  }

  @Test(
    "100 broken clients at work: no packet is lost, and the one who asks properly is answered", .timeLimit(.minutes(2)))
  func hammered() throws {
    let receiver = try UDPReceiver(in: wire.far, port: 9)
    let file = scratch.file("a.pcap")
    let child = try wire.far.capture(["-i", "vb", "-w", file, "udp port 9"])
    let endpoint = try child.endpoint()
    let enough = scratch.file("enough")
    // A sanitizer makes the server ten times slower and more; a flood that stays as fast keeps everybody else out.
    let rest = Requirement.sanitizer == nil ? 0.001 : 0.05
    let script =
      preamble(endpoint.directory.path) + """
        path = d + "/\(endpoint.name.file)"
        kinds = [b"", b"swbpf/1 sta", b"\\0" * 70000, os.urandom(4000), b"swbpf/1 status\\n" * 50, b"\\n", b"swbpf/1 filter " + b"(" * 500 + b"\\n"]
        clients = {}
        made = 0
        random.seed(1)
        print("ready", flush=True)
        begin = time.time()
        while time.time() < begin + 40 and (time.time() < begin + 4 or not os.path.exists("\(enough)")):
            for i in range(100):
                c = clients.get(i)
                if c is None:
                    c = socket.socket(socket.AF_UNIX)
                    c.setblocking(False)
                    try:
                        c.connect(path)
                        made += 1
                    except BlockingIOError:
                        c.close()
                        continue
                    clients[i] = c
                try:
                    c.send(random.choice(kinds))
                except OSError:
                    pass
                if random.random() < 0.3:
                    c.close()
                    clients[i] = None
            time.sleep(\(rest))
        print("made", made)
        """
    let broken = try wire.far.start(["python3", "-c", script])
    #expect(broken.out.waitFor("ready") != nil)
    let sender = try UDPSender(in: wire.near, to: wire.farEnd.ipv4, port: 9)
    var answered = 0
    var asked = 0
    while broken.isRunning && asked < 1000 {
      try sender.send(200)
      asked += 1
      if endpoint.status != nil {
        if answered == 0 { _ = try wire.near.run(["touch", enough]) }
        answered += 1
      }
      pause(0.01)
    }
    // The flood is taken at a bounded rate, so one in the queue may have to ask again; it goes on until one was answered.
    #expect(answered > 0, "\(answered) of \(asked)")
    let output = try broken.finish()
    let made = output.out.split(separator: " ").last.flatMap { Int($0.dropLast()) } ?? 0
    #expect(output.status == .exited(0) && made > 100, "\(output.out)\(output.err)")
    // What the flood left in the queue is taken at that rate, too.
    #expect(try eventually(within: 20) { try wire.far.swbpf(["filter", "udp"]).status == .exited(0) })
    try sender.send(1)
    let end = try child.stop()
    #expect(end.status == .exited(0))
    #expect(end.err.hasSuffix(counts(Int(sender.next))), "\(end.err.suffix(200))")
    #expect(try numbers(in: file) == Array(0..<sender.next))
    withExtendedLifetime(receiver) {}
  }
}
