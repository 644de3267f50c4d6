// What the tests of the command share: hosts on a cable, the binary started and listening, files read back.
import Glibc
import SwBPFCaptureFile

@testable import TestSupport

/// Two hosts on a cable; swbpf usually runs in `far`.
struct Wire: Sendable {
  let near: Host
  let far: Host
  let nearEnd: LinkEnd
  let farEnd: LinkEnd

  init(ipv6: Bool = false) throws {
    near = try Host("near")
    far = try Host("far")
    (nearEnd, farEnd) = try Host.link(near, "va", far, "vb", ipv6: ipv6)
  }
}

/// A folder of one test, gone with it.
final class Scratch: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/swbpf-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SupportError.system(call: "mkdtemp", errno: errno) }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { _ = try? Child(["rm", "-rf", path]).finish() }

  func file(_ name: String) -> String { path + "/" + name }

  func file(_ name: String, holding bytes: [UInt8]) throws -> String {
    guard let file = fopen(file(name), "w") else { throw SupportError.system(call: "fopen(\(name))", errno: errno) }
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
    return self.file(name)
  }

  func bytes(_ name: String) throws -> [UInt8] {
    guard let file = fopen(file(name), "r") else { throw SupportError.system(call: "fopen(\(name))", errno: errno) }
    defer { fclose(file) }
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = fread(&buffer, 1, buffer.count, file)
      if count == 0 { return all }
      all += buffer[..<count]
    }
  }
}

extension Host {
  /// Starts swbpf and waits until it listens.
  func capture(
    _ arguments: [String], output: Child.Sink = .pipe, through: [String] = [], saying word: String = "listening on"
  ) throws -> Child {
    let child = try start(through + [Tool.swbpf] + arguments, output: output)
    guard child.err.waitFor(word) != nil else {
      child.signal(SIGKILL)
      throw SupportError.command(child.command, try child.finish())
    }
    return child
  }

  /// Runs swbpf to its end.
  func swbpf(_ arguments: [String], input: String = "") throws -> Child.Output {
    try run([Tool.swbpf] + arguments, input: input)
  }
}

/// A packet of a savefile.
struct Packet: Equatable, Sendable {
  let seconds: Int64
  let nanoseconds: Int32
  let length: Int
  let bytes: [UInt8]

  /// Each socket stamps a frame for itself: captures of two processes are compared without stamps.
  static func == (a: Packet, b: Packet) -> Bool { a.length == b.length && a.bytes == b.bytes }
}

/// A pipe that only the children that are given an end have.
func openPipe() throws -> (reading: CInt, writing: CInt) {
  var ends: [CInt] = [-1, -1]
  guard pipe(&ends) == 0 else { throw SupportError.system(call: "pipe", errno: errno) }
  for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
  return (ends[0], ends[1])
}

func packets(in path: String) throws -> [Packet] {
  var reader = try SavefileReader(path: path)
  var list: [Packet] = []
  while let one = try reader.next() {
    list.append(
      Packet(
        seconds: one.seconds, nanoseconds: one.nanoseconds, length: Int(one.length),
        bytes: reader.bytes.withUnsafeBytes { Array($0) }))
  }
  return list
}

/// The numbers of the datagrams in a file with Ethernet headers.
func numbers(in path: String) throws -> [UInt64] {
  try packets(in: path).compactMap { UDPSender.number(in: $0.bytes.dropFirst(42)) }
}

/// The last lines of a capture, as the manual has them.
func counts(_ captured: Int, received: Int? = nil, dropped: Int = 0) -> String {
  func packets(_ count: Int) -> String { "\(count) packet\(count == 1 ? "" : "s")" }
  return "\(packets(captured)) captured\n\(packets(received ?? captured)) received by filter\n"
    + "\(packets(dropped)) dropped by kernel\n"
}

extension Child.Output {
  var lines: [Substring] { out.split(separator: "\n") }
  var errorLines: [Substring] { err.split(separator: "\n") }
}
