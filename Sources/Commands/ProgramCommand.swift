// -d, -dd, -ddd without -r: the program of an expression, compiled but not run. Opens nothing, needs no rights.
internal import CPcapShim
import Glibc
import SwBPF

/// `swbpf -d [-i IF | -y TYPE] EXPRESSION`
struct ProgramCommand {
  private let settings: CaptureSettings
  private let form: ProgramText

  init(_ settings: CaptureSettings, _ form: ProgramText) {
    self.settings = settings
    self.form = form
  }

  func run() throws -> CInt {
    let interface = try settings.interfaces.first.map { try Listing.resolve($0) }
    let filter = FilterExpression(
      settings.expression, snapLength: settings.snapLength, optimizes: settings.optimizes,
      netmask: interface.map { unsafe swpcap_link_netmask($0) } ?? .max)
    do {
      let program =
        try filter.program(linkType: linkType(interface))
        ?? Program([Instruction(code: 0x06, k: UInt32(settings.snapLength))])
      Messages.write(program.text(form), to: STDOUT_FILENO)
      return 0
    } catch {
      throw CommandError(Messages.explain(error, interface: interface ?? "swbpf", arguments: []))
    }
  }

  /// The interface's link type, else that of -y, else Ethernet with a word of it.
  private func linkType(_ interface: String?) throws -> Int32 {
    let wanted = try settings.linkType.map { name in
      guard let type = Listing.linkType(named: name) else { throw CommandError("-y \(name): unknown link type") }
      return type
    }
    guard let interface else {
      if wanted == nil { Messages.say("swbpf: no interface and no -y: assuming Ethernet") }
      return wanted ?? 1
    }
    // On any, the packets of each interface are judged with the program of its own link type; shown is that of the records.
    let own = try Listing.linkType(of: interface)
    if let wanted, wanted != own {
      throw CommandError(
        "-y \(settings.linkType!): \(interface) has only \(Listing.describe(own)) (try swbpf -L -i \(interface))")
    }
    return own
  }
}
