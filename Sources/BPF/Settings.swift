// Settings of the whole bpf layer, by the names that sysctl(8) knows them by.
import Synchronization

extension BPF {
  /// What all descriptors of a process share. (sysctl `net.bpf`)
  /// - Threads: any; a change binds what is opened or asked for afterwards.
  public final class Settings: Sendable {
    /// The settings that descriptors use unless told otherwise.
    public static let shared = Settings()

    /// Buffer size of a new device descriptor, bytes. (net.bpf.bufsize)
    public var bufferSize: Int { bufferSizeValue.load(ordering: .relaxed) }
    /// The largest that BIOCSBLEN gives, bytes. (net.bpf.maxbufsize)
    public var maximumBufferSize: Int { maximumValue.load(ordering: .relaxed) }
    /// Instructions that a program may have. (net.bpf.maxinsns)
    public var maximumInstructions: Int { instructionsValue.load(ordering: .relaxed) }
    /// Descriptors opened for reading and writing, too, listen only once they have a program. (net.bpf.optimize_writers)
    public var optimizesWriters: Bool { writersValue.load(ordering: .relaxed) != 0 }
    /// Whose programs may go to the kernel: 0 nobody's, 1 the command's, 2 everybody's. (swbpf.pushdown)
    public var pushdown: Int { pushdownValue.load(ordering: .relaxed) }

    private let bufferSizeValue = Atomic<Int>(32768)
    private let maximumValue = Atomic<Int>(16 << 20)
    private let instructionsValue = Atomic<Int>(512)
    private let writersValue = Atomic<Int>(0)
    private let pushdownValue = Atomic<Int>(1)

    public init() {}

    private enum Key: String, CaseIterable {
      case bufferSize = "net.bpf.bufsize"
      case maximum = "net.bpf.maxbufsize"
      case instructions = "net.bpf.maxinsns"
      case writers = "net.bpf.optimize_writers"
      case pushdown = "swbpf.pushdown"

      var range: ClosedRange<Int> {
        switch self {
        case .bufferSize, .maximum: Settings.minimumBufferSize...(1 << 30)
        case .instructions: 1...4096
        case .writers: 0...1
        case .pushdown: 0...2
        }
      }
    }

    /// The names of all settings.
    public static let names: [String] = Key.allCases.map(\.rawValue)

    /// What a setting may be; `net.bpf.bufsize` not more than `net.bpf.maxbufsize` either.
    /// - Throws: ENOENT for a name that there is not.
    package static func range(of name: String) throws(Failure) -> ClosedRange<Int> { try key(name).range }

    /// The value of a setting. - Throws: ENOENT for a name that there is not.
    public func value(of name: String) throws(Failure) -> Int {
      switch try Settings.key(name) {
      case .bufferSize: bufferSize
      case .maximum: maximumBufferSize
      case .instructions: maximumInstructions
      case .writers: writersValue.load(ordering: .relaxed)
      case .pushdown: pushdown
      }
    }

    /// Changes a setting. - Throws: ENOENT for a name that there is not; EINVAL for a value out of its range.
    public func set(_ name: String, to value: Int) throws(Failure) {
      let key = try Settings.key(name)
      switch key {
      case .bufferSize: try change(bufferSizeValue, to: value, in: Settings.minimumBufferSize...maximumBufferSize)
      case .maximum: try change(maximumValue, to: value, in: key.range)
      case .instructions: try change(instructionsValue, to: value, in: key.range)
      case .writers: try change(writersValue, to: value, in: key.range)
      case .pushdown: try change(pushdownValue, to: value, in: key.range)
      }
    }

    /// The smallest buffer, bytes. (`BPF_MINBUFSIZE`)
    public static let minimumBufferSize = 32

    private static func key(_ name: String) throws(Failure) -> Key {
      guard let key = Key(rawValue: name) else { throw .noSuchSetting(name) }
      return key
    }

    private func change(_ setting: borrowing Atomic<Int>, to value: Int, in range: ClosedRange<Int>) throws(Failure) {
      guard range.contains(value) else { throw .invalid("\(value), not in \(range)") }
      setting.store(value, ordering: .relaxed)
    }
  }
}
