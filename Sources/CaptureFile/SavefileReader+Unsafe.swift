// Reads savefiles, pcap and pcapng, through libpcap. Bytes of files are untrusted; libpcap checks the framing, records are handed on as is.
internal import CPcapShim

/// What a savefile says of one record, besides its bytes. Untrusted: `nanoseconds` may lie outside a second, `length` be below
/// `captured`.
package struct SavefileRecord: Sendable, Equatable {
  package let seconds: Int64
  package let nanoseconds: Int32
  package let captured: UInt32
  package let length: UInt32
}

/// One instruction of a compiled expression; the layout of `struct bpf_insn`. The filter machine's own type lies in a layer that
/// this one does not see.
package struct CompiledInstruction: Sendable, Equatable {
  package let code: UInt16
  package let jt: UInt8
  package let jf: UInt8
  package let k: UInt32
}

/// An open savefile, read from front to back.
///
///     var reader = try SavefileReader(path: "-")
///     while let record = try reader.next() { use(record, reader.bytes) }
/// - Threads: one at a time.
@safe package struct SavefileReader: ~Copyable {
  private let file: OpaquePointer
  private var data: UnsafePointer<UInt8>?
  private var count = 0
  /// libpcap's texts; written only when something fails.
  private let text: UnsafeMutablePointer<CChar>

  /// - Parameter path: "-" reads standard input.
  package init(path: String) throws(SavefileError) {
    try self.init(fileDescriptor: openForReading(path))
  }

  /// Takes over the descriptor, also when it throws.
  package init(fileDescriptor: CInt) throws(SavefileError) {
    unsafe text = .allocate(capacity: Int(SWPCAP_ERRBUF))
    unsafe text.initialize(repeating: 0, count: Int(SWPCAP_ERRBUF))
    // SAFETY: the buffer has the size that the shim fills at most.
    guard let file = unsafe swpcap_file_open(fileDescriptor, text) else {
      let reason = unsafe String(cString: text)
      unsafe text.deallocate()
      throw .unreadable(reason)
    }
    unsafe self.file = file
    unsafe data = nil
  }

  deinit {
    // SAFETY: both made in init and released once: the type is not copyable.
    unsafe swpcap_file_close(file)
    unsafe text.deallocate()
  }

  /// A DLT number.
  package var linkType: CInt {
    // SAFETY: the file is open while self lives.
    unsafe swpcap_file_linktype(file)
  }

  package var snapLength: CInt {
    // SAFETY: as above.
    unsafe swpcap_file_snaplen(file)
  }

  /// The next record, nil at the end. Its bytes are in ``bytes`` until the next call, which the compiler holds callers to.
  ///
  /// Throws libpcap's text where the file is cut or broken; there is nothing behind it.
  package mutating func next() throws(SavefileError) -> SavefileRecord? {
    var record = swpcap_record()
    // SAFETY: out-parameters for the call; the text buffer has the shim's size.
    let result = unsafe swpcap_file_next(file, &record, &data, text)
    guard result == 1 else {
      count = 0
      if result == 0 { return nil }
      throw unsafe .unreadable(String(cString: text))
    }
    count = Int(record.caplen)
    return SavefileRecord(
      seconds: record.seconds, nanoseconds: record.nanoseconds, captured: record.caplen, length: record.len)
  }

  /// The bytes of the record that ``next()`` returned last.
  package var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      guard let data = unsafe data, count > 0 else { return RawSpan() }
      // SAFETY: libpcap keeps `count` bytes at `data` until the next read or the close, both of which need self exclusively.
      return unsafe _overrideLifetime(RawSpan(_unsafeStart: data, byteCount: count), borrowing: self)
    }
  }

  /// Compiles an expression for this file, which knows no direction.
  package func compile(_ expression: String, optimize: Bool = true) throws(SavefileError) -> [CompiledInstruction] {
    var memory: UnsafeMutablePointer<swpcap_insn>?
    // SAFETY: out-parameters for the call; the text buffer has the shim's size.
    let result = unsafe swpcap_file_compile(file, expression, optimize ? 1 : 0, &memory, text)
    if result < 0 { throw unsafe .expression(String(cString: text)) }
    return unsafe takeProgram(result, memory)
  }

  /// libpcap's own verdict on the record that ``next()`` returned last, by code that ``compile(_:optimize:)`` returned: 0
  /// refuses it. For code with loops (`protochain`), which classic BPF has not.
  package func verdict(of code: [CompiledInstruction], wireLength: UInt32) -> UInt32 {
    // SAFETY: both have the layout of struct bpf_insn; libpcap made the code and reads no byte beyond `count`.
    unsafe code.withUnsafeBufferPointer { instructions in
      unsafe instructions.withMemoryRebound(to: swpcap_insn.self) {
        unsafe swpcap_filter($0.baseAddress, data, wireLength, UInt32(count))
      }
    }
  }
}

/// Copies a program out of the shim's memory, which is freed.
private func takeProgram(_ count: CInt, _ memory: UnsafeMutablePointer<swpcap_insn>?) -> [CompiledInstruction] {
  guard let memory = unsafe memory else { return [] }
  // SAFETY: the shim allocated `count` instructions for the caller.
  defer { unsafe swpcap_free(memory) }
  return unsafe UnsafeBufferPointer(start: memory, count: Int(count)).map {
    CompiledInstruction(code: $0.code, jt: $0.jt, jf: $0.jf, k: $0.k)
  }
}
