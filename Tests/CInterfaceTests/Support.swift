// What the tests of the C interface share: the library as `make install-library` puts it, and programs compiled with it.
import Glibc

@testable import TestSupport

/// The library, built once and installed into a folder of its own.
struct Staged: Sendable {
  /// The top folder of the project.
  static let project = String(#filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 })
  /// Where C programs of the tests are.
  static let programs = project + "/Tests/CInterface"
  static let prefix = "/opt/swbpf"

  static let library = Result { try Staged("release") }
  /// The same with its checks of locks, which end a program at the first wrong order.
  static let checked = Result { try Staged("debug") }

  private let destination: String
  private let compiled: String

  private init(_ configuration: String) throws {
    destination = Staged.project + "/.build-library/stage-" + configuration
    compiled = Staged.project + "/.build-library/programs-" + configuration
    let make = ["make", "-C", Staged.project, "CONFIGURATION=" + configuration]
    try succeed(make + ["library"], timeout: 900)
    try succeed(["rm", "-rf", destination])
    try succeed(make + ["install-library"] + Staged.places(destination))
    try succeed(["mkdir", "-p", compiled])
  }

  static func places(_ destination: String) -> [String] { ["DESTDIR=" + destination, "PREFIX=" + prefix] }

  /// The shared library.
  var file: String { destination + Staged.prefix + "/lib/libswbpf.so.0" }

  /// What pkg-config says of it.
  func flags(_ words: String...) throws -> [String] {
    let lines = try succeed(["pkg-config"] + words + ["swbpf"], environment: environment)
    return lines.split(whereSeparator: \.isWhitespace).map(String.init)
  }

  private var environment: [String: String] {
    [
      "PKG_CONFIG_SYSROOT_DIR": destination,
      "PKG_CONFIG_PATH": destination + Staged.prefix + "/lib/pkgconfig",
      "LD_LIBRARY_PATH": destination + Staged.prefix + "/lib",
    ]
  }

  static let warnings = ["-Wall", "-Wextra", "-Werror", "-pedantic"]

  /// Compiles a program with nothing of the project but what is installed; gives its path.
  func compile(_ source: String, as name: String, _ options: [String] = []) throws -> String {
    let program = compiled + "/" + name
    try succeed(
      ["cc", "-std=gnu17", "-O1", "-g"] + Staged.warnings + options + ["-o", program, source]
        + flags("--cflags", "--libs"))
    return program
  }

  /// Starts a program in a host.
  func start(_ program: String, _ arguments: [String], in host: Host) throws -> Child {
    try host.start([program] + arguments, environment: environment)
  }
}

/// A host with a cable from itself to itself.
func loop() throws -> Host {
  let host = try Host("loop")
  try Host.link(host, "va", host, "vb")
  return host
}

/// Runs a command that has to succeed; gives what it printed.
@discardableResult
func succeed(_ command: [String], timeout: Double = 60, environment: [String: String] = [:]) throws -> String {
  let output = try Child(command, environment: environment).finish(timeout: timeout)
  guard output.status == .exited(0) else { throw SupportError.command(command, output) }
  return output.out
}

/// A folder of one test, gone with it.
final class Scratch: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/swbpf-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SupportError.system(call: "mkdtemp", errno: errno) }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { _ = try? Child(["rm", "-rf", path]).finish() }

  func file(_ name: String) -> String { path + "/" + name }

  func file(_ name: String, holding text: String) throws -> String {
    guard let file = fopen(file(name), "w") else { throw SupportError.system(call: "fopen(\(name))", errno: errno) }
    fputs(text, file)
    fclose(file)
    return self.file(name)
  }
}
