// The committed packets and tcpdump's text of them (`make corpus` makes both), and how a command's text is compared.
import Glibc
import SwBPFCaptureFile
import Testing

@testable import TestSupport

/// One savefile of the corpus.
struct Corpus {
  let name: String
  var path: String { Self.folder + "/\(name).pcap" }

  static let folder = String(#filePath.prefix(upTo: #filePath.lastIndex(of: "/")!)) + "/Corpus"

  /// The names of all savefiles.
  static let names: [String] = {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name.hasSuffix(".pcap") { names.append(String(name.dropLast(5))) }
    }
    return names.sorted()
  }()

  /// A packet with the two stamps that begin its text.
  struct Packet {
    let bytes: [UInt8]
    let wireLength: Int
    let clock: String
    let epoch: String
  }

  func linkType() throws -> Int32 { try SavefileReader(path: path).linkType }

  func packets() throws -> [Packet] {
    var reader = try SavefileReader(path: path)
    var packets: [Packet] = []
    while let record = try reader.next() {
      let fraction = "." + padded(Int(record.nanoseconds) / 1000, 6) + " "
      let (hour, minute, second) = (record.seconds / 3600 % 24, record.seconds / 60 % 60, record.seconds % 60)
      packets.append(
        Packet(
          bytes: reader.bytes.withUnsafeBytes { Array($0) }, wireLength: Int(record.length),
          clock: [hour, minute, second].map { padded(Int($0), 2) }.joined(separator: ":") + fraction,
          epoch: "\(record.seconds)" + fraction))
    }
    return packets
  }

  /// tcpdump's text, by flags.
  func texts() throws -> [(flags: String, text: String)] {
    var texts: [(flags: String, text: String)] = []
    let all = try Self.contents(Self.folder + "/\(name).txt")
    for line in all.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      if line.hasPrefix("#### ") {
        texts.append((String(line.dropFirst(5)), ""))
      } else {
        texts[texts.count - 1].text += line + "\n"
      }
    }
    return texts
  }

  static func contents(_ path: String) throws -> String {
    guard let file = fopen(path, "r") else { throw SupportError.system(call: "fopen(\(path))", errno: errno) }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&part, 1, part.count, file), count > 0 { bytes += part[..<count] }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// What a command prints of the savefile.
  func text(of command: String, _ flags: String) throws -> String {
    let output = try Child([command, flags, "-r", path], environment: ["TZ": "UTC", "LC_ALL": "C"]).finish()
    guard output.status == .exited(0) else { throw SupportError.command([command, flags, "-r", path], output) }
    return output.out
  }

  /// Fails with the first packets whose text differs.
  func compare(_ ours: String, with theirs: String, _ flags: String) throws {
    if ours == theirs { return }
    let packets = try packets()
    // Without a stamp nothing tells where a packet's text begins: lines are compared then.
    let stamps = flags == "-nt" ? nil : packets.map { flags == "-ntt" ? $0.epoch : $0.clock }
    let our = Self.parts(of: ours, stamps)
    let their = Self.parts(of: theirs, stamps)
    let different = (0..<max(our.count, their.count)).filter { index in
      index >= our.count || index >= their.count || our[index] != their[index]
    }
    var report = "\(name) \(flags): \(different.count) of \(their.count) differ\n"
    for index in different.prefix(12) {
      report += "packet \(index + 1)"
      if stamps != nil, index < packets.count {
        report += " of \(packets[index].wireLength) bytes: " + packets[index].bytes.map(hex).joined()
      }
      report += "\nours:   \(index < our.count ? our[index] : "\n")theirs: \(index < their.count ? their[index] : "\n")"
    }
    Issue.record("\(report)")
  }

  /// The text of each packet; a packet's text begins with its stamp at the start of a line.
  private static func parts(of text: String, _ stamps: [String]?) -> [String] {
    var parts: [String] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      guard let stamps else {
        parts.append(line + "\n")
        continue
      }
      // A packet without text must not hide those after it.
      if let next = stamps[parts.count...].prefix(20).firstIndex(where: { line.hasPrefix($0) }) {
        while parts.count < next { parts.append("") }
        parts.append(line + "\n")
      } else if !parts.isEmpty {
        parts[parts.count - 1] += line + "\n"
      }
    }
    return parts
  }
}

private func hex(_ byte: UInt8) -> String { String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }

private func padded(_ number: Int, _ width: Int) -> String {
  String(repeating: "0", count: max(0, width - "\(number)".count)) + "\(number)"
}
