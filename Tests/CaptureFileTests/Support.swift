// What the tests of this layer share: files that go away by themselves, slots by hand, outside judges.
import Foundation

@testable import SwBPFCaptureFile

/// A directory of its own for one test.
final class Scratch {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/swbpf-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String, holding bytes: [UInt8] = []) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
    return path + "/" + name
  }
}

/// A descriptor that closes itself.
final class Descriptor {
  let number: CInt
  init(_ number: CInt) { self.number = number }
  init(writing path: String) { number = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) }
  deinit { close(number) }
}

struct Sample: Equatable {
  var seconds: Int64
  var nanoseconds: Int32
  var length: UInt32
  var bytes: [UInt8]
}

/// Ethernet, IPv4, UDP to port 9: frames that every judge reads without complaint.
func samples(_ count: Int) -> [Sample] {
  (0..<count).map { i in
    let frame: [UInt8] =
      [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]
      + [0x45, 0, 0, 36, 0, UInt8(i & 255), 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
      + [0x30, 0x39, 0, 9, 0, 16, 0, 0] + (0..<8).map { UInt8(($0 + i) & 255) }
    return Sample(
      seconds: 1_700_000_000 + Int64(i), nanoseconds: 123_456_000 + Int32(i % 900), length: UInt32(frame.count + i % 3),
      bytes: frame)
  }
}

/// A slot as a capture hands it over.
func slot(_ records: [Sample], _ precision: SavefileWriter.Precision) -> [UInt8] {
  var slot: [UInt8] = []
  for record in records {
    slot.appendNative(UInt32(record.seconds))
    slot.appendNative(UInt32(precision == .nano ? record.nanoseconds : record.nanoseconds / 1000))
    slot.appendNative(UInt32(record.bytes.count))
    slot.appendNative(record.length)
    slot += record.bytes
  }
  return slot
}

func readAll(_ path: String) throws -> [Sample] {
  var reader = try SavefileReader(path: path)
  var all: [Sample] = []
  while let record = try reader.next() {
    let bytes = reader.bytes
    all.append(
      Sample(
        seconds: record.seconds, nanoseconds: record.nanoseconds, length: record.length,
        bytes: bytes.withUnsafeBytes { Array($0) }))
  }
  return all
}

func size(_ path: String) -> Int {
  var facts = stat()
  return stat(path, &facts) == 0 ? Int(facts.st_size) : -1
}

func find(_ tool: String) -> String? {
  ["/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/", "/usr/local/bin/"].map { $0 + tool }.first { access($0, X_OK) == 0 }
}

/// Whether tcpdump is there and can give root up, which it insists on: not where a user namespace denies setgroups(2).
var tcpdumpRuns: Bool {
  if find("tcpdump") == nil { return false }
  return geteuid() != 0 || (try? String(contentsOfFile: "/proc/self/setgroups", encoding: .utf8)) != "deny\n"
}

/// Runs an outside judge: what it prints, and its exit status.
func judge(_ tool: String, _ arguments: String...) throws -> (text: String, status: CInt) {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: find(tool)!)
  process.arguments = arguments
  let output = Pipe()
  process.standardOutput = output
  process.standardError = FileHandle.nullDevice
  try process.run()
  let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  process.waitUntilExit()
  return (text, process.terminationStatus)
}

/// A file system of a few pages in a mount namespace of a helper process, reached through /proc.
final class SmallDisk {
  private let process = Process()
  private let input = Pipe()
  let path: String

  init?(bytes: Int) {
    guard let unshare = find("unshare") else { return nil }
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: unshare)
    process.arguments =
      (geteuid() == 0 ? ["-m"] : ["-Urm"])
      + ["sh", "-c", "mount -t tmpfs -o size=\(bytes) none /mnt && echo ready && read line"]
    process.standardInput = input
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    path = "/proc/\(process.processIdentifier)/root/mnt"
    guard output.fileHandleForReading.availableData == Data("ready\n".utf8) else { return nil }
  }

  deinit {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }
}
