import Foundation
import Testing

@testable import SwBPFCaptureFile

private func text(_ body: () throws -> Void) -> String? {
  do {
    try body()
    return nil
  } catch { return "\(error)" }
}

@Suite("Savefile reader")
struct SavefileReaderTests {
  /// A file in the other byte order, as a foreign machine writes it.
  static func foreign() -> [UInt8] {
    var bytes: [UInt8] = []
    for field in [0xa1b2_c3d4, 0x0002_0004, 0, 0, 65535, 1, 1000, 7, 4, 60] as [UInt32] {
      bytes.appendNative(field.byteSwapped)
    }
    return bytes + [1, 2, 3, 4]
  }

  static func small() throws -> (Scratch, String) {
    let scratch = try Scratch()
    let path = try scratch.file("a.pcap")
    let file = Descriptor(writing: path)
    let writer = try SavefileWriter(fileDescriptor: file.number, linkType: 1, snapLength: 0)
    try writer.write(slot: slot(samples(3), .micro).span.bytes)
    return (scratch, path)
  }

  @Test("a file in the other byte order reads the same")
  func otherOrder() throws {
    let scratch = try Scratch()
    // Version 2.4 is two 16-bit fields, swapped within each.
    var bytes = Self.foreign()
    bytes.replaceSubrange(4..<8, with: [0, 2, 0, 4])
    let path = try scratch.file("foreign.pcap", holding: bytes)
    #expect(try readAll(path) == [Sample(seconds: 1000, nanoseconds: 7000, length: 60, bytes: [1, 2, 3, 4])])
  }

  @Test("a pcapng file reads the same", .enabled(if: find("editcap") != nil, "editcap is missing"))
  func pcapng() throws {
    let (scratch, path) = try Self.small()
    let other = scratch.path + "/a.pcapng"
    #expect(try judge("editcap", "-F", "pcapng", path, other).status == 0)
    #expect(try readAll(other) == readAll(path))
  }

  @Test("a file cut anywhere gives its whole records and then libpcap's complaint")
  func truncated() throws {
    let (scratch, path) = try Self.small()
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    for length in 24..<whole.count {
      let cut = try scratch.file("cut.pcap", holding: Array(whole.prefix(length)))
      var reader = try SavefileReader(path: cut)
      var count = 0
      let complaint = text {
        while try reader.next() != nil { count += 1 }
      }
      #expect(count == (length - 24) / 66)
      #expect((complaint == nil) == ((length - 24) % 66 == 0))
      if let complaint { #expect(complaint.contains("truncated dump file")) }
      let left = reader.bytes.byteCount
      #expect(left == 0)
    }
  }

  @Test("no savefile, a cut header, an empty file: libpcap's text", arguments: [0, 3, 23, 100])
  func garbage(count: Int) throws {
    let scratch = try Scratch()
    let path = try scratch.file("garbage", holding: (0..<count).map { UInt8($0 & 255) })
    let complaint = text { _ = try SavefileReader(path: path) }
    #expect(complaint?.isEmpty == false)
    if count >= 24 { #expect(complaint == "unknown file format") }
  }

  @Test("a record length beyond reason is an error, not memory")
  func absurdLength() throws {
    let scratch = try Scratch()
    var bytes: [UInt8] = []
    for field in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65535, 1, 1, 1, .max, .max] as [UInt32] { bytes.appendNative(field) }
    let path = try scratch.file("a.pcap", holding: bytes)
    #expect(text { _ = try readAll(path) }?.contains("invalid packet capture length") == true)
  }

  @Test("a missing file names the call and the errno")
  func missing() throws {
    #expect(text { _ = try SavefileReader(path: "/nonexistent/file") } == "open: No such file or directory")
  }

  @Test("descriptors are not leaked, whether opening works or not")
  func descriptors() throws {
    let (scratch, path) = try Self.small()
    let garbage = try scratch.file("garbage", holding: [1, 2, 3])
    // Other tests open files beside this one: only growth by the number of rounds counts.
    func open() -> Int { (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0 }
    let before = open()
    for _ in 0..<200 {
      _ = try readAll(path)
      _ = text { _ = try SavefileReader(path: garbage) }
    }
    #expect(open() < before + 150)
  }

  @Test("expressions compile for the file's link type; errors are libpcap's")
  func compile() throws {
    let (scratch, path) = try Self.small()
    defer { withExtendedLifetime(scratch) {} }
    let reader = try SavefileReader(path: path)
    let program = try reader.compile("udp port 9")
    #expect(program.count > 4)
    #expect(program.first == CompiledInstruction(code: 0x28, jt: 0, jf: 0, k: 12))
    var complaints: [String?] = []
    do { _ = try reader.compile("no such thing") } catch { complaints.append("\(error)") }
    do { _ = try reader.compile("outbound") } catch { complaints.append("\(error)") }
    #expect(complaints.count == 2)
    #expect(complaints.first??.contains("syntax error") == true)
    #expect(complaints.last??.contains("not supported") == true)
  }
}
