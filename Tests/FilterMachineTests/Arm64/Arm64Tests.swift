// arm64 code under qemu: `make test-arm64`.
import Glibc
import TestSupport
import Testing

@testable import SwBPFFilterMachine

@Suite("arm64 code", .needsTool("qemu-aarch64"), .needsTool("aarch64-linux-gnu-gcc"))
struct Arm64Tests {
  /// What the runner reads, and the verdicts that it must write.
  private struct Session {
    var input: [UInt8] = []
    var expected: [UInt32] = []
    var names: [String] = []

    mutating func add(_ program: Program, _ frames: [([UInt8], UInt32)], metadata: FrameMetadata?) {
      let code = NativeCode.arm64(of: program.instructions, ancillary: program.isAncillary)
      number(UInt32(code.count))
      number(UInt32(frames.count))
      input += code
      for (frame, wire) in frames {
        number(UInt32(frame.count))
        number(wire)
        number(metadata == nil ? 0 : UInt32(MemoryLayout<FrameMetadata>.size))
        if let metadata { withUnsafeBytes(of: metadata) { input += $0 } }
        input += frame
        expected.append(program.run(frame.span.bytes, wireLength: wire, metadata: metadata))
        names.append("\(program.instructions) on \(frame), wire \(wire)")
      }
    }

    private mutating func number(_ value: UInt32) {
      withUnsafeBytes(of: value.littleEndian) { input += $0 }
    }

    /// Builds the runner, runs it, and compares.
    func check() throws {
      var template = Array("/tmp/swbpf-arm64.XXXXXX".utf8CString)
      let folder = String(cString: try #require(mkdtemp(&template)))
      defer { for name in ["runner", "in", "out", ""] { remove(folder + "/" + name) } }
      let source = #filePath.split(separator: "/").dropLast().joined(separator: "/")
      let built = try Child([
        "aarch64-linux-gnu-gcc", "-O1", "-static", "-Wall", "-Werror", "-o", folder + "/runner", "/\(source)/runner.c",
      ]).finish(timeout: 60)
      try #require(built.status == .exited(0), "\(built.err)")
      let file = try #require(fopen(folder + "/in", "w"))
      #expect(fwrite(input, 1, input.count, file) == input.count)
      fclose(file)
      let ran = try Child(
        ["qemu-aarch64", folder + "/runner"], input: .file(folder + "/in"), output: .file(folder + "/out")
      ).finish(timeout: 300)
      #expect(ran.status == .exited(0), "\(ran.err)")
      var verdicts = [UInt32](repeating: 0xdead, count: expected.count + 1)
      let results = try #require(fopen(folder + "/out", "r"))
      defer { fclose(results) }
      #expect(fread(&verdicts, 4, verdicts.count, results) == expected.count)
      for index in expected.indices where expected[index] != verdicts[index] {
        Issue.record("\(verdicts[index]), the interpreter \(expected[index]): \(names[index])")
      }
    }
  }

  @Test("random programs give the interpreter's verdict")
  func random() throws {
    var random = Random(state: 64)
    var session = Session()
    for _ in 0..<NativeTests.rounds / 2 {
      let length = [2, 9, 34, 60].randomElement(using: &random)!
      guard let program = try? Program(RandomProgram(&random, length: length).instructions) else { continue }
      let frames = (0..<4).map { _ in
        (RandomProgram.frame(&random, length: length), UInt32.random(in: 0...70, using: &random))
      }
      session.add(program, frames, metadata: nil)
    }
    #expect(session.expected.count > NativeTests.rounds / 2)
    try session.check()
  }

  @Test("compiled expressions, some with ladders and metadata, give the interpreter's verdict")
  func expressions() throws {
    var random = Random(state: 65)
    var session = Session()
    let frames = (0..<60).map { _ in DifferentialTests.frame(&random) }
    for expression in DifferentialTests.expressions + ["outbound", "inbound and tcp", "ifindex 70000"] {
      guard let instructions = try? compile(expression),
        let program = try? Program(instructions, ancillary: true, limit: Program.expressionLimit)
      else { continue }
      session.add(program, frames.map { ($0, UInt32($0.count)) }, metadata: AncillaryTests.metadata)
      session.add(program, frames.prefix(5).map { ($0, UInt32($0.count)) }, metadata: nil)
    }
    let keys = (0..<2046).map { _ in UInt32(truncatingIfNeeded: random.next()) }
    let hits = keys.prefix(40).map { key in withUnsafeBytes(of: key.bigEndian) { (Array($0), 4 as UInt32) } }
    session.add(try NativeTests.longLadder(keys), hits + frames.prefix(9).map { ($0, 60) }, metadata: nil)
    #expect(session.expected.contains { $0 != 0 })
    try session.check()
  }
}
