import Glibc
import TestSupport

/// What passes an interface of a host: tcpdump's savefile, read when it has ended.
final class Wiretap {
  private let child: Child
  private let path: String

  /// The first bytes of each packet are kept.
  init(_ host: Host, _ interface: String, _ filter: String, bytes: Int = 96) throws {
    var template = Array("/tmp/swbpf-XXXXXX".utf8CString)
    let file = mkstemp(&template)
    guard file >= 0 else { throw SupportError.system(call: "mkstemp", errno: errno) }
    close(file)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    child = try host.start([
      "tcpdump", "--immediate-mode", "-U", "-n", "-Z", "root", "-B", "16384", "-s", "\(bytes)", "-i", interface, "-w",
      path, filter,
    ])
    guard child.err.waitForText("listening on") else { throw SupportError.command(child.command, try child.finish()) }
  }

  deinit { unlink(path) }

  /// In their order; all that passed before.
  func stop() throws -> [[UInt8]] {
    _ = try child.stop()
    guard let file = fopen(path, "r") else { throw SupportError.system(call: "fopen", errno: errno) }
    defer { fclose(file) }
    var header = [UInt8](repeating: 0, count: 24)
    guard fread(&header, 1, 24, file) == 24 else { return [] }
    var packets: [[UInt8]] = []
    var record = [UInt32](repeating: 0, count: 4)
    while fread(&record, 4, 4, file) == 4 {
      var bytes = [UInt8](repeating: 0, count: Int(record[2]))
      guard fread(&bytes, 1, bytes.count, file) == bytes.count else { break }
      packets.append(bytes)
    }
    return packets
  }
}
