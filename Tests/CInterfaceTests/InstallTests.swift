// What `make install-library` leaves and `make uninstall` takes away.
import Testing

@testable import TestSupport

@Suite("The shared library", .needsTool("pkg-config"))
struct InstallTests {
  @Test("is installed as library, link, header and pkg-config file, and taken away", .timeLimit(.minutes(20)))
  func installed() throws {
    _ = try Staged.library.get()
    let folder = try Scratch()
    let places = Staged.places(folder.path)
    func files() throws -> [String] {
      let found = try succeed(["find", folder.path, "-not", "-type", "d", "-printf", "%P\\n"])
      return found.split(separator: "\n").map(String.init).sorted()
    }
    try succeed(["make", "-C", Staged.project, "install-library"] + places)
    #expect(
      try files() == [
        "opt/swbpf/include/swbpf.h", "opt/swbpf/lib/libswbpf.so", "opt/swbpf/lib/libswbpf.so.0",
        "opt/swbpf/lib/pkgconfig/swbpf.pc",
      ])
    try succeed(["make", "-C", Staged.project, "uninstall"] + places)
    #expect(try files() == [])
  }

  @Test("exports its functions only, and needs no Swift run time", .timeLimit(.minutes(20)))
  func symbols() throws {
    let staged = try Staged.library.get()
    let lines = try succeed(["nm", "-D", "--defined-only", "--extern-only", staged.file])
    let names = lines.split(separator: "\n").map { line in
      String(line.split(separator: " ").last!.prefix { $0 != "@" })
    }
    let calls = [
      "close", "ioctl", "open", "open_profile", "poll_fd", "read", "sysctl", "write", "writev",
    ]
    #expect(names.filter { $0 != "SWBPF_0" }.sorted() == calls.map { "swbpf_" + $0 })
    let dynamic = try succeed(["readelf", "-d", staged.file])
    #expect(dynamic.contains("soname: [libswbpf.so.0]"))
    #expect(dynamic.contains("[libpcap.so") && !dynamic.contains("libswift"))
  }

  @Test("is what pkg-config tells of", .timeLimit(.minutes(20)))
  func pkgConfig() throws {
    let staged = try Staged.library.get()
    #expect(try staged.flags("--libs").last == "-lswbpf")
    #expect(try staged.flags("--variable=prefix").first?.hasSuffix(Staged.prefix) == true)
    #expect(try staged.flags("--modversion").first?.first?.isNumber == true)
  }
}
