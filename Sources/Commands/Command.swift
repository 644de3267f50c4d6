// The command's entry: takes the command line apart and picks what to do.
import ArgumentParser
internal import CPcapShim
import Glibc
import SwBPF

/// Runs the command with its arguments (without the program's name) and returns the exit status.
public func swbpf(_ arguments: [String]) -> CInt {
  holdStandardDescriptors()
  // Only the first word can be a subcommand.
  if let subcommand = arguments.first.flatMap(Subcommand.init) {
    return run(subcommand, Array(arguments.dropFirst()))
  }
  var interface = "swbpf"
  do {
    if arguments.first == "completion" { return try CompletionScript.run(Array(arguments.dropFirst())) }
    let options = try parse(arguments)
    if let first = options.interfaces.first { interface = first }
    if options.helpCount > 0 {
      Messages.write(HelpText.help + "\n", to: STDOUT_FILENO)
      return 0
    }
    if options.versionCount > 0 {
      Messages.write("swbpf \(HelpText.version)\n\(libpcapVersion())\n", to: STDOUT_FILENO)
      return 0
    }
    // Before any socket: what follows is of that namespace.
    if let name = options.namespace { try NetworkNamespace.enter(name, arguments: arguments) }
    if options.listInterfacesCount > 0 { return try Listing.interfaces() }
    var settings = try CaptureSettings(options)
    if options.listStampTypesCount > 0 { return try Listing.stampTypes(of: settings.interfaces.first) }
    if options.listLinkTypesCount > 0 { return try Listing.linkTypes(of: settings.interfaces.first) }
    if let file = settings.expressionFile { settings.expression = try ExpressionFile.read(file) }
    if let form = settings.dump, settings.input == nil { return try ProgramCommand(settings, form).run() }
    return settings.input == nil
      ? try LiveCommand(settings, arguments: arguments).run() : try FileCommand(settings).run()
  } catch let error as UsageError {
    Messages.say("swbpf: " + error.text)
    Messages.say(Messages.usage)
    return 1
  } catch {
    Messages.say("swbpf: " + Messages.explain(error, interface: interface, arguments: arguments))
    return 1
  }
}

/// Standard descriptors that the shell closed (`>&-`) are taken, so that no socket or savefile gets their numbers and then
/// the lines. Reading and writing fail at them with EBADF, as at closed ones.
private func holdStandardDescriptors() {
  for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
    // The lowest free number is the one that was looked at.
    _ = unsafe open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
  }
}

private func run(_ subcommand: Subcommand, _ words: [String]) -> CInt {
  do {
    return try subcommand.run(words)
  } catch let error as UsageError {
    Messages.say("swbpf: " + error.text)
    Messages.say(subcommand.usage)
  } catch {
    Messages.say("swbpf: " + Messages.explain(error, interface: subcommand.rawValue, arguments: words))
  }
  return 1
}

/// The options of a command line. (getopt_long(3) and ArgumentParser)
func parse(_ arguments: [String]) throws(UsageError) -> CaptureOptions {
  let words: [String]
  do {
    words = try OptionSplitter.split(arguments)
  } catch {
    switch error {
    case .unknown(let name):
      throw UsageError("unknown option \(name)" + (OptionTable.absent[name].map { " (\($0))" } ?? ""))
    case .ambiguous(let name, let names):
      throw UsageError("option \(name) could be \(names.joined(separator: " or "))")
    case .missingValue(let name): throw UsageError("option \(name) needs a value")
    case .unexpectedValue(let name): throw UsageError("option \(name) takes no value")
    }
  }
  do {
    return try CaptureOptions.parse(words)
  } catch {
    throw UsageError(CaptureOptions.message(for: error))
  }
}

private func libpcapVersion() -> String {
  // SAFETY: static storage of libpcap.
  unsafe String(cString: swpcap_version())
}
