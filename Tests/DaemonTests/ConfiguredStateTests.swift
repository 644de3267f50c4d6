// From one configuration to the next: only what changed, and all of it or nothing.
import Glibc
import SwBPFInterfaces
import SwBPFPFKey
import Testing

@testable import SwBPFDaemon

@Suite struct ConfiguredStateTests {
  private let service = TableService()
  private let keys = KeyEngine(now: 1_000_000)

  private func configuration(_ text: String) throws -> DaemonConfiguration {
    let parser = ConfigurationParser(Array(text.utf8), rules: ConfigurationTests.rules)
    try #require(parser.errors.isEmpty, "\(parser.errors)")
    return parser.configuration
  }

  private func policies() -> Int {
    let socket = keys.open()
    defer { keys.close(socket) }
    guard let message = SetkeyStatement(.policyDump).message(),
      (try? keys.send(message, from: socket)) != nil
    else { return -1 }
    var count = 0
    while let answer = socket.receive() { if answer[2] == 0 { count += 1 } }
    return count
  }

  @Test func linesAreDoneInTheirOrder() throws {
    let state = ConfiguredState(service, keys)
    let text = "ifconfig gif1 create mtu 1300\nifconfig gif0 create up\nifconfig gif1 up\nsysctl net.inet.ip.gifttl=9\n"
    #expect(try state.change(to: configuration(text)) == ["gif0", "gif1"])
    #expect(
      service.log == [
        "set net.inet.ip.gifttl 9", "create gif1", "mtu gif1 1300", "up gif1", "create gif0", "up gif0",
      ])
  }

  @Test func onlyInterfacesWhoseLinesChangedAreMadeAgain() throws {
    let state = ConfiguredState(service, keys)
    try state.change(
      to: configuration("ifconfig gif0 create up\nifconfig gif1 create mtu 1300\nifconfig gif2 create\n"))
    service.forget()
    let text = "ifconfig gif0 create up\nifconfig gif1 create mtu 1400\nifconfig gif3 create\n"
    #expect(try state.change(to: configuration(text)) == ["gif1", "gif2", "gif3"])
    #expect(service.log == ["destroy gif2", "destroy gif1", "create gif1", "mtu gif1 1400", "create gif3"])
    service.forget()
    #expect(try state.change(to: configuration(text)).isEmpty)
    #expect(service.log.isEmpty)
  }

  @Test func aSettingThatIsGoneGetsItsInitialValue() throws {
    let state = ConfiguredState(service, keys)
    try state.change(to: configuration("sysctl net.inet.ip.gifttl=9\nsysctl net.ipsec.ike=x\n"))
    service.forget()
    try state.change(to: configuration("sysctl net.ipsec.ike=y\n"))
    #expect(service.log == ["set net.inet.ip.gifttl 30", "set net.ipsec.ike y"])
  }

  @Test(arguments: ["create gif3", "mtu gif1 1400", "up gif3", "set net.inet.ip.gifttl 12", "destroy gif2"])
  func whenOneStepIsRefusedNothingHasChanged(_ refused: String) throws {
    let state = ConfiguredState(service, keys)
    let old = """
      ifconfig gif0 create up
      ifconfig gif1 create mtu 1300
      ifconfig gif2 create mtu 1290
      sysctl net.inet.ip.gifttl=9
      setkey spdadd 10.0.0.1 10.0.0.2 any -P out discard ;
      """
    try state.change(to: configuration(old))
    let (table, settings) = (service.table, service.settings)
    service.refuses = refused
    let new = """
      ifconfig gif0 create up
      ifconfig gif1 create mtu 1400
      ifconfig gif3 create up
      sysctl net.inet.ip.gifttl=12
      setkey spdadd 10.0.0.3 10.0.0.4 any -P out discard ;
      """
    #expect(throws: ConfigurationFailure.self) { try state.change(to: configuration(new)) }
    #expect(service.table == table && service.settings == settings && policies() == 1)
    service.refuses = nil
    try state.change(to: configuration(new))
    #expect(service.names == ["gif0", "gif1", "gif3"] && service.table["gif1"]?.mtu == 1400)
  }

  @Test func anInterfaceDestroyedByHandIsMadeAgainWhenItsLinesChange() throws {
    let state = ConfiguredState(service, keys)
    try state.change(to: configuration("ifconfig gif0 create\n"))
    try service.destroy("gif0")
    try state.change(to: configuration("ifconfig gif0 create up\n"))
    #expect(service.table["gif0"]?.flags.contains(.up) == true)
  }

  @Test func policiesFollowTheFile() throws {
    let state = ConfiguredState(service, keys)
    let one = "setkey spdadd 10.0.0.1 10.0.0.2 any -P out discard ;\n"
    let other = "setkey spdadd 10.0.0.3 10.0.0.4 any -P out discard ;\n"
    try state.change(to: configuration(one + other))
    #expect(policies() == 2)
    try state.change(to: configuration(other))
    #expect(policies() == 1)
    // A policy that is there already is refused, and the others are taken back.
    #expect(throws: ConfigurationFailure.self) { try state.change(to: configuration(one + other + one)) }
    #expect(policies() == 1)
    try state.change(to: DaemonConfiguration())
    #expect(policies() == 0)
  }
}
