// Carries what leaves by one queue of every l2tp.
// Part of an output worker; its thread only.
import Glibc
import SwBPFBPF

final class L2TPOutputBody: OutputBody {
  /// An l2tp and what it was set to.
  private struct Seat {
    let l2tp: L2TP
    var settings: Published<L2TPSettings>.Copy
  }

  private let shared: TunnelShared
  private let queue: Int
  private var output: L2TPOutput
  /// By number.
  private var seats: [Seat?] = []

  /// - Parameter queue: number of the queue of each device.
  init(_ shared: TunnelShared, _ ipsec: IPsecShared, queue: Int) throws(BPF.Failure) {
    self.shared = shared
    self.queue = queue
    output = try L2TPOutput(try PolicyOutput(ipsec))
  }

  func refresh(_ table: TunnelTable) {
    let l2tps = table.l2tps
    seats = l2tps.indices.map { number in
      guard let l2tp = l2tps[number] else { return nil }
      if number < seats.count, let seat = seats[number], seat.l2tp === l2tp { return seat }
      return Seat(l2tp: l2tp, settings: l2tp.variant.copy())
    }
    output.rest(isUsed: seats.contains { $0 != nil })
  }

  func serve(_ number: Int, _ table: TunnelTable) -> CInt? {
    guard number < seats.count, var seat = seats[number] else { return nil }
    seat.l2tp.variant.refresh(&seat.settings)
    seats[number]?.settings = seat.settings
    let device = seat.l2tp.queues[queue]
    // What becomes of an interface whose device somebody took away is the engine's matter.
    let isThere = output.serve(seat.l2tp, device, seat.settings.value, shared, table)
    if output.mayRest { Worker.rest() }
    return isThere ? nil : device.descriptor
  }
}
