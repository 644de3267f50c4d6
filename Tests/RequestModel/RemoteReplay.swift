// The same sequences, done to descriptors of a daemon. They are read by slots and not with read(2), so the model knows what
// waits in which slot; requests and their answers are those of a device, but for what ``RemoteReplay/refused`` lists.
import Glibc
import SwBPFBPF
import SwBPFDaemonClient
import SwBPFKern

/// Where frames come from and go to: interfaces in memory, or cables.
protocol RemoteStage: AnyObject {
  /// As they are at first. Descriptors are attached by these names.
  var interfaces: [ModelInterface] { get }
  /// Frames take their way through the kernel: what a driver in memory can be told, and counts of wake-ups, are left out.
  var isLive: Bool { get }

  /// A new connection.
  func client() throws -> DaemonClient
  /// Shows frames to the tap point, in one pass where ``isLive`` is false. They have been stored when it returns.
  func tap(_ frames: [ModelFrame], at place: ModelPlace) throws
  /// A client has written frames: waits until taps have seen so many.
  func wrote(_ seen: Int, by interface: Int) throws
  func depart(_ interface: Int) throws
  func arrive(_ interface: Int, _ model: ModelInterface) throws
  func change(_ interface: Int, _ model: ModelInterface) throws
  /// Compares promiscuous mode and frames that left. - Returns: what differs.
  func difference(_ interface: Int, _ model: ModelInterface) throws -> String?
}

final class RemoteReplay {
  /// Requests that a remote descriptor refuses with EOPNOTSUPP. BIOCSETIF has a message of its own, which asks for the right
  /// to the interface; the size of slots is chosen when their memory is made, and sealed.
  static let refused: Set<UInt32> = [0x8020_426c, 0x8090_426c, 0xc004_4266]

  static let deviceCount = 3

  var source: ByteSource
  let stage: any RemoteStage
  var model: ModelWorld
  var devices: [RemoteDescriptor] = []
  private var told: [String] = []

  /// Does what the bytes say. - Returns: nil, or what differed and all that was done before.
  static func run(_ bytes: [UInt8], on stage: any RemoteStage) -> String? {
    _ = Replay.ignoresSignal
    return RemoteReplay(bytes, stage).play()
  }

  private init(_ bytes: [UInt8], _ stage: any RemoteStage) {
    source = ByteSource(bytes)
    self.stage = stage
    model = ModelWorld(interfaces: stage.interfaces, devices: [])
  }

  private func play() -> String? {
    do {
      for _ in 0..<RemoteReplay.deviceCount {
        let (new, copy) = try newDevice()
        devices.append(new)
        model.devices.append(copy)
      }
      while !source.isEmpty {
        try step()
        try settle()
      }
      for device in devices.indices { model.leave(device) }
      for device in devices { device.shut() }
      try compareInterfaces()
      return nil
    } catch {
      return (told + ["-> \((error as? Mismatch)?.text ?? "\(error)")"]).joined(separator: "\n")
    }
  }

  func tell(_ text: String) { told.append(text) }

  func expect<Value: Equatable>(_ value: Value, is expected: Value, _ what: @autoclosure () -> String) throws {
    if value != expected { throw Mismatch(text: "\(what()): \(value), the model says \(expected)") }
  }

  /// The errno of what a closure throws, 0 if it does not.
  func errno(_ body: () throws -> Void) throws -> Int32 {
    do {
      try body()
      return 0
    } catch let error as DaemonFailure {
      guard let refusal = error.refusal else { throw error }
      return refusal.errno
    } catch let error as BPF.Failure { return error.errno }
  }

  private func newDevice() throws -> (RemoteDescriptor, ModelDevice) {
    let (size, slots) = (source.one(of: [64, 100, 256, 1024]), source.one(of: [2, 3, 4, 9]))
    tell("new: \(slots) slots of \(size) bytes")
    let new = try RemoteDescriptor(stage.client(), slotSize: size, slots: slots, nanoseconds: true)
    return (new, ModelDevice.remote(slotSize: size, slots: slots))
  }

  /// Closes a descriptor and opens another one in its place.
  func reopen(_ device: Int) throws {
    model.leave(device)
    devices[device].shut()
    (devices[device], model.devices[device]) = try newDevice()
  }

  // MARK: Comparing what can be seen at any time

  /// A pass counts what nobody wanted when it ends: a moment after the frame was seen.
  private func settle() throws {
    var triesLeft = stage.isLive ? 300 : 0
    while true {
      do {
        return try compare()
      } catch let error as Mismatch {
        if triesLeft == 0 { throw error }
        triesLeft -= 1
        usleep(5000)
      }
    }
  }

  private func compare() throws {
    for device in devices.indices {
      let (one, copy) = (devices[device], model.devices[device])
      let now = one.state
      let counters = ModelCounters(
        offered: now.statistics.offered, hidden: now.statistics.hidden, refused: now.statistics.refused,
        captured: now.statistics.captured, dropped: now.statistics.dropped, cut: now.statistics.cut,
        delivered: now.statistics.delivered, waiting: now.statistics.waiting)
      try expect(counters, is: copy.counters, "counters of \(device)")
      try expect(one.reader.storedBytes, is: copy.stored, "bytes stored in \(device)")
      try expect(now.direction.rawValue, is: copy.direction, "direction of \(device)")
      if let place = copy.place {
        let interface = model.interfaces[place.interface]
        try expect(now.name, is: interface.name, "interface of \(device)")
        try expect(
          now.linkType.map { UInt32($0) }, is: interface.points[place.point].linkType, "link type of \(device)")
      }
    }
    if !stage.isLive { try compareInterfaces() }
  }

  private func compareInterfaces() throws {
    for index in model.interfaces.indices where model.interfaces[index].isThere {
      if let text = try stage.difference(index, model.interfaces[index]) { throw Mismatch(text: text) }
    }
  }
}
