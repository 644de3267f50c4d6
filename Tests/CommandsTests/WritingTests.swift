// Captures into files: how they are written, and what a disk without space leaves.
import Glibc
import TestSupport
import Testing

struct WritingTests {
  private let wire: Wire
  private let scratch: Scratch
  private let receiver: UDPReceiver
  private let sender: UDPSender

  init() throws {
    wire = try Wire()
    scratch = try Scratch()
    receiver = try UDPReceiver(in: wire.far, port: 9)
    sender = try UDPSender(in: wire.near, to: wire.farEnd.ipv4, port: 9)
  }

  private func number(before what: String, in output: Child.Output) -> Int? {
    output.errorLines.last { $0.contains(what) }.flatMap { Int($0.prefix { $0.isNumber }) }
  }

  /// System calls of write(2) and its like that a process has made.
  private func writes(of child: Child) throws -> Int {
    guard let file = fopen("/proc/\(child.pid)/io", "r") else {
      throw SupportError.system(call: "fopen(io)", errno: errno)
    }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, 256, file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      if text.hasPrefix("syscw:") { return Int(text.filter(\.isNumber)) ?? 0 }
    }
    throw SupportError.system(call: "syscw", errno: ENODATA)
  }

  @Test("frames go to the file by hundreds, never one by one", .timeLimit(.minutes(1)))
  func fewWrites() throws {
    let file = scratch.file("a.pcap")
    let child = try wire.far.capture(["-i", "vb", "-B", "65536", "-w", file, "udp"])
    let before = try writes(of: child)
    let bytes = 24 + 20000 * (16 + 1042)
    try sender.send(20000, size: 1000)
    // The last frames may wait a second for company.
    try #require(eventually { fileSize(file) == bytes }, "\(fileSize(file)) bytes")
    // The file's writes and what the threads tell one another.
    #expect(try writes(of: child) - before < 2000)
    let output = try child.stop()
    #expect(output.status == .exited(0) && output.err.hasSuffix(counts(20000)), "\(output.err)")
  }

  @Test(
    "a disk that gets full ends the capture; the file holds the packets that are said to be captured, whole",
    .timeLimit(.minutes(1)), .needsTool("unshare"))
  func fullDisk() throws {
    let (disk, copy) = (scratch.file("disk"), scratch.file("copy.pcap"))
    mkdir(disk, 0o700)
    // The file system goes with the command that has it.
    let script = """
      mount -t tmpfs -o size=1m small '\(disk)' || exit 99
      '\(Tool.swbpf)' -i vb -w '\(disk)/a.pcap' udp; status=$?
      cp '\(disk)/a.pcap' '\(copy)'; exit $status
      """
    let child = try wire.far.start(["unshare", "--mount", "sh", "-c", script])
    try #require(child.err.waitFor("listening on") != nil)
    let first = sender.next
    try sender.send(3000, size: 1000)
    let output = try child.finish(timeout: 30)
    #expect(output.status == .exited(1), "\(output.err)")
    #expect(output.err.contains("No space left on device (what was written is intact)"), "\(output.err)")
    let captured = try #require(number(before: " captured", in: output))
    #expect(captured > 500 && captured < 1000)
    #expect(try numbers(in: copy) == Array(first..<(first + UInt64(captured))))
    #expect(try #require(number(before: "received by filter", in: output)) >= captured)
  }
}

private func fileSize(_ path: String) -> Int {
  var facts = stat()
  return stat(path, &facts) == 0 ? Int(facts.st_size) : -1
}
