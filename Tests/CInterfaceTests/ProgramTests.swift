// C programs that use the installed library, each in a host with a cable from itself to itself.
import Glibc
import Testing

@testable import TestSupport

@Suite("C programs", .needsNamespaces, .needsTool("pkg-config"))
struct ProgramTests {
  private func run(
    _ name: String, as program: String? = nil, _ options: [String] = [], _ arguments: [String] = [],
    checked: Bool = false
  ) throws -> Child.Output {
    let staged = try (checked ? Staged.checked : Staged.library).get()
    let program = try staged.compile(Staged.programs + "/\(name).c", as: program ?? name, options)
    return try staged.start(program, ["va", "vb"] + arguments, in: loop()).finish(timeout: 120)
  }

  private func expectSuccess(_ output: Child.Output, _ last: String) {
    #expect(output.status == .exited(0) && output.out.hasSuffix(last), "\(output)")
  }

  @Test(
    "a program opens, binds, filters, polls, reads and writes with the header alone", .timeLimit(.minutes(20)),
    arguments: ["FREEBSD", "NETBSD", "OPENBSD"])
  func example(system: String) throws {
    expectSuccess(try run("example", as: "example-\(system)", ["-DSWBPF_\(system)"]), "example: ok\n")
  }

  @Test(
    "a device lives as a file does: closed under a reader, interrupted, in namespaces, with nothing left over",
    .timeLimit(.minutes(20)), arguments: [false, true])
  func life(checked: Bool) throws {
    expectSuccess(try run("life", ["-pthread", "-D_GNU_SOURCE"], checked: checked), "life: ok\n")
  }

  @Test(
    "libpcap's BSD back end gets every answer it waits for, FreeBSD's way and NetBSD's", .timeLimit(.minutes(20)),
    arguments: ["freebsd", "netbsd"])
  func libpcapOrder(system: String) throws {
    let staged = try Staged.library.get()
    let options = system == "netbsd" ? ["-DSWBPF_NETBSD"] : []
    let program = try staged.compile(Staged.programs + "/libpcap-order.c", as: "order-\(system)", options)
    let host = try loop()
    let child = try staged.start(program, ["va", "vb"], in: host)
    // It sleeps in a read now, or will in a moment: the interface goes either way.
    if child.out.waitFor("ready", timeout: 60) != nil { try host.ip("link del va") }
    expectSuccess(try child.finish(timeout: 60), "libpcap-order: ok\n")
  }

  @Test(
    "arguments that no program should pass bring errnos only", .timeLimit(.minutes(20)), arguments: 1...3,
    [false, true])
  func hostile(seed: Int, checked: Bool) throws {
    let rounds = Requirement.short ? 500 : 3000
    let output = try run("hostile", ["-pthread"], ["\(seed)", "\(rounds)"], checked: checked)
    expectSuccess(output, "hostile: ok\n")
  }

  @Test("the example of the README prints what arrives, until the interface goes", .timeLimit(.minutes(20)))
  func readme() throws {
    let staged = try Staged.library.get()
    let text = try succeed(["cat", Staged.project + "/README.md"])
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let from = try #require(lines.firstIndex(of: "```c"))
    let example = lines[(from + 1)...].prefix { $0 != "```" }.joined(separator: "\n") + "\n"
    #expect(example.contains("\"eth0\""))
    let folder = try Scratch()
    let program = try staged.compile(folder.file("watch.c", holding: example), as: "watch")
    let (near, far) = (try Host("near"), try Host("far"))
    let (_, farEnd) = try Host.link(near, "va", far, "eth0")
    let receiver = try UDPReceiver(in: far, port: 9)
    let sender = try UDPSender(in: near, to: farEnd.ipv4, port: 9)
    // Line by line, or what it prints would stay in it until its end.
    let child = try staged.start("stdbuf", ["-oL", program], in: far)
    var sent = 0
    while sent < 1000 && child.out.bytes.isEmpty {
      try sender.send(1)
      sent += 1
      pause(0.01)
    }
    try sender.send(3)
    #expect(try receiver.receive(sent + 3).count == sent + 3)
    #expect(eventually { child.out.text.split(separator: "\n").count >= 4 })
    try far.ip("link del eth0")
    let output = try child.finish(timeout: 30)
    let printed = output.out.split(separator: "\n")
    #expect(printed.count <= sent + 3 && printed.allSatisfy { $0 == "106 of 106 bytes" }, "\(output)")
    #expect(output.err.contains("No such device or address"))
  }
}
