// What the process holds, before a run and after it.
internal import CPcapShim
import Glibc
import SwBPFKern

/// Descriptors, threads, mappings and memory of this process at one moment.
package struct Holdings: Sendable, Equatable {
  /// What open descriptors lead to, with how many of each. (/proc/self/fd)
  package var descriptors: [String: Int] = [:]
  /// Threads of the project: numbers with names.
  package var threads: Set<String> = []
  /// Packet sockets and their rings mapped into this process; pages of machine code.
  package var ringMappings = 0
  package var codeMappings = 0
  /// Bytes of private memory that no file backs.
  package var memory: UInt64 = 0
  /// Bytes of it that malloc has handed out.
  package var heap: UInt64 = 0

  package init() {}

  /// Threads that a process starts when they are first needed and then keeps.
  private static let permanent: Set = ["swbpf-epoch", "swbpf-timer", "swbpf-merge"]

  /// Bytes that may be more on the heap afterwards: the caches of malloc that belong to threads, and a table that has grown.
  package static let heapAllowance: UInt64 = 256 << 10
  /// The same for memory as a whole: malloc's arenas do not shrink.
  package static let memoryAllowance: UInt64 = 32 << 20

  /// What this process holds now.
  package static var now: Holdings {
    var holdings = Holdings()
    for name in entries("/proc/self/fd") {
      guard let target = link("/proc/self/fd/\(name)") else { continue }
      // Without the number that tells sockets and pipes of a kind apart.
      let kind = String(target.prefix { $0 != "[" || target.hasPrefix("anon_inode") })
      holdings.descriptors[kind, default: 0] += 1
    }
    for task in entries("/proc/self/task") {
      let name = text("/proc/self/task/\(task)/comm").filter { $0 != "\n" }
      if name.hasPrefix("swbpf-") && !permanent.contains(name) { holdings.threads.insert("\(name) \(task)") }
    }
    for line in text("/proc/self/maps").split(separator: "\n") { holdings.addMapping(line) }
    holdings.heap = swpcap_heap_used()
    return holdings
  }

  private mutating func addMapping(_ line: Substring) {
    let words = line.split(separator: " ", omittingEmptySubsequences: true)
    guard words.count >= 5 else { return }
    let isAnonymous = words.count == 5
    if line.contains("socket:[") { ringMappings += 1 }
    if isAnonymous && words[1] == "r-xp" { codeMappings += 1 }
    if isAnonymous && words[1] == "rw-p" {
      let ends = words[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
      if ends.count == 2 { memory += ends[1] - ends[0] }
    }
  }

  /// Without the descriptors that `some` has more than `base`.
  func without(_ some: Holdings, since base: Holdings) -> Holdings {
    var rest = self
    for (kind, count) in some.descriptors {
      rest.descriptors[kind, default: 0] -= count - (base.descriptors[kind] ?? 0)
    }
    return rest
  }

  /// What is here that was not there before.
  package func left(since before: Holdings) -> [String] {
    var left: [String] = []
    for (kind, count) in descriptors.sorted(by: { $0.key < $1.key }) where count > before.descriptors[kind] ?? 0 {
      left.append("descriptors: \(count) of \(kind), \(before.descriptors[kind] ?? 0) before")
    }
    for thread in threads.subtracting(before.threads).sorted() { left.append("thread: \(thread)") }
    if ringMappings > before.ringMappings {
      left.append("rings mapped: \(ringMappings), \(before.ringMappings) before")
    }
    if codeMappings > before.codeMappings {
      left.append("machine code: \(codeMappings) mappings, \(before.codeMappings) before")
    }
    if heap > before.heap + Holdings.heapAllowance {
      left.append("heap: \(heap) bytes, \(before.heap) before")
    }
    // A sanitizer's shadow is memory of terabytes that comes and goes.
    if memory > before.memory + Holdings.memoryAllowance && memory < 1 << 40 {
      left.append("memory: \(memory) bytes mapped, \(before.memory) before")
    }
    return left
  }

  /// Looks until nothing is left, or the time is over: what goes through the epoch goes a moment later.
  package static func left(since before: Holdings, within limit: Int64 = 2_000_000_000) -> [String] {
    let deadline = Clock.monotonic() + limit
    while true {
      let left = Holdings.now.left(since: before)
      if left.isEmpty || Clock.monotonic() > deadline { return left }
      usleep(20_000)
    }
  }

  private static func entries(_ path: String) -> [String] {
    guard let folder = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(folder) }
    let own = unsafe String(dirfd(folder))
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) {
        unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if !name.hasPrefix("."), name != own || !path.hasSuffix("fd") { names.append(name) }
    }
    return names
  }

  private static func link(_ path: String) -> String? {
    var buffer = [UInt8](repeating: 0, count: 512)
    let count = unsafe readlink(path, &buffer, buffer.count)
    return count < 0 ? nil : String(decoding: buffer.prefix(count), as: UTF8.self)
  }

  private static func text(_ path: String) -> String {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = unsafe read(file, &buffer, buffer.count)
      if count <= 0 { return String(decoding: all, as: UTF8.self) }
      all += buffer[..<count]
    }
  }
}
