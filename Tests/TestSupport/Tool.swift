// Finding the programs that tests start.
import Glibc

package enum Tool {
  /// The path of a program: as given when it has a slash, else from PATH, else from the folders of system tools, which a
  /// plain user's PATH may lack.
  package static func path(_ name: String) -> String? {
    if name.contains("/") { return access(name, X_OK) == 0 ? name : nil }
    let folders =
      (environment("PATH") ?? "").split(separator: ":") + ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
    return folders.lazy.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
  }

  /// The command under test: SWBPF_BINARY, else the one built beside the tests.
  package static var swbpf: String {
    environment("SWBPF_BINARY") ?? folderOfTests + "/swbpf"
  }

  /// The Python that has scapy: the system's own, or the first in PATH.
  package static let scapyPython: String? = ["/usr/bin/python3", "python3"].compactMap(path).first {
    let check = "import importlib.util as u, sys; sys.exit(not u.find_spec('scapy'))"
    return (try? Child([$0, "-c", check]).finish().status) == .exited(0)
  }

  package static func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }

  private static let folderOfTests: String = {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = max(0, readlink("/proc/self/exe", &buffer, buffer.count))
    let path = String(decoding: buffer[..<count], as: UTF8.self)
    return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
  }()
}
