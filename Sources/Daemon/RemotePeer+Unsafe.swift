// A bpf descriptor that another process reads, and its memory. Main thread only.
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFLiveCapture

/// Owns the descriptor; its mappings go with the last tap that may still be inside.
final class RemotePeer {
  let descriptor: BPF.Descriptor
  let user: UInt32
  let process: Int32
  /// Bytes of shared memory, booked for the user.
  let memory: Int
  let names: AllowedNames
  /// The interface that it was attached to last, and what its ring had counted then.
  var name: String?
  var ringBefore = RingStatistics()

  private init(_ descriptor: BPF.Descriptor, _ caller: Caller, memory: Int, names: AllowedNames) {
    self.descriptor = descriptor
    self.names = names
    user = caller.user
    process = caller.pid
    self.memory = memory
  }

  /// Bytes that a descriptor shares; nil for sizes that cannot be.
  static func memory(slotSize: UInt64, slots: UInt64) -> Int? {
    guard let size = Int(exactly: slotSize), let count = Int(exactly: slots) else { return nil }
    return BPF.SharedSlots.size(slotSize: size, slots: count).map { $0 + answerSize }
  }

  private static let answerSize = 4096

  /// - Parameter memory: of ``memory(slotSize:slots:)``.
  /// - Returns: also what the client gets: the slots to read, the word to write, the pipe that wakes it.
  static func make(
    slotSize: Int, slots: Int, memory: Int, nanoseconds: Bool, caller: Caller, names: AllowedNames
  ) throws(InterfaceFailure) -> (RemotePeer, [CInt]) {
    var open: [CInt] = []
    func failed(_ error: CInt) -> InterfaceFailure {
      for one in open { close(one) }
      return InterfaceFailure(errno: error, request: "bpf", text: "")
    }
    let region = unsafe swpcap_shared_open("swbpf-slots", memory - answerSize)
    guard region >= 0 else { throw failed(-region) }
    open.append(region)
    let answer = unsafe swpcap_shared_open("swbpf-answer", answerSize)
    guard answer >= 0 else { throw failed(-answer) }
    open.append(answer)
    var ends: [CInt] = [-1, -1]
    let piped = unsafe swpcap_wake_open(&ends)
    guard piped == 0 else { throw failed(-piped) }
    open += ends
    // Mapped for writing here first: after the seal nobody can.
    guard let shared = map(region, answer, slotSize: slotSize, slots: slots, memory: memory) else {
      throw failed(ENOMEM)
    }
    for sealed in [swpcap_shared_seal_reading(region), swpcap_shared_seal(answer)] where sealed != 0 {
      throw failed(-sealed)
    }
    var configuration = BPF.Descriptor.Configuration(
      slotSize: slotSize, slots: slots, format: .savefile(nanoseconds: nanoseconds))
    configuration.shared = shared
    configuration.pushesDown = true
    configuration.directory = names
    do throws(BPF.Failure) {
      let descriptor = try BPF.Descriptor(configuration)
      // The writing end is the descriptor's now.
      descriptor.follow(event: ends[1], full: min(4, max(1, slots / 4)))
      return (RemotePeer(descriptor, caller, memory: memory, names: names), [region, answer, ends[0]])
    } catch { throw failed(error.errno) }
  }

  private static func map(
    _ region: CInt, _ answer: CInt, slotSize: Int, slots: Int, memory: Int
  ) -> BPF.SharedSlots? {
    let size = memory - answerSize
    guard let base = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, region, 0), unsafe base != MAP_FAILED
    else { return nil }
    guard let word = unsafe mmap(nil, answerSize, PROT_READ, MAP_SHARED, answer, 0), unsafe word != MAP_FAILED else {
      unsafe munmap(base, size)
      return nil
    }
    // The first slots have their pages now: taps take no faults for them. MADV_POPULATE_WRITE
    _ = unsafe madvise(base, min(size, 1 << 20), 23)
    nonisolated(unsafe) let (first, second) = unsafe (base, word)
    return unsafe BPF.SharedSlots(region: base, answer: word, slotSize: slotSize, slots: slots) {
      // SAFETY: called once, when the buffers are freed.
      unsafe munmap(first, size)
      unsafe munmap(second, answerSize)
    }
  }
}
