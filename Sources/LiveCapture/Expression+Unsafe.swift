// Filter expressions: libpcap compiles them for the link type of each tap point.
// Called on control paths: a compilation takes from 13 us to 100 ms.
internal import CPcapShim
import SwBPFBPF
import SwBPFFilterMachine

/// A filter expression in libpcap's language, and how many bytes of a frame are kept.
public struct FilterExpression: Sendable, Equatable {
  public var text: String
  /// Bytes kept of each frame; 262144 is all.
  public var snapLength: Int
  /// Whether libpcap optimises (`-O` says no).
  public var optimizes: Bool
  /// The IPv4 netmask that `ip broadcast` asks for, in host order; all ones is not known.
  public var netmask: UInt32

  public init(_ text: String, snapLength: Int = 262144, optimizes: Bool = true, netmask: UInt32 = .max) {
    self.text = text
    self.netmask = netmask
    self.snapLength = snapLength
    self.optimizes = optimizes
  }

  /// Why an expression is refused: libpcap's words, or the validator's.
  public struct Failure: Error, Sendable, CustomStringConvertible {
    public let expression: String
    public let reason: String
    public var description: String { "\(reason): \(expression)" }
  }

  /// The program for frames of a link type; nil when every frame is wanted whole.
  public func program(linkType: Int32) throws(Failure) -> Program? {
    if text.allSatisfy({ $0.isWhitespace }) {
      if snapLength >= 262144 { return nil }
      return try made([Instruction(code: 0x06, k: UInt32(clamping: snapLength))])
    }
    return try made(compile(linkType: linkType))
  }

  private func made(_ instructions: [Instruction]) throws(Failure) -> Program {
    do {
      return try Program(instructions, ancillary: true, limit: Program.expressionLimit)
    } catch {
      throw Failure(expression: text, reason: "the compiled program is not valid: \(error)")
    }
  }

  private func compile(linkType: Int32) throws(Failure) -> [Instruction] {
    var code: UnsafeMutablePointer<swpcap_insn>?
    var message = [CChar](repeating: 0, count: Int(SWPCAP_ERRBUF))
    // SAFETY: the shim fills `code` with `count` instructions of its own malloc, freed below.
    let count = unsafe swpcap_compile(
      linkType, Int32(clamping: snapLength), text, optimizes ? 1 : 0, netmask, &code, &message)
    guard count >= 0, let code = unsafe code else {
      let text = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      throw Failure(expression: self.text, reason: String(decoding: text, as: UTF8.self))
    }
    defer { unsafe swpcap_free(code) }
    return (0..<Int(count)).map { index in
      let one = unsafe code[index]
      return Instruction(code: one.code, jt: one.jt, jf: one.jf, k: one.k)
    }
  }
}

extension BPF.Descriptor {
  /// Sets the read program from an expression, for every link type that the descriptor is or will be attached to.
  /// (BIOCSETF) - Throws: ``FilterExpression/Failure`` with libpcap's text; then the old program stays.
  public func setFilter(_ expression: FilterExpression) throws {
    try setProgram(from: { try expression.program(linkType: $0) })
  }

  /// Sets the read program from an expression.
  public func setFilter(_ text: String) throws { try setFilter(FilterExpression(text)) }
}
